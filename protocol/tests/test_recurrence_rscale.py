"""RSCALE and SKIP: the examples of RFC 7529 §4.3, and what SKIP does to every kind of invalid date."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from itertools import islice

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.rules import Budget, Series, parse_rule
from protocol.ical.rules.rscale import calendar_system, supported_rscales
from protocol.ical.values import wall_of, wall_seconds

HAS_ICU = find_spec("icu") is not None


def first(rule: str, start: str, number: int) -> list[str]:
    series = Series(parse_rule(rule), wall_seconds(datetime.fromisoformat(start)), all_day=True)
    starts = series.starts(series.start, wall_seconds(datetime.fromisoformat("21000101")), Budget())
    return [f"{wall_of(wall):%Y%m%d}" for wall in islice(starts, number)]


RFC_7529 = [
    ("RSCALE=CHINESE;FREQ=YEARLY", "20130210", ["20130210", "20140131", "20150219", "20160208", "20170128"]),
    (
        "RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13",
        "20130906",
        ["20130906", "20140906", "20150906", "20160906", "20170906"],
    ),
    (
        "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD",
        "20140208",
        ["20140208", "20150227", "20160217", "20170306", "20180223"],
    ),
    (
        "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
        "20120229",
        ["20120229", "20130301", "20140301", "20150301", "20160229", "20170301"],
    ),
    ("FREQ=YEARLY", "20120229", ["20120229", "20160229"]),
]


@pytest.mark.parametrize(("rule", "start", "expected"), RFC_7529)
def test_the_examples_of_rfc_7529(rule: str, start: str, expected: list[str]) -> None:
    needs_icu = "RSCALE" in rule and "GREGORIAN" not in rule
    if needs_icu and not HAS_ICU:
        with pytest.raises(Refusal) as refused:
            first(rule, start, 5)
        assert refused.value.condition is Condition.SUPPORTED_RSCALE
        return
    assert first(rule, start, len(expected)) == expected


SKIPS = [
    # day 31 in short months, as the RFC's text says
    ("FREQ=MONTHLY;SKIP=FORWARD", "20140131", ["20140131", "20140301", "20140331", "20140501", "20140531", "20140701"]),
    (
        "FREQ=MONTHLY;SKIP=BACKWARD",
        "20140131",
        ["20140131", "20140228", "20140331", "20140430", "20140531", "20140630"],
    ),
    ("FREQ=MONTHLY;SKIP=OMIT", "20140131", ["20140131", "20140331", "20140531", "20140731"]),
    # without RSCALE there is no SKIP
    # a moved date that meets another is one date
    (
        "FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD",
        "20140201",
        ["20140201", "20140301", "20140331", "20140401", "20140501"],
    ),
    ("FREQ=MONTHLY;BYMONTHDAY=30,31;SKIP=BACKWARD", "20140130", ["20140130", "20140131", "20140228", "20140330"]),
    # counted from the end, the missing date lies before the month
    ("FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=FORWARD", "20140101", ["20140101", "20140201", "20140301", "20140401"]),
    ("FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD", "20140101", ["20140101", "20140131", "20140301", "20140331"]),
    (
        "FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD",
        "20121231",
        ["20121231", "20140101", "20150101", "20160101", "20161231"],
    ),
    ("FREQ=YEARLY;BYYEARDAY=366;SKIP=BACKWARD", "20121231", ["20121231", "20131231", "20141231", "20151231"]),
    ("FREQ=YEARLY;BYYEARDAY=-366;SKIP=BACKWARD", "20120101", ["20120101", "20121231", "20131231", "20141231"]),
    # SKIP comes before BYDAY (RFC 7529 §4.1): the moved date has to be the weekday
    ("FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=SA;SKIP=FORWARD", "20140301", ["20140301", "20140531", "20150131"]),
    # a limit has no invalid dates to move
    ("FREQ=DAILY;BYMONTHDAY=31;SKIP=FORWARD", "20140131", ["20140131", "20140331", "20140531"]),
    # COUNT counts dates once
    ("FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD;COUNT=3", "20140201", ["20140201", "20140301", "20140331"]),
    ("FREQ=MONTHLY;BYMONTHDAY=31;SKIP=NONSENSE", "20140131", ["20140131", "20140331"]),
]


@pytest.mark.parametrize(("rule", "start", "expected"), SKIPS)
def test_skip(rule: str, start: str, expected: list[str]) -> None:
    assert first(f"RSCALE=GREGORIAN;{rule}", start, len(expected)) == expected


def test_skip_needs_rscale() -> None:
    assert first("FREQ=MONTHLY;SKIP=FORWARD", "20140131", 2) == ["20140131", "20140331"]


def test_a_window_in_the_middle_agrees_with_the_whole() -> None:
    for rule in ("FREQ=MONTHLY;BYMONTHDAY=-31,31;SKIP=BACKWARD", "FREQ=YEARLY;BYYEARDAY=366,-366;SKIP=FORWARD"):
        series = Series(parse_rule(f"RSCALE=GREGORIAN;{rule}"), 0, all_day=True)
        whole = list(series.starts(0, 20 * 366 * 86400, Budget()))
        assert whole == sorted(set(whole))
        for low in range(0, 15 * 366 * 86400, 17 * 86400):
            high = low + 40 * 86400
            expected = [wall for wall in whole if low <= wall < high]
            assert list(series.starts(low, high, Budget())) == expected


@pytest.mark.parametrize("rscale", ["X-MARS", "JULIAN", ""])
def test_unknown_calendars_are_refused_by_name(rscale: str) -> None:
    if rscale == "":
        assert calendar_system(parse_rule("RSCALE=;FREQ=DAILY").rscale) is calendar_system(None)
        return
    with pytest.raises(Refusal) as refused:
        Series(parse_rule(f"RSCALE={rscale};FREQ=YEARLY"), 0)
    assert refused.value.condition is Condition.SUPPORTED_RSCALE


def test_the_list_of_calendars() -> None:
    names = supported_rscales()
    assert "GREGORIAN" in names
    assert ("HEBREW" in names) is HAS_ICU
    assert names == tuple(sorted(names))


@pytest.mark.parametrize("rscale", [name for name in supported_rscales() if name != "GREGORIAN"])
def test_years_of_every_calendar_fit_together(rscale: str) -> None:
    system = calendar_system(rscale)
    year = system.year_of(wall_seconds(datetime.fromisoformat("20200601")) // 86400)
    for number in range(year - 30, year + 30):
        shape, start = system.year(number), system.start_of(number)
        assert system.start_of(number + 1) - start == shape.length == sum(length for _, _, length in shape.months)
        assert (start + 3) % 7 == shape.weekday
        assert system.year_of(start) == system.year_of(start + shape.length - 1) == number
        assert len({label for label, _, _ in shape.months}) == len(shape.months)
        assert system.months_before(number + 1) - system.months_before(number) == len(shape.months)


@pytest.mark.parametrize("rscale", [name for name in supported_rscales() if name != "GREGORIAN"])
@pytest.mark.parametrize(
    "rule", ["FREQ=MONTHLY;BYMONTHDAY=29,30;SKIP=FORWARD", "FREQ=YEARLY;BYYEARDAY=1", "FREQ=DAILY;BYMONTH=3"]
)
def test_windows_in_every_calendar(rscale: str, rule: str) -> None:
    start = wall_seconds(datetime.fromisoformat("20200601"))
    series = Series(parse_rule(f"RSCALE={rscale};{rule}"), start, all_day=True)
    high = start + 6 * 366 * 86400
    whole = list(series.starts(start, high, Budget()))
    assert len(whole) >= 6
    assert whole == sorted(set(whole))
    for low in range(start, high - 100 * 86400, 97 * 86400):
        expected = [wall for wall in whole if low <= wall < low + 60 * 86400]
        assert list(series.starts(low, low + 60 * 86400, Budget())) == expected
