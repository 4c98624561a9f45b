"""The occurrence index: its entries, how far it reaches, and that its entries answer queries exactly."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.components import Property
from protocol.ical.document import parse_document
from protocol.ical.freebusy import busy_periods
from protocol.ical.index import INDEX_VERSION, index_document
from protocol.ical.recurrence import Budget
from protocol.ical.rendering.expand import expand
from protocol.ical.rendering.limits import limit_recurrence_set
from protocol.ical.time_range import range_matches
from protocol.model import FOREVER, BusyType, ComponentKind, IndexEntry, ObjectIndex, TimeRange
from protocol.tests.test_fuzz_ical import make_body
from testing.builders import calendar, component
from testing.cost import within
from testing.lengths import examples

DAY = 86400


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


HORIZON = at("2028-01-01")


def index(*components: str, cap: int = 1500, horizon: int = HORIZON) -> ObjectIndex:
    return index_document(parse_document(calendar(*components)).document, horizon=horizon, cap=cap)


def one(*lines: str, name: str = "VEVENT") -> str:
    return component(name, *lines, uid="1")


def test_one_event() -> None:
    found = index(one("DTSTART;TZID=Europe/Berlin:20240701T100000", "DURATION:PT1H"))
    start = at("2024-07-01T10:00", "Europe/Berlin")
    assert found == ObjectIndex(
        uid="1",
        component=ComponentKind.VEVENT,
        entries=(IndexEntry(start, start + 3600, False, BusyType.BUSY),),
        first_start=start,
        last_end=start + 3600,
        indexed_until=FOREVER,
        recurring=False,
        index_version=INDEX_VERSION,
        zones=("Europe/Berlin",),
    )


def test_a_journal_without_time_has_no_entries() -> None:
    found = index(one("SUMMARY:x", name="VJOURNAL"))
    assert found.entries == ()
    assert found.indexed_until == FOREVER
    assert found.last_end < found.first_start


def test_a_task_without_time_is_everywhere() -> None:
    found = index(one("SUMMARY:x", name="VTODO"))
    assert found.entries == (IndexEntry(-FOREVER, FOREVER),)
    assert (found.first_start, found.last_end) == (-FOREVER, FOREVER)


def test_overrides_without_a_master() -> None:
    found = index(
        one("RECURRENCE-ID:20240102T100000Z", "DTSTART:20240103T100000Z", "DURATION:PT1H"),
        one("RECURRENCE-ID:20240101T100000Z", "DTSTART:20240105T100000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"),
    )
    assert found.recurring
    assert [(entry.start, entry.busy) for entry in found.entries] == [
        (at("2024-01-03T10:00"), BusyType.BUSY),
        (at("2024-01-05T10:00"), BusyType.FREE),
    ]


def test_a_series_that_ends() -> None:
    found = index(one("DTSTART;TZID=Europe/Berlin:20240330T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"))
    starts = [at(f"2024-03-{day}T10:00", "Europe/Berlin") for day in (30, 31)]
    starts.append(at("2024-04-01T10:00", "Europe/Berlin"))
    assert [entry.start for entry in found.entries] == starts
    assert (found.first_start, found.last_end) == (starts[0], starts[-1] + 3600)
    assert found.indexed_until == FOREVER
    assert found.count_until == at("2024-04-01T10:00")
    assert found.zones == ("Europe/Berlin",)


def test_an_endless_series_goes_to_the_horizon() -> None:
    found = index(one("DTSTART:20240101T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
    assert len(found.entries) == (HORIZON - at("2024-01-01T10:00")) // (7 * DAY) + 1
    assert found.last_end == FOREVER
    assert HORIZON - 2 <= found.indexed_until <= HORIZON
    assert found.count_until is None


def test_the_cap_says_where_it_cut() -> None:
    found = index(one("DTSTART:20240101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), cap=10)
    assert len(found.entries) == 10
    assert found.indexed_until == at("2024-01-11T10:00") - 1
    floating = index(one("DTSTART:20240101T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY"), cap=10)
    assert floating.indexed_until == at("2024-01-10T10:00")
    assert all(entry.floating for entry in floating.entries)


def test_a_series_in_the_far_future_has_its_first_occurrences() -> None:
    found = index(one("DTSTART:20900101T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
    assert found.entries[0].start == at("2090-01-01T10:00")
    assert found.indexed_until > found.entries[0].end


def test_overrides_moved_and_cancelled() -> None:
    found = index(
        one("DTSTART:20240101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20240102T100000Z"),
        one("RECURRENCE-ID:20240103T100000Z", "DTSTART:20260103T120000Z", "DURATION:PT2H"),
        one("RECURRENCE-ID:20240104T100000Z", "DTSTART:20240104T100000Z", "DURATION:PT1H", "STATUS:CANCELLED"),
    )
    assert found.entries == (
        IndexEntry(at("2024-01-01T10:00"), at("2024-01-01T11:00"), False, BusyType.BUSY),
        IndexEntry(at("2024-01-04T10:00"), at("2024-01-04T11:00"), False, BusyType.FREE),
        IndexEntry(at("2026-01-03T12:00"), at("2026-01-03T14:00"), False, BusyType.BUSY),
    )


@pytest.mark.parametrize("rule", [(), ("RRULE:FREQ=DAILY;COUNT=0",), ("RDATE:never",)])
def test_an_override_takes_the_place_of_a_master_that_does_not_recur(rule: tuple[str, ...]) -> None:
    """RFC 5545 §3.8.4.4: it is the occurrence that the override describes, not another one."""
    master = one("DTSTART:20240101T100000Z", "DURATION:PT1H", *rule)
    parts = calendar(master, one("RECURRENCE-ID:20240101T100000Z", "DTSTART:20240105T100000Z", "DURATION:PT1H"))
    document = parse_document(parts).document
    found = index_document(document, horizon=HORIZON)
    moved = IndexEntry(at("2024-01-05T10:00"), at("2024-01-05T11:00"), False, BusyType.BUSY)
    assert (found.entries, found.recurring, found.indexed_until) == ((moved,), True, FOREVER)
    january = TimeRange(at("2024-01-01"), at("2024-02-01"))
    assert [item.entry for item in range_matches(document, january, None, Budget())] == [moved]
    assert [each[:2] for each in busy_periods(document, january, None, Budget())] == [moved[:2]]
    shown = expand(document, january, None, Budget())
    assert (shown.count("BEGIN:VEVENT"), shown.count("20240105T100000Z")) == (1, 1)
    first = TimeRange(at("2024-01-01"), at("2024-01-02"))
    assert len(limit_recurrence_set(document, first, None, Budget()).components) == 2


def test_ends_beyond_the_years_of_the_calendar_are_indexed() -> None:
    """RFC 4791 §9.9: an event of nominal days that ends after the year 9999 still meets the ranges before."""
    found = index(one("DTSTART;TZID=Europe/Berlin:99981231T100000", "DURATION:P3000000D"))
    start = at("9998-12-31T10:00", "Europe/Berlin")
    summer = start + 3_000_000 * DAY - 3600
    assert found.entries == (IndexEntry(start, summer, False, BusyType.BUSY),)


def test_recurring_tasks_and_journals() -> None:
    start = at("2024-01-01T10:00")
    task = index(one("DTSTART:20240101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2", name="VTODO"))
    assert [(entry.start - start, entry.end - start) for entry in task.entries] == [(0, 3601), (DAY, DAY + 3601)]
    day = at("2024-01-01")
    journal = index(one("DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=DAILY;COUNT=2", name="VJOURNAL"))
    assert journal.entries == (IndexEntry(day, day + DAY, True), IndexEntry(day + DAY, day + 2 * DAY, True))


def test_a_task_that_recurs_by_its_due() -> None:
    due = at("2024-01-01T10:00")
    found = index(one("DUE:20240101T100000Z", "RRULE:FREQ=DAILY;COUNT=2", name="VTODO"))
    assert found.entries == (IndexEntry(due - 1, due), IndexEntry(due + DAY - 1, due + DAY))
    assert index(one("RRULE:FREQ=DAILY;COUNT=2", name="VTODO")).entries == (IndexEntry(-FOREVER, FOREVER),)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;BYSECOND=0,1,2,3,4,5,6,7,8,9",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1000000",
        "FREQ=SECONDLY;INTERVAL=999",
        "FREQ=HOURLY;COUNT=100000000",
    ],
)
def test_dear_rules_are_stored(rule: str) -> None:
    ask = partial(index, one("DTSTART:20240101T100000Z", "DURATION:PT1H", f"RRULE:{rule}"))
    assert within(ask, 0.5)
    found = ask()
    assert len(found.entries) <= 1500
    assert found.indexed_until < FOREVER or len(found.entries) < 1500


def test_series_that_are_too_dear_are_indexed_as_far_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    series = one("DTSTART:20240101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    monkeypatch.setattr("protocol.ical.index._BUDGET", 1)
    near = index(series)
    assert len(near.entries) == 30
    assert near.indexed_until == at("2024-01-31T10:00") - 1
    assert near.last_end == FOREVER
    monkeypatch.setattr("protocol.ical.index._FALLBACK_WINDOW", (30 * DAY, 1))
    nothing = index(series)
    assert nothing.entries == ()
    assert nothing.indexed_until < nothing.first_start + 2 == at("2024-01-01T10:00") + 1


def test_views_with_unreadable_times_have_no_entries() -> None:
    document = parse_document(calendar(one("DTSTART:20240101T100000Z"))).document
    document.master.properties = [Property.make("DTSTART", "soon")]
    assert index_document(document, horizon=HORIZON).entries == ()


def test_an_unknown_calendar_scale_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        index(one("DTSTART:20240101T100000Z", "RRULE:RSCALE=KLINGON;FREQ=YEARLY"))
    assert caught.value.condition is Condition.SUPPORTED_RSCALE


_FREQUENCIES = st.sampled_from(["HOURLY;INTERVAL=7", "DAILY", "WEEKLY;BYDAY=MO,WE", "MONTHLY", "YEARLY"])


@examples(150)
@given(
    _FREQUENCIES,
    st.integers(min_value=0, max_value=3000),
    st.integers(min_value=1, max_value=40 * 24),
    st.sampled_from(["", ";COUNT=20", ";UNTIL=20250601T000000Z"]),
    st.integers(min_value=1, max_value=60),
)
def test_entries_answer_queries_before_their_end(frequency: str, day: int, hours: int, end: str, cap: int) -> None:
    start = at("2020-06-01T10:00")  # a Monday
    found = index(one("DTSTART:20200601T100000Z", f"DURATION:PT{hours}H", f"RRULE:FREQ={frequency}{end}"), cap=cap)
    a = start + day * DAY
    b = a + 7 * DAY
    if b > found.indexed_until:
        return
    rule = rrulestr(f"FREQ={frequency}{end}", dtstart=datetime(2020, 6, 1, 10, tzinfo=UTC))
    low, high = (datetime.fromtimestamp(x, UTC) for x in (a - hours * 3600, b))
    expected = sorted(int(x.timestamp()) for x in rule.between(low, high) if low < x < high)
    assert [entry.start for entry in found.entries if entry.start < b and entry.end > a] == expected


@examples(150)
@given(st.randoms(use_true_random=False))
def test_the_index_and_the_filter_agree(dice: Random) -> None:
    try:
        document = parse_document(make_body(dice)).document
        found = index_document(document, horizon=HORIZON, cap=60)
    except Refusal:
        return
    for _ in range(4):
        start = at("2024-01-01") + dice.randint(-40, 120) * DAY // 2 + dice.choice([-1, 0, 1])
        window = TimeRange(start, start + dice.choice([1, 3600, DAY, 7 * DAY, 60 * DAY]))
        if window.end > found.indexed_until:
            continue
        expected = sorted(item.entry for item in range_matches(document, window, None, Budget()))
        assert sorted(entry for entry in found.entries if window.overlaps(entry.start, entry.end)) == expected
