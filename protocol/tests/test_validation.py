"""The rules of a calendar object resource, each with its condition (RFC 4791 §4.1, §5.3.2.1; RFC 6638 §3.2.4.2)."""

from __future__ import annotations

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.document import parse_document
from protocol.ical.scanner import DEFAULT, Limits
from protocol.tests.test_document import ZONE, here
from testing.builders import calendar


def refusal_of(data: bytes, limits: Limits = DEFAULT) -> Condition:
    with pytest.raises(Refusal) as caught:
        parse_document(data, limits=limits)
    assert caught.value.message
    return caught.value.condition


OVERRIDE = "RECURRENCE-ID;TZID=Here:20240102T100000"


@pytest.mark.parametrize(
    "components",
    [
        [],
        [ZONE],
        [here("1"), here("2")],
        [here("1"), here("1")],
        [here("1"), here("1", OVERRIDE, name="VTODO")],
        [here("1"), here("1", name="VTODO")],
        [here("1").replace("UID:1\r\n", "")],
        [here("1").replace("UID:1\r\n", "UID: \r\n")],
        [here("1"), here("1", OVERRIDE).replace("UID:1\r\n", "")],
    ],
)
def test_objects_that_are_not_one(components: list[str]) -> None:
    assert refusal_of(calendar(*components)) is Condition.VALID_CALENDAR_OBJECT_RESOURCE


def test_unknown_component() -> None:
    assert refusal_of(calendar(here(name="VPOLL"))) is Condition.SUPPORTED_CALENDAR_COMPONENT


def test_one_organizer() -> None:
    same = calendar(
        here("1", "ORGANIZER;CN=A:mailto:a@example.com"),
        here("1", OVERRIDE, "ORGANIZER:MAILTO:A@example.com"),
        here("1", "RECURRENCE-ID;TZID=Here:20240103T100000"),
    )
    assert parse_document(same).repairs == ()
    other = same.replace(b"MAILTO:A@", b"mailto:b@")
    assert refusal_of(other) is Condition.SAME_ORGANIZER_IN_ALL_COMPONENTS


def test_attendees() -> None:
    lines = [f"ATTENDEE:mailto:{number}@example.com" for number in range(5)]
    assert parse_document(calendar(here("1", *lines)), limits=Limits(attendees=5)).repairs == ()
    assert refusal_of(calendar(here("1", *lines)), Limits(attendees=4)) is Condition.MAX_ATTENDEES_PER_INSTANCE


def test_an_event_needs_a_place_in_time() -> None:
    without = here("1").replace("DTSTART;TZID=Here:20240101T100000\r\n", "")
    assert refusal_of(calendar(without)) is Condition.VALID_CALENDAR_DATA


@pytest.mark.parametrize("value", ["", "tomorrow", "20240230", "20241301T000000", "20240101T250000", "2024-01-01"])
@pytest.mark.parametrize("name", ["DTSTART", "RECURRENCE-ID"])
def test_unreadable_places_in_time(name: str, value: str) -> None:
    data = here("1", "RECURRENCE-ID:20240101T100000") if name != "DTSTART" else here("1")
    lines = [f"{name}:{value}" if line.startswith(name) else line for line in data.splitlines()]
    assert refusal_of(calendar("\n".join(lines) + "\n")) is Condition.VALID_CALENDAR_DATA


@pytest.mark.parametrize("line", ["DTSTART", "DTEND", "DUE", "RDATE", "RECURRENCE-ID"])
def test_the_ends_of_time(line: str) -> None:
    def put(value: str) -> bytes:
        lines = here("1").splitlines()
        if line == "DTSTART":
            lines = [f"DTSTART:{value}" if each.startswith("DTSTART") else each for each in lines]
        elif line == "RDATE":
            lines.insert(-1, f"RDATE:20240101T100000Z,{value}")
        else:
            lines.insert(-1, f"{line}:{value}")
        return calendar("\n".join(lines) + "\n")

    limits = Limits(min_date_time="19000101T000000Z", max_date_time="21000101T000000Z")
    assert refusal_of(put("18991231T235959Z"), limits) is Condition.MIN_DATE_TIME
    assert refusal_of(put("21000101T000000Z"), limits) is Condition.MAX_DATE_TIME
    for value in ("19000101T000000Z", "20991231T235959Z"):
        parse_document(put(value), limits=limits)


def test_times_of_bookkeeping_have_no_bounds() -> None:
    parse_document(calendar(here("1", "CREATED:00010101T000000Z", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z")))
