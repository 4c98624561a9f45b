"""What an expansion may cost: any rule, any window, an answer or a named refusal within 50 ms of CPU and 20 MiB."""

from __future__ import annotations

import gc
import time
import tracemalloc
from datetime import UTC, datetime

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.document import parse_document
from protocol.ical.recurrence import Budget, count_until, occurrences, span
from protocol.model import FOREVER, TimeRange

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
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:cost\r\nDTSTAMP:20200101T000000Z\r\n"
        f"DTSTART;TZID=Europe/Berlin:{start}\r\nDURATION:PT1H\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return parse_document(text.encode()).document


def _expand(document, window: TimeRange) -> None:
    try:
        occurrences(document, window)
    except Refusal as refusal:
        assert refusal.condition is Condition.MAX_INSTANCES


def _cpu(document, window: TimeRange, times: int = 1, *, enough: float = 0.0) -> float:
    """The quickest of a few runs, in seconds of CPU: what else the machine does is not the rule's fault.

    Once a run needs less than ``enough``, no other follows; until then there are more of them.
    """
    quickest = float("inf")
    for _ in range(12 if enough else 5):
        begin = time.process_time()
        for _ in range(times):
            _expand(document, window)
        quickest = min(quickest, (time.process_time() - begin) / times)
        if quickest < enough:
            break
    return quickest


@pytest.mark.parametrize("rule", PATHOLOGICAL)
def test_any_rule_and_any_window_ends_soon(rule: str) -> None:
    _expand(event("FREQ=DAILY"), WINDOWS["everything"])  # the zone's own transitions, once per process
    for name, window in WINDOWS.items():
        assert _cpu(event(rule), window, enough=0.05) < 0.05, name
        tracemalloc.start()
        try:
            _expand(event(rule), window)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20 << 20, name


@pytest.mark.parametrize("rule", PATHOLOGICAL)
def test_spans_and_counts_end_soon(rule: str) -> None:
    begin = time.process_time()
    document = event(rule)
    first, last = span(document)
    resolved = count_until(document)
    assert time.process_time() - begin < 0.1
    assert first == seconds("20200101T080000")
    assert last == FOREVER or last >= first
    assert resolved is None or "COUNT" in rule


@pytest.mark.parametrize("rule", COMMON)
def test_a_week_costs_the_same_at_any_distance(rule: str) -> None:
    document = event(rule, "19970901T100000")
    weeks = [TimeRange(seconds(f"{year}0907"), seconds(f"{year}0914")) for year in (1998, 2007, 2033, 2057)]
    for week in weeks:
        _expand(document, week)
    gc.collect()
    costs = [_cpu(document, week, 200) for week in weeks]
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
    begin = time.process_time()
    assert occurrences(document, window, count_until=resolved, budget=Budget(200)) == []
    assert time.process_time() - begin < 0.005


def test_a_shared_budget_bounds_a_whole_request() -> None:
    budget = Budget(1000)
    year = WINDOWS["a year"]
    occurrences(event("FREQ=DAILY"), year, budget=budget)
    occurrences(event("FREQ=DAILY"), year, budget=budget)
    with pytest.raises(Refusal) as refused:
        occurrences(event("FREQ=DAILY"), year, budget=budget)
    assert refused.value.condition is Condition.MAX_INSTANCES
