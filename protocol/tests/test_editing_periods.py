"""Edits of series with PERIODs, which have their own lengths (RFC 5545 §3.8.5.2)."""

from __future__ import annotations

import pytest

from protocol.ical.editing import change_following, change_occurrence
from protocol.ical.recurrence import occurrences
from protocol.tests.editing_cases import LONG, NOW, edit, event, from_then_on, nth, shown, without_and_with_a_title
from testing.builders import calendar, component
from testing.values import at, document

PERIOD_BEHIND = event(
    "DTSTART:20260101T100000Z", "DTEND:20260101T110000Z", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=5", "SUMMARY:a",
    "RDATE;VALUE=PERIOD:20260104T100000Z/PT5H",
    more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z", "DTSTART:20260103T120000Z",
                      "DTEND:20260103T130000Z"),
)  # fmt: skip


def test_this_and_future_does_not_go_on_with_the_length_of_a_period() -> None:
    """RFC 5545 §3.8.5.2: a PERIOD gives the length of its own occurrence."""
    hours = [(at(end) - at(start)) // 3600 for start, end, _ in shown(PERIOD_BEHIND)]
    assert hours == [1, 1, 5, 1, 1, 1]
    for data in without_and_with_a_title(PERIOD_BEHIND, 1):
        assert sum(b"THISANDFUTURE" in raw for raw in data.split(b"\r\n")) == 1
    without_and_with_a_title(PERIOD_BEHIND, 2)
    only_periods = event(
        "DTSTART:20260101T100000Z", "DURATION:PT1H", "SUMMARY:a",
        "RDATE;VALUE=PERIOD:20260104T100000Z/PT5H,20260105T100000Z/PT1H",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20260101T100000Z", "DTSTART:20260101T120000Z",
                          "DURATION:PT2H"),
    )  # fmt: skip
    without_and_with_a_title(only_periods, 0)


def test_this_and_future_goes_on_behind_many_long_occurrences() -> None:
    """An occurrence that still lasts when the chosen one begins does not follow it."""
    data = event(
        "DTSTART:20260101T000000Z", "DURATION:P5D", "RRULE:FREQ=HOURLY;COUNT=150", "SUMMARY:a",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20260105T000000Z", "DTSTART:20260105T003000Z",
                          "DURATION:PT1H"),
    )  # fmt: skip
    without_and_with_a_title(data, 96)


@pytest.mark.parametrize("length", [("DURATION:PT1H",), ("DTEND:20260101T110000Z",), ()])
def test_one_of_a_period_keeps_its_end(length: tuple[str, ...]) -> None:
    """RFC 5545 §3.8.5.2: the end of a PERIOD is not that of the master."""
    data = event("DTSTART:20260101T100000Z", *length, "RRULE:FREQ=WEEKLY;COUNT=2",
                 "RDATE;VALUE=PERIOD:20260103T100000Z/PT5H", "SUMMARY:a")  # fmt: skip
    _, changed = without_and_with_a_title(data, 1)
    assert shown(changed)[1] == ("20260103T100000Z", "20260103T150000Z", "x")
    (changed_one,) = document(changed).overrides
    assert changed_one.first("DURATION") is None
    later = change_occurrence(document(data), nth(data, 1), edit("DTSTART:20260103T120000Z"), now=NOW)
    assert shown(later)[1][:2] == ("20260103T120000Z", "20260103T170000Z")


def test_this_and_future_of_tasks_by_due_and_without_any_time() -> None:
    def task(*lines: str) -> str:
        return component("VTODO", "UID:u", *lines)

    due = task("DUE:20260401T100000Z", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a",
               "RDATE;VALUE=PERIOD:20260403T120000Z/PT5H")  # fmt: skip
    by_due = task("RECURRENCE-ID;RANGE=THISANDFUTURE:20260402T100000Z", "DUE:20260402T110000Z", "SUMMARY:b")
    plain = task("DTSTART:20260401T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a",
                 "RDATE;VALUE=PERIOD:20260402T120000Z/PT5H")  # fmt: skip
    without_and_with_a_title(calendar(due), 3)
    untimed = task("RECURRENCE-ID;RANGE=THISANDFUTURE:20260402T100000Z", "SUMMARY:b")
    for data in (calendar(due, by_due), calendar(plain, untimed)):
        for number in (1, 2, 3):
            without_and_with_a_title(data, number)


def split_everywhere(data: bytes) -> None:
    """Split at each occurrence: both parts together are the series."""
    whole = shown(data)
    for cut in occurrences(document(data), LONG):
        split = change_following(document(data), cut, edit(), uid="v", now=NOW)
        assert sorted(shown(split.before) + shown(split.after)) == sorted(whole), cut.recurrence_id


def test_a_split_where_a_this_and_future_override_stands_on_a_period() -> None:
    """The override gives its length; the PERIOD must not set it again in the second part."""
    data = event(
        "DTSTART:20260828T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4", "SUMMARY:a",
        "RDATE;VALUE=PERIOD:20260901T100000Z/PT5H,20260902T100000Z/PT3H,20260903T100000Z/PT2H",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20260902T100000Z", "DTSTART:20260902T110000Z",
                          "DTEND:20260902T114000Z"),
    )  # fmt: skip
    split_everywhere(data)


@pytest.mark.parametrize("to", ["DTSTART:20240228T023000Z", "DTSTART:20240301T023000Z"])
def test_a_split_at_a_period_whose_series_cannot_be_said_at_its_moved_times(to: str) -> None:
    """No rule expresses 29 February plus a day: an override moves the second part, and each PERIOD has its own."""
    data = event(
        "DTSTART:20240229T023000Z", "DURATION:PT1H", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=17", "SUMMARY:a",
        "RDATE;VALUE=PERIOD:20240302T033000Z/20240302T063000Z,20250305T023000Z/PT4H", "RDATE:20250306T023000Z",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE:20240229T023000Z", to, "DURATION:PT2H"),
    )  # fmt: skip
    split_everywhere(data)
