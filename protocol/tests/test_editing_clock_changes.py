"""Edits on nights when the clocks change: times in a gap, and times that come twice (RFC 5545 §3.3.5)."""

from __future__ import annotations

import pytest

from protocol.ical.editing import change_all, change_following, change_occurrence, find_occurrence, remove_occurrence
from protocol.ical.periods import utc_text
from protocol.tests.editing_cases import (
    NOW,
    berlin,
    edit,
    event,
    from_then_on,
    nth,
    override,
    shown,
    without_and_with_a_title,
)
from testing.values import at, document

BERLIN_NIGHTS = event(
    "DTSTART;TZID=Europe/Berlin:20260301T220000", "DTEND;TZID=Europe/Berlin:20260302T060000",
    "RRULE:FREQ=DAILY;COUNT=60", "SUMMARY:a",
)  # fmt: skip


def test_a_split_on_the_night_of_a_time_change_keeps_the_length() -> None:
    """RFC 5545 §3.8.5.3: a DTEND gives every occurrence the same exact duration."""
    before = shown(BERLIN_NIGHTS)
    split = change_following(document(BERLIN_NIGHTS), nth(BERLIN_NIGHTS, 27), edit("SUMMARY:b"), uid="v", now=NOW)
    assert shown(split.before) == before[:27]
    assert [item[:2] for item in shown(split.after)] == [item[:2] for item in before[27:]]
    assert "DTEND;TZID=Europe/Berlin:20260329T070000\r\n" in split.after.decode()


def test_a_series_moved_over_a_time_change_keeps_the_length() -> None:
    changed = change_all(document(BERLIN_NIGHTS), edit("DTSTART;TZID=Europe/Berlin:20260328T220000"), now=NOW)
    assert {at(end) - at(start) for start, end, _ in shown(changed)} == {8 * 3600}


def test_a_split_whose_end_comes_twice_is_said_in_utc() -> None:
    """RFC 5545 §3.3.5, §3.8.2.2: local time cannot express the second pass of an hour."""
    data = event("DTSTART;TZID=Europe/Berlin:20261020T230000", "DTEND;TZID=Europe/Berlin:20261021T030000",
                 "RRULE:FREQ=DAILY;COUNT=9", "SUMMARY:a")  # fmt: skip
    before = shown(data)
    split = change_following(document(data), nth(data, 4), edit("SUMMARY:a"), uid="v", now=NOW)
    assert [*shown(split.before), *shown(split.after)] == before
    assert "DTEND:20261025T010000Z\r\n" in split.after.decode()


def test_an_occurrence_in_a_gap_is_found_as_an_expansion_names_it() -> None:
    """RFC 5545 §3.3.5: 02:30 on the night when the clocks go forward is 03:30."""
    data = event("DTSTART;TZID=Europe/Berlin:20260320T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=20")
    in_gap = nth(data, 9)
    for name in ("20260329T013000Z", "20260329T023000", "20260329T033000"):
        assert find_occurrence(document(data), name) == in_gap
    assert find_occurrence(document(data), "20260329T023000Z") is None
    in_utc = event("DTSTART;TZID=Europe/Berlin:20260320T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=20",
                   more=(override("RECURRENCE-ID:20260329T013000Z", "DTSTART:20260329T113000Z", "DURATION:PT1H",
                                  "SUMMARY:own"),))  # fmt: skip
    moved_one = find_occurrence(document(in_utc), "20260329T013000Z")
    assert moved_one is not None
    assert moved_one.component.value("SUMMARY") == "own"
    changed = document(change_occurrence(document(in_utc), moved_one, edit("SUMMARY:new"), now=NOW))
    assert [item.value("SUMMARY") for item in changed.overrides] == ["new"]
    removed = remove_occurrence(document(in_utc), moved_one, now=NOW)
    assert len(shown(removed)) == 19


@pytest.mark.parametrize("end", ["DURATION:PT1H", "DTEND;BERLIN:20260328T033000"])
def test_this_and_future_goes_on_in_a_gap(end: str) -> None:
    """RFC 5545 §3.3.5, §3.8.4.4: the time written in the gap moves all later ones, not what the clock shows."""
    data = berlin(
        "DTSTART;BERLIN:20260327T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE;BERLIN:20260328T023000",
                          "DTSTART;BERLIN:20260328T023000", end),
    )  # fmt: skip
    assert [start for start, *_ in shown(data)][-2:] == ["20260330T003000Z", "20260331T003000Z"]
    removed, _ = without_and_with_a_title(data, 1)
    assert b"DTSTART;TZID=Europe/Berlin:20260329T023000\r\n" in removed
    moved_into = berlin(
        "DTSTART;BERLIN:20260327T013000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=6", "SUMMARY:a",
        more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE;BERLIN:20260328T013000",
                          "DTSTART;BERLIN:20260328T023000", end),
    )  # fmt: skip
    without_and_with_a_title(moved_into, 1)


def test_one_in_a_gap_keeps_its_nominal_length() -> None:
    """RFC 5545 §3.3.5, §3.3.6: a day counts from the written time, not from what the clock shows."""
    data = berlin("DTSTART;BERLIN:20260328T023000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:a")
    _, changed = without_and_with_a_title(data, 1)
    assert shown(changed)[1] == ("20260329T013000Z", "20260330T003000Z", "x")


def test_one_in_a_gap_with_an_end_keeps_its_length_where_it_goes() -> None:
    data = berlin("DTSTART;BERLIN:20260328T023000", "DTEND;BERLIN:20260328T033000", "RRULE:FREQ=DAILY;COUNT=3",
                  "SUMMARY:a")  # fmt: skip
    without_and_with_a_title(data, 1)
    moved = change_occurrence(document(data), nth(data, 1), edit("DTSTART;TZID=Europe/Berlin:20260329T100000"), now=NOW)
    assert shown(moved)[1][:2] == ("20260329T080000Z", "20260329T090000Z")


TWICE = berlin("DTSTART;BERLIN:20261023T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4", "RDATE:20261025T013000Z",
               "SUMMARY:a")  # fmt: skip


@pytest.mark.parametrize("number", [2, 3])
def test_both_passes_of_a_doubled_hour_are_occurrences(number: int) -> None:
    """RFC 5545 §3.3.5: local time means the first pass; only UTC names the second."""
    assert [start for start, *_ in shown(TWICE)][2:4] == ["20261025T003000Z", "20261025T013000Z"]
    removed, changed = without_and_with_a_title(TWICE, number)
    assert (b"EXDATE:20261025T013000Z\r\n" in removed) is (number == 3)
    assert (b"RECURRENCE-ID:20261025T013000Z\r\n" in changed) is (number == 3)
    # Once more as an override that moved, so that its start does not show which occurrence it is.
    without_and_with_a_title(changed, number)
    moved = change_occurrence(document(changed), nth(changed, number), edit("DTSTART:20261025T040000Z"), now=NOW)
    assert len(document(moved).overrides) == 1
    without_and_with_a_title(moved, 3)
    for key in ("20261025T003000Z", "20261025T013000Z"):
        found = find_occurrence(document(moved), key)
        assert found is not None
        expected = "20261025T040000Z" if (key == "20261025T013000Z") is (number == 3) else key
        assert utc_text(found.start) == expected


def test_the_second_pass_behind_this_and_future() -> None:
    """When a series has only the second pass of an hour, no other occurrence has its wall time."""
    said = ("DTSTART;BERLIN:20261023T023000", "DURATION:PT1H", "RDATE:20261025T013000Z", "SUMMARY:a")
    at_start = from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE;BERLIN:20261023T023000",
                            "DTSTART;BERLIN:20261023T043000", "DURATION:PT2H")  # fmt: skip
    for rule in ("RRULE:FREQ=DAILY;INTERVAL=3;COUNT=4", "RRULE:FREQ=DAILY;COUNT=4"):
        data = berlin(*said, rule, more=at_start)
        for number in range(len(shown(data))):
            without_and_with_a_title(data, number)
    period = [raw.replace("RDATE:20261025T013000Z", "RDATE;VALUE=PERIOD:20261025T013000Z/PT5H") for raw in said]
    data = berlin(*period, "RRULE:FREQ=DAILY;COUNT=4", more=at_start)
    for number in range(5):
        without_and_with_a_title(data, number)
    only = berlin(*said, "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=4", more=at_start)
    assert b"EXDATE:20261025T013000Z\r\n" in remove_occurrence(document(only), nth(only, 1), now=NOW)
    assert find_occurrence(document(only), "20261025T013000Z") == nth(only, 1)
    assert find_occurrence(document(only), "20261025T003000Z") is None
    assert find_occurrence(document(only), "20261025T023000") == nth(only, 1)
    both = berlin(*said, "RRULE:FREQ=DAILY;COUNT=4", more=at_start)
    for key in ("20261025T003000Z", "20261025T013000Z"):
        assert find_occurrence(document(both), key) == nth(both, 2) == nth(both, 3)
    own_is_first = berlin(*said, "RRULE:FREQ=DAILY;COUNT=4",
                          more=from_then_on("RECURRENCE-ID;RANGE=THISANDFUTURE;BERLIN:20261025T023000",
                                            "DTSTART;BERLIN:20261025T043000", "DURATION:PT2H"))  # fmt: skip
    for number in range(5):
        without_and_with_a_title(own_is_first, number)
