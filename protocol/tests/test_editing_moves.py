"""Moves of whole series, and edits that only look like moves; every case once failed."""

from __future__ import annotations

import time

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.editing import change_all, change_following, find_occurrence
from protocol.ical.periods import utc_text
from protocol.tests.editing_cases import NOW, edit, event, from_then_on, nth, override, shown
from testing.builders import calendar, component
from testing.values import at, between, document

FAR = between("20200101T000000Z", "20360101T000000Z")


def moved_to(data: bytes, *raw: str) -> list[tuple[str, str, str | None]]:
    """The occurrences after all of a series gets these lines."""
    return shown(change_all(document(data), edit(*raw), now=NOW), FAR)


@pytest.mark.parametrize(
    ("start", "rule", "seconds"),
    [
        # Equal starts over one period do not prove equal rules.
        ("20260601T000000Z", "FREQ=DAILY;BYMONTH=6,7,8,9;COUNT=200", 86400),
        ("20260302T000000Z", "FREQ=HOURLY;BYDAY=MO,TU,WE,TH,FR;COUNT=130", 3600),
        ("20260302T090000Z", "FREQ=MINUTELY;INTERVAL=5;BYHOUR=9,10,11,12,13,14,15,16,17;COUNT=216", 600),
        # Starts that are too far apart to be found at once are still starts.
        ("20260302T090000Z", "FREQ=MINUTELY;INTERVAL=1439;BYHOUR=9;BYMINUTE=0;COUNT=2", 3600),
        # A rule that names more than one day of a month, or times on both sides of midnight.
        ("20260331T000000Z", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1,31;COUNT=5", 86400),
        ("20260130T000000Z", "FREQ=YEARLY;BYMONTH=1;BYDAY=MO,FR;COUNT=5", 3 * 86400),
        ("20240131T000000Z", "FREQ=YEARLY;BYMONTH=1;BYDAY=SA,TU,WE;COUNT=5", -7 * 86400),
        ("20260301T000000Z", "FREQ=DAILY;BYMONTH=3;COUNT=31", 86400),
        ("20240301T090000Z", "FREQ=MONTHLY;BYHOUR=5,9;COUNT=5", 39 * 3600),
    ],
)
def test_every_start_moves_as_far(start: str, rule: str, seconds: int) -> None:
    data = event(f"DTSTART:{start}", "DURATION:PT1H", f"RRULE:{rule}", "SUMMARY:a")
    to = utc_text(at(start) + seconds)
    assert [at(first) for first, _, _ in moved_to(data, f"DTSTART:{to}")] == [
        at(first) + seconds for first, _, _ in shown(data, FAR)
    ]


def test_a_sparse_rule_names_its_new_day() -> None:
    data = event("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=MONTHLY;INTERVAL=11;BYMONTH=2;BYMONTHDAY=29;COUNT=3")
    changed = change_all(document(data), edit("DTSTART;VALUE=DATE:20240301"), now=NOW)
    assert document(changed).master.value("RRULE") == "FREQ=MONTHLY;INTERVAL=11;BYMONTH=3;BYMONTHDAY=1;COUNT=3"


def test_exceptions_of_two_months_do_not_meet() -> None:
    """The 1st becomes the 31st: April has none, and its exception must not move to March."""
    x, y = (
        override(f"RECURRENCE-ID:{day}T090000Z", f"DTSTART:{day}T120000Z", f"SUMMARY:{title}")
        for day, title in (("20260301", "x"), ("20260401", "y"))
    )
    lines = ("DTSTART:20260101T090000Z", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1;COUNT=7", "SUMMARY:a")
    titles = [title for _, _, title in moved_to(event(*lines, more=(x, y)), "DTSTART:20260131T090000Z")]
    assert sorted(titles) == ["a"] * 6 + ["x", "y"]
    deleted = [first for first, *_ in moved_to(event(*lines, "EXDATE:20260401T090000Z"), "DTSTART:20260131T090000Z")]
    assert "20260331T090000Z" in deleted


@pytest.mark.parametrize("until", ["99991231T235959Z", "99991231"])
def test_an_end_at_the_end_of_all_years_stays(until: str) -> None:
    data = event("DTSTART:20260302T100000Z", f"RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL={until}", "SUMMARY:a")
    changed = change_all(document(data), edit("DTSTART:20260303T100000Z"), now=NOW)
    assert document(changed).master.value("RRULE") == "FREQ=WEEKLY;BYDAY=TU;UNTIL=99991231T235959Z"


@pytest.mark.parametrize(
    ("lines", "new"),
    [
        (("EXDATE:99991231T235959Z",), "20260303T100000Z"),
        (("EXDATE;VALUE=DATE:99991231",), "20260303T100000Z"),
        (("EXDATE:20260309T100000Z",), "99991231T235900Z"),
    ],
)
def test_a_time_beyond_all_years_is_refused(lines: tuple[str, ...], new: str) -> None:
    data = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", *lines)
    with pytest.raises(Refusal) as refused:
        change_all(document(data), edit(f"DTSTART:{new}"), now=NOW)
    assert refused.value.condition is Condition.MAX_DATE_TIME


def test_the_last_month_of_all_years_has_its_place() -> None:
    """Its occurrence moves by the month, and a move beyond the year 9999 is refused."""
    data = event("DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31", "EXDATE;VALUE=DATE:99991231")
    changed = change_all(document(data), edit("DTSTART;VALUE=DATE:20260130"), now=NOW)
    assert b"EXDATE;VALUE=DATE:99991230\r\n" in changed
    with pytest.raises(Refusal) as refused:
        change_all(document(data), edit("DTSTART;VALUE=DATE:20260201"), now=NOW)
    assert refused.value.condition is Condition.MAX_DATE_TIME


def test_periods_keep_their_lengths() -> None:
    """RFC 5545 §3.3.9, §3.8.5.2: also for a start that becomes a date, and over a night when the clocks change."""
    on_rule = event("DTSTART:20260301T100000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,31;COUNT=4",
                    "RDATE;VALUE=PERIOD:20260331T100000Z/PT3H", "SUMMARY:a")  # fmt: skip
    assert ("20260401T100000Z", "20260401T130000Z", "a") in moved_to(on_rule, "DTSTART:20260302T100000Z")
    zoned = "TZID=Europe/Berlin"
    for period, to in (
        ("20261024T220000Z/20261025T013000Z", "101500"),
        ("20261024T220000Z/20261025T013000Z", "103000"),
        ("20260328T220000Z/20260329T020000Z", "110000"),
    ):
        data = event(f"DTSTART;{zoned}:20260302T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2", "SUMMARY:a",
                     f"RDATE;VALUE=PERIOD:{period}")  # fmt: skip
        lengths = [at(end) - at(start) for start, end, _ in shown(data)]
        moved = moved_to(data, f"DTSTART;{zoned}:20260302T{to}")
        assert [at(end) - at(start) for start, end, _ in moved] == lengths


def test_whole_days_have_whole_lengths() -> None:
    """RFC 5545 §3.6.1, §3.8.5.2: a PERIOD is not a DATE, and a day ends after it begins."""
    data = event(
        "DTSTART:20260302T100000Z", "DTEND:20260302T110000Z", "RRULE:FREQ=WEEKLY;COUNT=2", "SUMMARY:a",
        "RDATE;VALUE=PERIOD:20260304T100000Z/PT3H,20260305T100000Z/20260305T120000Z",
        more=(override("RECURRENCE-ID:20260309T100000Z", "DTSTART:20260309T100000Z", "DTEND:20260309T130000Z"),),
    )  # fmt: skip
    moved = moved_to(data, "DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260303")
    assert [(start[:8], end[:8]) for start, end, _ in moved] == [
        ("20260302", "20260303"), ("20260304", "20260305"), ("20260305", "20260306"), ("20260309", "20260310")
    ]  # fmt: skip
    hourly = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")
    with pytest.raises(Refusal) as refused:
        change_all(document(hourly), edit("DTSTART;VALUE=DATE:20260302"), now=NOW)
    assert refused.value.condition is Condition.VALID_CALENDAR_DATA


def test_a_rule_left_alone_by_one_that_became_dates_keeps_its_number() -> None:
    """RFC 5545 §3.3.10: the COUNT of an only rule counts DTSTART too."""
    data = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "SUMMARY:a", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4",
                 "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,31;COUNT=3")  # fmt: skip
    moved = [at(start) for start, *_ in moved_to(data, "DTSTART:20260303T100000Z")]
    assert moved == [at(start) + 86400 for start, *_ in shown(data)]


def test_a_split_shows_what_a_this_and_future_change_shows_whatever_excludes_it() -> None:
    data = event(
        "DTSTART:20260302T100000Z", "RRULE:FREQ=DAILY;COUNT=6", "EXRULE:FREQ=WEEKLY;BYDAY=WE", "SUMMARY:a",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20260304T100000Z", "DTSTART:20260304T100000Z"),
    )  # fmt: skip
    whole = shown(data)
    assert len(whole) == 6
    for number in range(len(whole)):
        split = change_following(document(data), nth(data, number), edit(), uid="v", now=NOW)
        assert shown(split.before) + shown(split.after) == whole


def test_a_split_of_a_season_that_an_earlier_change_moved() -> None:
    data = event(
        "DTSTART;VALUE=DATE:20260601", "RRULE:FREQ=DAILY;BYMONTH=6,7,8,9;COUNT=200", "SUMMARY:a",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260603", "DTSTART;VALUE=DATE:20260604"),
    )  # fmt: skip
    split = change_following(document(data), nth(data, 4), edit(), uid="v", now=NOW)
    assert shown(split.before) + shown(split.after) == shown(data)


def test_tasks_with_a_due_alone_move_by_it() -> None:
    """RFC 5545 §3.6.2: such a task has no DTSTART, and DUE identifies its occurrences."""
    data = calendar(
        component("VTODO", "UID:u", "DUE:20260302T100000Z", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260304T100000Z",
                  "SUMMARY:a"),
        component("VTODO", "UID:u", "RECURRENCE-ID:20260303T100000Z", "DUE:20260303T150000Z", "SUMMARY:own"),
    )  # fmt: skip
    assert [(start, title) for start, _, title in moved_to(data, "DUE:20260302T110000Z")] == [
        ("20260302T110000Z", "a"), ("20260303T150000Z", "own"), ("20260305T110000Z", "a")
    ]  # fmt: skip
    found = find_occurrence(document(data), "20260303T100000Z")
    assert found is not None
    assert found.component.value("SUMMARY") == "own"


def test_an_edit_that_brings_its_rule_is_not_refused_for_an_exclusion() -> None:
    data = event("DTSTART:20260302T100000Z", "RRULE:FREQ=DAILY", "EXRULE:FREQ=MONTHLY;BYMONTHDAY=5,31", "SUMMARY:a")
    moved = moved_to(data, "DTSTART:20260303T100000Z", "RRULE:FREQ=DAILY;COUNT=4")
    assert [start[:8] for start, *_ in moved] == ["20260303", "20260304", "20260305"]


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;INTERVAL=11;BYMONTHDAY=13;BYDAY=FR;BYMONTH=3", "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=5"]
)
def test_many_rules_cost_no_more_than_a_refusal(rule: str) -> None:
    data = event("DTSTART:20260313T100000Z", *[f"RRULE:{rule}"] * 150)
    begin = time.process_time()
    with pytest.raises(Refusal) as refused:
        change_all(document(data), edit("DTSTART:20260314T100000Z"), now=NOW)
    assert time.process_time() - begin < 2
    assert refused.value.condition is Condition.MAX_INSTANCES
