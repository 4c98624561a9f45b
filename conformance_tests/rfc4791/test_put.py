"""The preconditions of PUT: RFC 4791 §5.3.2.1, each with its element and 403."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import parse_xml, segments, tag
from testing.builders import calendar as vcalendar
from testing.builders import component, event, journal, new_uid, todo


def refused(calendar: Calendar, body: bytes | str, condition: str, headers: dict | None = None) -> None:
    """PUT is 403 with exactly this condition, and nothing is stored."""
    calendar.put("bad.ics", body, headers).refused(403, condition)
    calendar.get("bad.ics").expect(404)
    assert calendar.etags() == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/vcard", "image/png", "multipart/form-data"])
def test_supported_calendar_data(calendar: Calendar, kind: str) -> None:
    """RFC 4791 §5.3.2.1: another media type is refused with CALDAV:supported-calendar-data."""
    refused(calendar, event(), "C:supported-calendar-data", {"Content-Type": kind})


@pytest.mark.parametrize(
    "kind", ["text/calendar", "text/calendar; component=vevent", 'TEXT/Calendar;charset="UTF-8"', None]
)
def test_calendar_media_types(calendar: Calendar, kind: str | None) -> None:
    """RFC 4791 §5.3.2.1: text/calendar in every spelling is taken; so is a body without a type."""
    calendar.put("a.ics", event(), {"Content-Type": kind}).expect(201)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"BEGIN:VCALENDAR\r\n",
        event().replace(b"END:VEVENT\r\n", b""),
        event().replace(b"END:VEVENT", b"END:VTODO"),
        event() + b"BEGIN:VCALENDAR\r\n",
        b"\xff\xfe\x00" + event(),
        event().replace(b"Meeting", b"Gr\xfc\xdfe"),
        event().replace(b"DTSTART:20260105T100000Z", b"DTSTART:yesterday"),
    ],
    ids=[
        "empty",
        "text",
        "unclosed",
        "open component",
        "crossed",
        "tail",
        "binary",
        "latin-1",
        "date",
    ],
)
def test_valid_calendar_data(calendar: Calendar, body: bytes) -> None:
    """RFC 4791 §5.3.2.1: a body that is not valid iCalendar is refused with CALDAV:valid-calendar-data."""
    refused(calendar, body, "C:valid-calendar-data")


def test_another_kind_of_data(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: well-formed data of another kind under the name of text/calendar is refused by name."""
    answer = calendar.put("bad.ics", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n").expect(403)
    assert answer.conditions <= {"C:supported-calendar-data", "C:valid-calendar-data"} and answer.conditions
    assert calendar.etags() == {}


OBJECT_RULES = {
    "no component": lambda: vcalendar(""),
    "only a time zone": lambda: vcalendar("BEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
    "TZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"),
    "two UIDs": lambda: vcalendar(
        component("VEVENT", "DTSTART:20260101T100000Z", uid="one@x"),
        component("VEVENT", "DTSTART:20260102T100000Z", uid="two@x"),
    ),
    "two types": lambda: vcalendar(
        component("VEVENT", "DTSTART:20260101T100000Z", uid="one@x"), component("VTODO", "SUMMARY:x", uid="one@x")
    ),
    "two masters": lambda: vcalendar(
        component("VEVENT", "DTSTART:20260101T100000Z", uid="one@x"),
        component("VEVENT", "DTSTART:20260102T100000Z", uid="one@x"),
    ),
    "no UID": lambda: event().replace(b"UID:", b"X-UID:"),
    "empty UID": lambda: vcalendar(component("VEVENT", "DTSTART:20260101T100000Z", uid="")),
    "two calendars": lambda: event() + event(),
}  # fmt: skip


@pytest.mark.parametrize("case", OBJECT_RULES)
def test_valid_calendar_object_resource(calendar: Calendar, case: str) -> None:
    """RFC 4791 §4.1: one UID, one component type, one master: else CALDAV:valid-calendar-object-resource."""
    refused(calendar, OBJECT_RULES[case](), "C:valid-calendar-object-resource")


@pytest.mark.parametrize(("kind", "body"), [("VEVENT", todo), ("VTODO", event), ("VEVENT", journal)])
def test_supported_calendar_component(new_calendar, kind: str, body) -> None:
    """RFC 4791 §5.3.2.1: a type the calendar does not take is CALDAV:supported-calendar-component."""
    made = new_calendar(
        f'<C:supported-calendar-component-set><C:comp name="{kind}"/></C:supported-calendar-component-set>'
    )
    refused(made, body(), "C:supported-calendar-component")


@pytest.mark.parametrize("body", [event, todo, journal])
def test_every_component_type(calendar: Calendar, body) -> None:
    """RFC 4791 §4.1: events, to-dos and journals are stored and read back verbatim."""
    data = body()
    calendar.put("a.ics", data).expect(201)
    assert calendar.get("a.ics").body == data


@pytest.mark.parametrize("name", ["VFREEBUSY", "VAVAILABILITY"])
def test_further_components(calendar: Calendar, name: str) -> None:
    """RFC 7953 §5: VFREEBUSY and VAVAILABILITY objects are stored and read back verbatim."""
    data = vcalendar(component(name, "DTSTART:20260101T000000Z\nDTEND:20260201T000000Z", uid=new_uid()))
    calendar.put("a.ics", data).expect(201)
    assert calendar.get("a.ics").body == data


def test_no_uid_conflict(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: a UID that another object of the calendar has is refused; the answer names that object."""
    uid = new_uid()
    calendar.add("a.ics", event(uid))
    answer = calendar.put("b.ics", event(uid)).refused(403, "C:no-uid-conflict")
    href = parse_xml(answer.body).findtext(f".//{tag('C:no-uid-conflict')}/{tag('D:href')}")
    assert href and segments(href) == segments(calendar.path("a.ics"))
    assert set(calendar.etags()) == {"a.ics"}


def test_changing_the_uid_of_an_object(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: PUT onto an object with another UID is CALDAV:no-uid-conflict; the object stays."""
    data = event()
    calendar.add("a.ics", data)
    calendar.put("a.ics", event()).refused(403, "C:no-uid-conflict")
    assert calendar.get("a.ics").body == data


def test_uids_differ_by_case(calendar: Calendar) -> None:
    """RFC 5545 §3.8.4.7: UIDs are compared exactly."""
    calendar.put("a.ics", event("Case@example.com")).expect(201)
    calendar.put("b.ics", event("case@example.com")).expect(201)


def test_same_uid_in_two_calendars(calendar: Calendar, new_calendar) -> None:
    """RFC 4791 §4.1: a UID is unique within one calendar, not within a home."""
    data = event()
    calendar.add("a.ics", data)
    new_calendar().put("a.ics", data).expect(201)


def test_max_resource_size(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: more bytes than max-resource-size says are refused with that condition."""
    limit = int(calendar.prop("C:max-resource-size").text)
    filler = "\n".join(f"X-FILL-{number}:{'x' * 60}" for number in range(limit // 60))
    answer = calendar.put("bad.ics", event(more=filler))
    assert answer.status == 413 or answer.refused(403, "C:max-resource-size")
    calendar.get("bad.ics").expect(404)


def test_max_attendees(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: more attendees than max-attendees-per-instance are refused with that condition."""
    limit = int(calendar.prop("C:max-attendees-per-instance").text)
    lines = "\n".join(f"ATTENDEE:mailto:a{number}@example.com" for number in range(limit + 1))
    refused(calendar, event(more=lines), "C:max-attendees-per-instance")


@pytest.mark.parametrize("uid", ["a/b c", "ü@example.com", "x" * 250, "100%", "a\\,b"])
def test_odd_uids(calendar: Calendar, uid: str) -> None:
    """RFC 5545 §3.8.4.7: any text is a UID."""
    data = event(uid)
    calendar.put("a.ics", data).expect(201)
    match = uid.replace("\\,", ",")
    inner = f'<C:prop-filter name="UID"><C:text-match collation="i;octet">{match}</C:text-match></C:prop-filter>'
    assert calendar.events(inner) == {"a.ics"}


def test_override_alone(calendar: Calendar) -> None:
    """RFC 4791 §4.1: an object may hold overrides without their master (an invitation to one occurrence)."""
    data = event(more="RECURRENCE-ID:20260105T100000Z")
    calendar.put("a.ics", data).expect(201)
    assert calendar.get("a.ics").body == data


def test_etag_only_for_verbatim_bytes(calendar: Calendar) -> None:
    """RFC 4791 §5.3.4: when the server changed the text, PUT answers no ETag, and GET tells the new text's."""
    data = event().replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:PUBLISH")
    answer = calendar.put("a.ics", data).expect(201)
    stored = calendar.get("a.ics")
    assert (answer.header("ETag") is None) == (stored.body != data)


def test_write_needs_the_privilege(client: Client, other: Client, calendar: Calendar) -> None:
    """RFC 3744 §3.9: a user without rights cannot store, read, change or delete."""
    calendar.add("a.ics", event())
    path = calendar.path("a.ics")
    for method, body in (("GET", None), ("PUT", event()), ("DELETE", None), ("PROPFIND", None)):
        answer = other.request(method, path, body, {"Depth": "0"}).expect(403, 404)
        if answer.status == 403:
            assert answer.conditions == {"D:need-privileges"}
    other.put(calendar.path("b.ics"), event()).expect(403, 404)
    assert set(calendar.etags()) == {"a.ics"}
