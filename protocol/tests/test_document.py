"""Documents: one UID, master and overrides, the verbatim text, and splitting a file into resources (RFC 4791 §4.1)."""

from __future__ import annotations

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.document import parse_calendar, parse_document, render_component
from protocol.model import ComponentKind
from testing.builders import calendar, component

ZONE = """BEGIN:VTIMEZONE
TZID:Here
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


def here(uid: str = "1", *lines: str, name: str = "VEVENT") -> str:
    """A component that begins in the time zone of the same name."""
    return component(name, "DTSTART;TZID=Here:20240101T100000", *lines, uid=uid)


def test_master_and_overrides() -> None:
    data = calendar(
        ZONE,
        here("1", "RECURRENCE-ID;TZID=Here:20240102T100000"),
        here("1", "RRULE:FREQ=DAILY"),
        here("1", "RECURRENCE-ID;TZID=Here:20240103T100000"),
    )
    parsed = parse_document(data)
    document = parsed.document
    assert parsed.data is data
    assert parsed.repairs == ()
    assert (document.uid, document.component) == ("1", ComponentKind.VEVENT)
    assert document.master.value("RRULE") == "FREQ=DAILY"
    assert [each.value("RECURRENCE-ID") for each in document.overrides] == ["20240102T100000", "20240103T100000"]
    assert document.members == (document.master, *document.overrides)
    assert list(document.timezones) == ["Here"]
    assert document.calendar.name == "VCALENDAR"


def test_an_override_alone_is_a_document() -> None:
    document = parse_document(calendar(here("1", "RECURRENCE-ID:20240102T100000Z"))).document
    assert document.master is None
    assert document.members == document.overrides
    assert len(document.overrides) == 1


@pytest.mark.parametrize("kind", ComponentKind)
def test_every_kind(kind: ComponentKind) -> None:
    assert parse_document(calendar(here("1", name=kind.name))).document.component is kind


def test_minimal_objects_of_scripts() -> None:
    for name in ("VTODO", "VJOURNAL"):
        data = calendar(f"BEGIN:{name}\nUID:1\nSUMMARY:x\nEND:{name}\n", header="")
        assert parse_document(data).repairs == ("dtstamp-missing",)


def test_components_beyond_the_standard_are_kept() -> None:
    data = calendar("BEGIN:X-NOTE\nX-A:1\nEND:X-NOTE\n", here("1", "X-B;X-C=1:2"))
    document = parse_document(data).document
    assert [each.name for each in document.calendar.components] == ["X-NOTE", "VEVENT"]
    assert document.master.value("X-B") == "2"


def test_render_is_the_text_unfolded() -> None:
    data = calendar(ZONE, here("1", "SUMMARY:" + "long " * 40))
    again = render_component(parse_calendar(data)).encode()
    assert again.replace(b"\r\n ", b"") == data
    assert parse_calendar(again) == parse_calendar(data)


def test_streams_of_several_calendars() -> None:
    data = calendar(here("1")) + calendar(here("2"))
    assert len(parse_calendar(data).components) == 2
    with pytest.raises(Refusal) as caught:
        parse_document(data)
    assert caught.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"", Condition.VALID_CALENDAR_DATA),
        (b"\r\n", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VCARD\nEND:VCARD\n", Condition.SUPPORTED_CALENDAR_DATA),
        (b"BEGIN:VEVENT\nEND:VEVENT\n", Condition.SUPPORTED_CALENDAR_DATA),
        (calendar(here(), header="VERSION:1.0\n"), Condition.SUPPORTED_CALENDAR_DATA),
    ],
)
def test_what_is_not_icalendar(data: bytes, condition: Condition) -> None:
    for read in (parse_document, parse_calendar):
        with pytest.raises(Refusal) as caught:
            read(data)
        assert caught.value.condition is condition
