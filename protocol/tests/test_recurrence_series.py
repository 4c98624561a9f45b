"""Corner cases of the rule engine that neither the RFC's examples nor the oracles cover."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.rules import Budget, Freq, Series, Skip, parse_rule
from protocol.ical.rules.calendars import GREGORIAN, Year
from protocol.ical.rules.days import DayParts, days_of_month, days_of_year
from protocol.ical.rules.pattern import END
from protocol.ical.rules.rule import LEAP_MONTH
from protocol.ical.values import wall_of, wall_seconds


def wall(text: str) -> int:
    return wall_seconds(datetime.fromisoformat(text))


def walls(series: Series, low: str, high: str) -> list[str]:
    found = series.starts(wall(low), wall(high), Budget())
    return [wall_of(each).isoformat().replace("-", "").replace(":", "") for each in found]


def test_parts_in_any_order_and_any_case() -> None:
    rule = parse_rule(" byday = mo , -1fr ;freq=Monthly; interval=+2;wkst=xx;X-OTHER=1;BYDAY=SU;UNTIL=20300101;;")
    assert (rule.freq, rule.interval, rule.by_day, rule.week_start) == (Freq.MONTHLY, 2, ((-1, 4), (0, 0)), 0)


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("BYSECOND=60,59,0", "by_second", (0, 59)),
        ("BYMONTH=5L", "by_month", ()),
        ("RSCALE=HEBREW;BYMONTH=5L,12", "by_month", (12, 105)),
        ("RSCALE=HEBREW;BYYEARDAY=385", "by_year_day", (385,)),
        ("BYYEARDAY=367,-367,0", "by_year_day", ()),
        ("BYMONTHDAY=1,,x,+3,-2", "by_month_day", (-2, 1, 3)),
        ("BYHOUR=-1,5", "by_hour", (5,)),
        ("BYDAY=0MO,99TU,WE,QQ", "by_day", ((0, 2),)),
        ("RSCALE=GREGORIAN;SKIP=forward", "skip", Skip.FORWARD),
        ("SKIP=FORWARD", "skip", Skip.OMIT),
        ("INTERVAL=99999999999999", "interval", 1_000_000_000),
        ("INTERVAL=9999999999999999999999", "empty", True),
        ("COUNT=x", "empty", True),
    ],
)
def test_values_of_parts(text: str, field: str, expected: object) -> None:
    assert getattr(parse_rule(f"FREQ=YEARLY;{text}"), field) == expected


def test_the_last_start() -> None:
    start = wall("20240101T090000")
    for text, expected in [
        ("FREQ=DAILY", None),
        ("FREQ=DAILY;COUNT=1", "20240101T090000"),
        ("FREQ=DAILY;COUNT=10;INTERVAL=3", "20240128T090000"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=1000", "20300520T090000"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1,3;COUNT=5", "20240115T090000"),
        ("FREQ=HOURLY;INTERVAL=5;BYMINUTE=0,30;COUNT=4", "20240101T143000"),
        ("FREQ=MINUTELY;BYHOUR=9;COUNT=61", "20240102T090000"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "20240331T090000"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "20240101T090000"),
        ("FREQ=WEEKLY;BYSETPOS=9;COUNT=3", "20240101T090000"),
        ("FREQ=NEVER", "20240101T090000"),
    ]:
        last = Series(parse_rule(text), start).last(Budget())
        assert (None if last is None else f"{wall_of(last):%Y%m%dT%H%M%S}") == expected, text
    assert Series(parse_rule("FREQ=DAILY;COUNT=900000000"), start).last(Budget()) == END
    assert Series(parse_rule("FREQ=DAILY;UNTIL=20240105T000000"), start, until=wall("20240105")).last(Budget()) == wall(
        "20240105"
    )
    both = Series(parse_rule("FREQ=DAILY;COUNT=9;UNTIL=20240105T000000"), start, until=wall("20240105"))
    assert both.last(Budget()) == wall("20240105")


def test_a_series_without_its_start() -> None:
    series = Series(parse_rule("FREQ=WEEKLY;BYDAY=SA;COUNT=2"), wall("20240101"), include_start=False)
    assert walls(series, "20240101", "20250101") == ["20240106T000000", "20240113T000000"]
    assert walls(series, "20240110", "20250101") == ["20240113T000000"]
    none = Series(parse_rule("FREQ=NEVER"), wall("20240101"), include_start=False)
    assert walls(none, "20240101", "20250101") == []


def test_windows_that_hold_nothing() -> None:
    series = Series(parse_rule("FREQ=DAILY;COUNT=3"), wall("20240101T090000"))
    assert walls(series, "20230101", "20240101T090000") == []
    assert walls(series, "20240201", "20240101") == []
    assert walls(series, "20240201", "20250101") == []
    assert series.forever is False
    assert walls(Series(parse_rule("FREQ=DAILY"), wall("20240101")), "20230101", "20231231") == []


def test_the_end_of_the_calendar() -> None:
    start = wall("99991230T090000")
    for text in (
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=TH,FR",
        "FREQ=MONTHLY;BYMONTHDAY=30,31",
        "FREQ=YEARLY;BYYEARDAY=-1,-2",
    ):
        found = list(Series(parse_rule(text), start).starts(start, 1 << 60, Budget()))
        assert [f"{wall_of(each):%d}" for each in found] == ["30", "31"], text
    skipping = Series(parse_rule("RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD"), start)
    assert len(list(skipping.starts(start, 1 << 60, Budget()))) == 1


def test_the_first_years() -> None:
    series = Series(parse_rule("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO"), wall("00010101"))
    assert walls(series, "00010101", "00030101") == ["00010101T000000", "00011231T000000", "00021230T000000"]
    assert GREGORIAN.year_of(-(10**9)) == 1
    assert GREGORIAN.year_of(10**9) == 9999


def test_many_times_of_day_are_cut_to_the_window() -> None:
    every = "FREQ=DAILY;BYMINUTE=0,15,30,45;BYHOUR=" + ",".join(map(str, range(24)))
    series = Series(parse_rule(every), wall("20240101"))
    assert walls(series, "20240105T101500", "20240105T110000") == [
        "20240105T101500",
        "20240105T103000",
        "20240105T104500",
    ]
    budget = Budget(20)
    assert len(list(series.starts(wall("20240105"), wall("20240105T040000"), budget))) == 16
    assert budget.left >= 0


def test_times_too_many_to_write_out_come_in_order() -> None:
    numbers = [",".join(map(str, range(size))) for size in (24, 60, 60)]
    every = "FREQ=DAILY;INTERVAL=2;BYHOUR={};BYMINUTE={};BYSECOND={}".format(*numbers)
    series = Series(parse_rule(every), wall("20240101T100000"))
    assert walls(series, "20240103T235958", "20240105T000002") == [
        "20240103T235958",
        "20240103T235959",
        "20240105T000000",
        "20240105T000001",
    ]
    counted = Series(parse_rule(f"{every};COUNT=100000"), wall("20240101T100000"))
    # 50,400 on the first day, from ten o'clock on; the rest two days later. Nothing is counted one by one.
    assert counted.last(Budget(0)) == wall("20240103") + 100_000 - 50_400 - 1


@pytest.mark.parametrize(
    "days", ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,SU;WKST=TU", "FREQ=HOURLY;INTERVAL=5", "FREQ=MONTHLY",
             "FREQ=WEEKLY;BYDAY=WE,SA;BYSETPOS=1,7,-200"]
)  # fmt: skip
def test_a_count_is_resolved_to_the_start_of_that_number(days: str) -> None:
    minutes = ",".join(map(str, range(0, 60, 4)))
    rule = f"{days};BYHOUR=1,3,5,9,10,11,22;BYMINUTE={minutes};BYSECOND=7,30"
    if "HOURLY" in rule:
        rule = rule.replace("BYHOUR=1,3,5,9,10,11,22;", "").replace("7,30", "7,30,31,32,40")
    start = wall("20240103T100630")
    first = list(islice(Series(parse_rule(rule), start).starts(start, END, Budget(10_000)), 900))
    for count in (1, 2, 3, 50, 209, 210, 211, 212, 420, 421, 500, 899, 900):
        series = Series(parse_rule(f"{rule};COUNT={count}"), start)
        assert series.last(Budget(10_000)) == first[count - 1], count
        assert list(series.starts(start, END, Budget(10_000))) == first[:count]


def test_what_a_rule_remembers_is_bounded() -> None:
    series = Series(parse_rule("FREQ=MONTHLY;INTERVAL=11;BYDAY=1MO"), wall("00010101"))
    with pytest.raises(Refusal) as refused:
        list(series.starts(0, END, Budget(3000)))
    assert refused.value.condition is Condition.MAX_INSTANCES
    assert len(series._pattern._cache) <= 256


# -- a calendar with leap months, made up: a year of 5, 5L and 6, after a year of 5 and 6

LEAP = Year(
    weekday=0,
    length=85,
    previous_length=60,
    next_length=60,
    months=((5, 0, 30), (LEAP_MONTH + 5, 30, 25), (6, 55, 30)),
    last_before=(6, -30, 30),
    first_after=(5, 85, 30),
)
REGULAR = Year(
    weekday=0,
    length=60,
    previous_length=85,
    next_length=85,
    months=((5, 0, 30), (6, 30, 30)),
    last_before=(6, -30, 30),
    first_after=(5, 60, 30),
)


def _parts(months: set[int], month_days: tuple[int, ...], skip: Skip) -> DayParts:
    return DayParts(frozenset(months), frozenset(), (), month_days, (), 0, skip)


def test_an_absent_leap_month_is_skipped_as_asked() -> None:
    """RFC 7529 §4.1: the month is moved first, then the day."""
    leap = {LEAP_MONTH + 5}
    assert days_of_year(_parts(leap, (8,), Skip.OMIT), LEAP) == (37,)
    assert days_of_year(_parts(leap, (8,), Skip.FORWARD), LEAP) == (37,)
    assert days_of_year(_parts(leap, (8,), Skip.OMIT), REGULAR) == ()
    assert days_of_year(_parts(leap, (8,), Skip.FORWARD), REGULAR) == (37,)
    assert days_of_year(_parts(leap, (8,), Skip.BACKWARD), REGULAR) == (7,)
    assert days_of_year(_parts(leap, (30,), Skip.FORWARD), LEAP) == (55,)
    assert days_of_year(_parts(leap, (30,), Skip.BACKWARD), LEAP) == (54,)
    assert days_of_month(_parts(leap, (8,), Skip.FORWARD), REGULAR, 1) == (37,)
    assert days_of_month(_parts(leap, (8,), Skip.FORWARD), REGULAR, 0) == ()
    assert days_of_month(_parts({9}, (8,), Skip.FORWARD), REGULAR, 0) == ()
