"""The rule engine against python-dateutil and against RFC 5545 read word for word, over random rules and windows.

The short form of the run in ``conformance_tests/long``; a difference found in either becomes a row of ``FOUND``.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from protocol.ical.rules import Budget, Series, parse_rule
from protocol.ical.values import wall_of, wall_seconds
from protocol.tests.oracles import dateutil_oracle, definition_oracle
from protocol.tests.oracles.rules import Case, random_case, random_window
from testing.lengths import shards

RULES = 2_000
WINDOWS = 10
SHARDS = 8


def series_of(case: Case) -> Series:
    rule = parse_rule(case.text)
    return Series(rule, wall_seconds(case.start), until=rule.until.wall if rule.until else None)


def in_window(series: Series, low: datetime, high: datetime) -> list[datetime]:
    budget = Budget(10_000_000)
    return [wall_of(start) for start in series.starts(wall_seconds(low), wall_seconds(high), budget)]


@pytest.mark.parametrize("shard", shards(SHARDS))
def test_windows_agree_with_dateutil(shard: int) -> None:
    compared = 0
    for number in range(RULES // SHARDS):
        rng = random.Random(f"dateutil {shard} {number}")
        case = random_case(rng)
        while not dateutil_oracle.applies(case):
            case = random_case(rng)
        try:
            expected = dateutil_oracle.starts(case)
        except ValueError:
            continue  # dateutil refuses rules that can never match
        series = series_of(case)
        if case.part("COUNT") and len(expected) < int(case.part("COUNT") or 0):
            continue  # the rule may never reach its COUNT; only the budget ends it
        for _ in range(WINDOWS):
            low, high = random_window(rng, case)
            assert in_window(series, low, high) == [each for each in expected if low <= each < high], (case, low, high)
            compared += 1
    assert compared > RULES // SHARDS * WINDOWS * 0.7


@pytest.mark.parametrize("shard", shards(4))
def test_windows_agree_with_the_definition(shard: int) -> None:
    for number in range(100):
        rng = random.Random(f"definition {shard} {number}")
        case = random_case(rng)
        case = Case(tuple(part for part in case.parts if part[0] != "COUNT"), case.start, case.horizon)
        series = series_of(case)
        for _ in range(3):
            low, high = random_window(rng, case)
            limit = timedelta(minutes=20) if case.freq in ("HOURLY", "MINUTELY", "SECONDLY") else timedelta(days=400)
            high = min(high, low + limit)
            assert in_window(series, low, high) == definition_oracle.starts(case, low, high), (case, low, high)


FOUND = [
    # week one of 2032 begins on 29 December 2031: a numbered day of the month before New Year
    ("FREQ=YEARLY;BYWEEKNO=-51,1;BYMONTHDAY=30", "20161120T194800", "20311008", "20320205"),
    # a set is a whole week, also in DTSTART's
    ("FREQ=WEEKLY;BYDAY=WE,SA,TU,TH;BYHOUR=14,18;BYSETPOS=1,4", "19701023T150012", "19701023", "19720922"),
]


@pytest.mark.parametrize(("rule", "start", "low", "high"), FOUND)
def test_differences_once_found(rule: str, start: str, low: str, high: str) -> None:
    parts = tuple((name, value) for name, _, value in (part.partition("=") for part in rule.split(";")))
    case = Case(parts, datetime.fromisoformat(start), timedelta(days=6000))
    window = datetime.fromisoformat(low), datetime.fromisoformat(high)
    found = in_window(series_of(case), *window)
    assert found == definition_oracle.starts(case, *window)
    assert found == [each for each in dateutil_oracle.starts(case) if window[0] <= each < window[1]]


def test_every_deliberate_difference_is_real() -> None:
    """A row of the table that no rule shows any more would be wrong."""
    shown: set[str] = set()
    for text, start in (
        ("FREQ=MONTHLY;BYMONTHDAY=13", "20260101T090000"),
        ("FREQ=YEARLY;BYWEEKNO=20", "20260513T090000"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO,TU,WE,TH,FR,SA,SU;INTERVAL=2", "20250101T090000"),
        ("FREQ=YEARLY;BYWEEKNO=52;BYDAY=SA", "20091226T090000"),
        ("FREQ=YEARLY;BYWEEKNO=-53;BYDAY=TU", "20000502T090000"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "20260107T090000"),
    ):
        parts = tuple((name, value) for name, _, value in (part.partition("=") for part in text.split(";")))
        case = Case(parts, datetime.fromisoformat(start), timedelta(days=2000))
        plain = dateutil_oracle.plain(case)
        ours = in_window(series_of(case), case.start, case.start + case.horizon)
        assert ours != plain
        assert ours == definition_oracle.starts(case, case.start, case.start + case.horizon)
        shown |= dateutil_oracle.differences(case)
    assert shown == set(dateutil_oracle.DIFFERENCES)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYWEEKNO=1,20,53",
        "FREQ=MONTHLY;BYWEEKNO=-1,-20,2;BYMONTHDAY=1,2,3,30,31",
        "FREQ=MONTHLY;BYYEARDAY=1,60,-1,-100",
        "FREQ=MONTHLY;BYDAY=1MO,-1FR;BYMONTHDAY=1,2,3,4,28,29,30,31",
        "FREQ=WEEKLY;BYWEEKNO=1,10,52,53;BYDAY=MO,TU,WE,TH,FR,SA,SU",
        "FREQ=WEEKLY;BYWEEKNO=-1;BYDAY=MO,SU;WKST=SU",
        "FREQ=WEEKLY;BYMONTHDAY=1,2,3",
        "FREQ=WEEKLY;BYYEARDAY=10,20,30;BYSETPOS=1",
        "FREQ=DAILY;BYWEEKNO=1,53;WKST=SA",
        "FREQ=DAILY;BYWEEKNO=52,-52",
        "FREQ=DAILY;BYYEARDAY=-366,-1,1,366",
        "FREQ=YEARLY;BYWEEKNO=1,53;BYYEARDAY=1,2,3,364,365,366,-1,-2",
        "FREQ=YEARLY;BYWEEKNO=1,52;BYYEARDAY=-1,-365,1;BYMONTH=1,12",
        "FREQ=YEARLY;BYWEEKNO=1,53;BYMONTH=12",
        "FREQ=YEARLY;BYWEEKNO=1,2;BYMONTH=1;BYMONTHDAY=1,2,31;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=YEARLY;BYDAY=1MO,-53SU,53MO",
        "FREQ=YEARLY;BYMONTHDAY=13;BYDAY=1FR,2FR",
        "FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1,53;BYDAY=MO,SU;BYSETPOS=1,-1",
        "FREQ=SECONDLY;INTERVAL=100000;BYHOUR=3,4,5,6,7,8,9;BYDAY=MO,TU",
        "FREQ=MINUTELY;INTERVAL=1441;BYMINUTE=0,1,2,3,4,5;BYMONTH=1,2",
        "FREQ=SECONDLY;INTERVAL=86401;BYSECOND=1,2,3,4,5,6",
    ],
)
def test_parts_where_the_rfc_has_no_place_for_them(rule: str) -> None:
    """A part that its FREQ does not allow limits (RFC 5545 §3.3.10, the table's N/A), like every part beside it."""
    parts = tuple((name, value) for name, _, value in (part.partition("=") for part in rule.split(";")))
    case = Case(parts, datetime.fromisoformat("20191230T030000"), timedelta(days=6000))
    series = series_of(case)
    step = case.freq in ("SECONDLY", "MINUTELY")
    low = case.start
    while low < case.start + (timedelta(days=20) if step else case.horizon):
        high = low + (timedelta(hours=6) if step else timedelta(days=500))
        assert in_window(series, low, high) == definition_oracle.starts(case, low, high), (low, high)
        low += timedelta(days=5) if step else timedelta(days=470)
