"""The cost of an expansion: any rule and window gives an answer or a named refusal within 50 ms of CPU and 20 MiB."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.availability import availabilities
from protocol.ical.document import Document, parse_document
from protocol.ical.index import index_document
from protocol.ical.recurrence import Budget, count_until, occurrences, span
from protocol.ical.scanner import Limits
from protocol.ical.timezones import definitions
from protocol.model import FOREVER, TimeRange
from testing.builders import calendar, component
from testing.cost import within

ALL_HOURS, ALL_MINUTES = ",".join(map(str, range(24))), ",".join(map(str, range(60)))

PATHOLOGICAL = [
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20270101T000000Z",
    "FREQ=SECONDLY",
    "FREQ=MINUTELY",
    "FREQ=SECONDLY;COUNT=99999999",
    "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
    "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
    "FREQ=SECONDLY;INTERVAL=7;BYSECOND=0,2,4,6,8;BYMINUTE=1,3,5,7;BYHOUR=3",
    "FREQ=SECONDLY;COUNT=100000;BYHOUR=9",
    "FREQ=SECONDLY;INTERVAL=86401;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3",
    "FREQ=HOURLY;INTERVAL=1001;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3",
    "FREQ=DAILY;COUNT=99999999;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=DAILY;INTERVAL=146097;BYMONTH=2",
    "FREQ=DAILY;INTERVAL=999999999;COUNT=999999999",
    f"FREQ=DAILY;BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES};BYSECOND={ALL_MINUTES}",
    f"FREQ=WEEKLY;BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES};BYSECOND={ALL_MINUTES};BYSETPOS=-1",
    f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES};BYSETPOS=1,-1,5,-366",
    "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYMONTHDAY=29;BYSETPOS=2;COUNT=3",
    "FREQ=WEEKLY;BYSETPOS=300",
    "FREQ=SECONDLY;BYSETPOS=2;COUNT=10",
    "FREQ=MONTHLY;INTERVAL=13;BYDAY=5MO;BYMONTHDAY=1",
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
    "FREQ=YEARLY;INTERVAL=1000;BYYEARDAY=366;BYDAY=MO",
    "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;SKIP=FORWARD;BYDAY=MO,TU;COUNT=99999",
    "FREQ=HOURLY;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYSECOND=0,10,20,30,40,50;BYDAY=SA",
]

COMMON = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU",
    "FREQ=WEEKLY;UNTIL=20991231T235959Z",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
]


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


WINDOWS = {
    "a week": TimeRange(seconds("20260301"), seconds("20260308")),
    "a week of 2090": TimeRange(seconds("20900301"), seconds("20900308")),
    "a year": TimeRange(seconds("20260101"), seconds("20270101")),
    "without end": TimeRange(seconds("20260301"), None),
    "everything": TimeRange(None, None),
}


def event(rule: str, start: str = "20200101T090000") -> object:
    lines = (f"DTSTART;TZID=Europe/Berlin:{start}", "DURATION:PT1H", f"RRULE:{rule}")
    return parse_document(calendar(component("VEVENT", *lines, uid="cost"))).document


FULL = f"BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES};BYSECOND={ALL_MINUTES}"
ORDINALS = ",".join(f"{number}{day}" for number in range(1, 54) for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"))


def times(count: int, step: int = 3600, more: str = "Z") -> str:
    begin = datetime(2024, 1, 1, 10, tzinfo=UTC)
    return ",".join(f"{begin + timedelta(seconds=number * step):%Y%m%dT%H%M%S}{more}" for number in range(count))


def overrides(count: int, params: str = "") -> list[str]:
    return [f"|RECURRENCE-ID{params}:{each}|DTSTART:{each}|DURATION:PT2H" for each in times(count, 86_400).split(",")]


def zone(*lines: str) -> str:
    """A VTIMEZONE with an observance for each line."""
    offsets = "TZOFFSETFROM:+0{0}07|TZOFFSETTO:+0{1}13"
    parts = []
    for number, line in enumerate(lines):
        start = f"DTSTART:1970{1 + number % 12:02}01T{number % 24:02}{number % 60:02}00"
        parts += ["BEGIN:STANDARD", start, offsets.format(number % 10, (number + 1) % 10), line, "END:STANDARD"]
    return component("VTIMEZONE", "TZID:Own", *"|".join(parts).split("|"))


OBJECTS = {
    "100 rules of every second": [f"RRULE:FREQ=DAILY;INTERVAL={n};COUNT=1;{FULL}" for n in range(1, 101)],
    "20 rules of every second": [f"RRULE:FREQ=DAILY;INTERVAL={n};COUNT=1;{FULL}" for n in range(1, 21)],
    "20 such, counted by months": [f"RRULE:FREQ=MONTHLY;INTERVAL={n};COUNT=99999;{FULL}" for n in range(1, 21)],
    "20 such, by weeks": [f"RRULE:FREQ=WEEKLY;INTERVAL={n};COUNT=604801;BYDAY=MO,SU;{FULL}" for n in range(1, 21)],
    "20 such of an hour": [f"RRULE:FREQ=HOURLY;INTERVAL={n};COUNT=99999;{FULL}" for n in range(1, 21)],
    "30 such exclusions": ["RRULE:FREQ=DAILY", *(f"EXRULE:FREQ=DAILY;INTERVAL={n};{FULL}" for n in range(1, 31))],
    "every place of a set": [f"RRULE:FREQ=WEEKLY;{FULL};BYSETPOS={','.join(map(str, range(1, 367)))}"],
    "ordinals": [f"RRULE:FREQ=MONTHLY;INTERVAL={n};BYDAY={ORDINALS}" for n in range(1, 20)],
    "1,000 dates and 300 exclusions": [
        f"RDATE:{times(1000, 7 * 3600)}",
        *(f"EXRULE:FREQ=DAILY;INTERVAL={n}" for n in range(1, 301)),
    ],
    "300 rules": [f"RRULE:FREQ=YEARLY;INTERVAL={n}" for n in range(1000, 1300)],
    "9,000 rules": [f"RRULE:FREQ=YEARLY;INTERVAL={n}" for n in range(1000, 10_000)],
    "50,000 dates": [f"RDATE:{times(50_000)}"],
    "8,000 dates": [f"RDATE:{times(8_000)}"],
    "3,500 periods": ["RDATE;VALUE=PERIOD:" + times(3_500, more="Z/PT1H")],
    "50,000 exceptions": ["RRULE:FREQ=DAILY", f"EXDATE:{times(50_000)}"],
    "6,000 lines of exceptions": ["RRULE:FREQ=DAILY", *(f"EXDATE:{each}" for each in times(6_000).split(","))],
    "9,000 overrides": ["RRULE:FREQ=DAILY", *overrides(9_000)],
    "3,600 overrides of all that follows": ["RRULE:FREQ=DAILY", *overrides(3_600, ";RANGE=THISANDFUTURE")],
    "a rule of a megabyte": ["RRULE:FREQ=DAILY;BYMINUTE=" + "0," * 400_000],
    "200 observances of every second": [
        zone(*(f"RRULE:FREQ=YEARLY;COUNT=1;INTERVAL={n + 1};{FULL}" for n in range(200))),
        "RRULE:FREQ=DAILY",
    ],
    "400 observances of ordinals": [
        zone(*(f"RRULE:FREQ=YEARLY;INTERVAL={n + 200};BYDAY={ORDINALS}" for n in range(400))),
        "RRULE:FREQ=DAILY",
    ],
    "an observance of 3,000 rules": [
        zone("|".join(f"RRULE:FREQ=YEARLY;INTERVAL={n}" for n in range(200, 3200))),
        "RRULE:FREQ=DAILY",
    ],
    "observances of 20,000 dates": [zone(*[f"RDATE:{times(20_000, more='')}"] * 2), "RRULE:FREQ=DAILY"],
}
"""Expensive as a whole, although no single line is."""

HONEST = {
    "5,000 dates": [f"RDATE:{times(5_000)}"],
    "5,000 dates and an exclusion": [f"RDATE:{times(5_000, 86_400)}", "EXRULE:FREQ=WEEKLY;BYDAY=SU"],
    "5,000 exceptions": ["RRULE:FREQ=HOURLY;INTERVAL=4", f"EXDATE:{times(5_000, 8 * 3600)}"],
    "ten years of overrides": ["RRULE:FREQ=DAILY", *overrides(3_650)],
    "25 rules": [f"RRULE:FREQ=WEEKLY;INTERVAL={n};BYDAY=MO,WE" for n in range(1, 26)],
}
"""Large, but people have such calendars: these must be answered."""


LARGE = Limits(components=10_000)
"""An administrator may allow more than the default."""


def object_of(lines: list[str]) -> Document:
    """A document of an event: a line that opens with ``|`` is an override of it, a VTIMEZONE stands apart."""
    own = [line for line in lines if line.startswith("BEGIN:VTIMEZONE")]
    rest = [line for line in lines if line not in own]
    start = "DTSTART;TZID=Own:20240101T100000" if own else "DTSTART:20240101T100000Z"
    ruled = [line for line in rest if line[0] != "|"]
    parts = [component("VEVENT", start, "DURATION:PT1H", *ruled, uid="cost")]
    parts += [component("VEVENT", *line[1:].split("|"), uid="cost") for line in rest if line[0] == "|"]
    return parse_document(calendar(*own, *parts), limits=LARGE).document


def _forget(document: Document) -> None:
    """As when a request has just read it."""
    document.cache.clear()
    definitions._zone_of_text.cache_clear()


def _peak(document: Document, window: TimeRange) -> int:
    tracemalloc.start()
    try:
        _expand(document, window)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _expand(document, window: TimeRange) -> None:
    try:
        occurrences(document, window)
    except Refusal as refusal:
        assert refusal.condition is Condition.MAX_INSTANCES


def _cpu(document: Document, window: TimeRange, times: int) -> float:
    """The mean of a few runs, in seconds of CPU."""
    begin = time.process_time()
    for _ in range(times):
        _expand(document, window)
    return (time.process_time() - begin) / times


SHORT = ("a week of 2090", "everything")
"""The windows that ask most of a series: far from its start, and all of it."""
FORMS = pytest.mark.parametrize(
    "windows", [pytest.param(SHORT, id="two windows"), pytest.param(tuple(WINDOWS), id="all", marks=pytest.mark.long)]
)


@pytest.mark.slow
@FORMS
@pytest.mark.parametrize("rule", PATHOLOGICAL)
def test_any_rule_and_any_window_ends_soon(rule: str, windows: Sequence[str]) -> None:
    _expand(event("FREQ=DAILY"), WINDOWS["everything"])  # the zone's own transitions, once per process
    for name in windows:
        document, window = event(rule), WINDOWS[name]
        assert within(partial(_expand, document, window), 0.05), name
    for name in windows[-1:] if windows is SHORT else windows:
        assert _peak(event(rule), WINDOWS[name]) < 20 << 20, name


@pytest.mark.slow
@FORMS
@pytest.mark.parametrize("lines", [*OBJECTS.values(), *HONEST.values()], ids=[*OBJECTS, *HONEST])
def test_any_object_and_any_window_ends_soon(lines: list[str], windows: Sequence[str]) -> None:
    document = object_of(lines)
    for name in windows:
        assert within(partial(_expand, document, WINDOWS[name]), 0.05, partial(_forget, document)), name
        if name == windows[-1] or windows is not SHORT:
            _forget(document)
            assert _peak(document, WINDOWS[name]) < 20 << 20, name


@pytest.mark.parametrize("lines", HONEST.values(), ids=HONEST)
def test_large_but_honest_objects_are_answered(lines: list[str]) -> None:
    document = object_of(lines)
    span(document)
    for name in ("a week", "a year"):
        _forget(document)
        occurrences(document, WINDOWS[name])
    index = index_document(document, horizon=seconds("20270101"))
    assert len(index.entries) > 300
    assert index.indexed_until > seconds("20240301")


def test_many_dates_are_compared_with_an_exclusion_once() -> None:
    document = object_of([f"RDATE:{times(1_000, 86_400)},20991231T100000Z", "EXRULE:FREQ=WEEKLY"])
    budget = Budget(4_000)
    found = occurrences(document, WINDOWS["everything"], budget=budget)
    # DTSTART is a Monday, and so is every seventh date; the last one, years later, is a Thursday.
    assert len(found) == 1_000 - 143 + 1
    assert found[-1].start == seconds("20991231T100000")


def test_many_available_hours_share_one_budget() -> None:
    rule = f"RRULE:FREQ=DAILY;COUNT=9;{FULL}"
    hours = ("DTSTART:20240101T100000Z", "DURATION:PT1H", rule)
    available = [component("AVAILABLE", f"UID:{number}", *hours) for number in range(2_000)]
    data = calendar(component("VAVAILABILITY", "UID:a", "DTSTART:20240101T000000Z", *available))
    root = parse_document(data).document.calendar

    def ask() -> None:
        with pytest.raises(Refusal) as refused:
            availabilities(root, TimeRange(seconds("20240201"), seconds("20240202")), None, Budget())
        assert refused.value.condition is Condition.MAX_INSTANCES

    assert within(ask, 0.05)


@pytest.mark.parametrize("rule", PATHOLOGICAL)
def test_spans_and_counts_end_soon(rule: str) -> None:
    def ask() -> tuple[int, int, int | None]:
        document = event(rule)
        return *span(document), count_until(document)

    assert within(ask, 0.1)
    first, last, resolved = ask()
    assert first == seconds("20200101T080000")
    assert last == FOREVER or last >= first
    assert resolved is None or "COUNT" in rule


@pytest.mark.slow
@pytest.mark.parametrize("rule", COMMON)
def test_a_week_costs_the_same_at_any_distance(rule: str) -> None:
    document = event(rule, "19970901T100000")
    weeks = [TimeRange(seconds(f"{year}0907"), seconds(f"{year}0914")) for year in (1998, 2007, 2033, 2057)]
    for week in weeks:
        _expand(document, week)
    gc.collect()
    # In turns, the quickest of each: a machine may be twice as fast in one second as in the next.
    turns = [[_cpu(document, week, 20) for week in weeks] for _ in range(10)]
    costs = list(map(min, zip(*turns, strict=True)))
    sizes = [len(occurrences(document, week)) for week in weeks]
    assert max(costs) < 100e-6
    # The same number of occurrences, the same cost; a few more may cost their own making.
    assert max(costs) < 2 * min(costs) + 1e-6 * (max(sizes) - min(sizes))


def test_a_resolved_count_makes_far_windows_free() -> None:
    rule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;COUNT=5000"
    resolved = count_until(event(rule, "19970901T100000"))
    assert resolved is not None
    window = TimeRange(seconds("20900907"), seconds("20900914"))
    document = event(rule, "19970901T100000")

    def ask() -> None:
        assert occurrences(document, window, count_until=resolved, budget=Budget(200)) == []

    assert within(ask, 0.005)


def test_a_shared_budget_bounds_a_whole_request() -> None:
    budget = Budget(1000)
    year = WINDOWS["a year"]
    occurrences(event("FREQ=DAILY"), year, budget=budget)
    occurrences(event("FREQ=DAILY"), year, budget=budget)
    with pytest.raises(Refusal) as refused:
        occurrences(event("FREQ=DAILY"), year, budget=budget)
    assert refused.value.condition is Condition.MAX_INSTANCES
