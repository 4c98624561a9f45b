"""calendar-data in all its forms: RFC 4791 §9.6."""

import pytest

from conformance_tests.client import Calendar, time_range, vcalendar_filter
from conformance_tests.ical_read import component_names, lines, unfold
from conformance_tests.pace import allowed
from testing.builders import BERLIN, component, event, journal, new_uid, todo
from testing.builders import calendar as vcalendar

EVERYTHING = '<C:comp-filter name="VCALENDAR"/>'


def data_of(calendar: Calendar, request: str, filter_: str = EVERYTHING) -> list[str]:
    """The content lines of the only object, as this calendar-data request renders it."""
    return unfold(calendar.query(filter_, request).only.data)


def expand(start: str, end: str) -> str:
    return f'<C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data>'


def test_verbatim(calendar: Calendar) -> None:
    """RFC 4791 §9.6: calendar-data without children is the stored text."""
    body = event(summary="a & b <c> ]]> \\, ü", more='X-A;X-B="1;2":v').decode()
    calendar.add("a.ics", body)
    assert calendar.query(EVERYTHING, "<C:calendar-data/>").only.data == body.replace("\r\n", "\n")


def test_carriage_returns_survive(calendar: Calendar) -> None:
    """RFC 4791 §9.6: line ends are CRLF in the stored text; XML carries them so that a parser gives them back or LF."""
    calendar.add("a.ics", event())
    raw = calendar.query_raw(EVERYTHING, "<C:calendar-data/>").body
    assert b"&#13;\n" in raw or b"\r\n" in raw or b"&#xD;\n" in raw


def test_content_type_attributes(calendar: Calendar) -> None:
    """RFC 4791 §9.6: content-type and version may name text/calendar 2.0."""
    calendar.add("a.ics", event())
    request = '<C:calendar-data content-type="text/calendar" version="2.0"/>'
    assert "BEGIN:VEVENT" in data_of(calendar, request)


@pytest.mark.parametrize("attributes", ['content-type="application/pdf"', 'content-type="text/calendar" version="1.0"'])
def test_unsupported_calendar_data(calendar: Calendar, attributes: str) -> None:
    """RFC 4791 §7.8: another type or version is refused with CALDAV:supported-calendar-data."""
    request = f"<C:calendar-data {attributes}/>"
    calendar.query_raw(EVERYTHING, request).refused(403, "C:supported-calendar-data")
    calendar.multiget(calendar.path("a.ics"), props=request).refused(403, "C:supported-calendar-data")


def test_some_properties(calendar: Calendar) -> None:
    """RFC 4791 §9.6.4: only the properties named are returned."""
    calendar.add("a.ics", event(more="LOCATION:X"))
    request = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID"/>'
        '<C:prop name="summary"/></C:comp></C:comp></C:calendar-data>'
    )
    text = data_of(calendar, request)
    assert [line.split(":")[0] for line in text] == [
        "BEGIN", "VERSION", "PRODID", "BEGIN", "UID", "SUMMARY", "END", "END",
    ]  # fmt: skip


def test_novalue(calendar: Calendar) -> None:
    """RFC 4791 §9.6.4: novalue returns the name and parameters without the value."""
    calendar.add("a.ics", event(more="ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com"))
    request = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="SUMMARY" novalue="yes"/>'
        '<C:prop name="ATTENDEE" novalue="yes"/></C:comp></C:comp></C:calendar-data>'
    )
    text = data_of(calendar, request)
    assert "SUMMARY:" in text and "ATTENDEE;PARTSTAT=ACCEPTED:" in text


def test_components(calendar: Calendar) -> None:
    """RFC 4791 §9.6.1: only the components named are returned; allcomp returns all."""
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT15M\nEND:VALARM"
    start = "DTSTART;TZID=Europe/Berlin:20260105T100000"
    calendar.add("a.ics", event(start=start, end="DURATION:PT1H", zone=BERLIN, more=alarm))
    request = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:allprop/></C:comp></C:comp>'
        "</C:calendar-data>"
    )
    text = data_of(calendar, request)
    assert component_names(text) == ["VCALENDAR", "VEVENT"] and "BEGIN:VALARM" not in text
    request = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:allprop/><C:allcomp/></C:comp>'
        "</C:comp></C:calendar-data>"
    )
    assert "BEGIN:VALARM" in data_of(calendar, request)
    request = '<C:calendar-data><C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp></C:calendar-data>'
    assert component_names(data_of(calendar, request)) == ["VCALENDAR", "VTIMEZONE", "VEVENT"]


def test_expand_over_the_change_of_time(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: expanded occurrences are in UTC: 10:00 in Berlin is 09:00Z, then 08:00Z."""
    start = "DTSTART;TZID=Europe/Berlin:20260328T100000"
    calendar.add("a.ics", event(start=start, end="DURATION:PT1H", zone=BERLIN, more="RRULE:FREQ=DAILY"))
    text = data_of(calendar, expand("20260328T000000Z", "20260331T000000Z"))
    assert component_names(text) == ["VCALENDAR", "VEVENT", "VEVENT", "VEVENT"]
    starts = ["20260328T090000Z", "20260329T080000Z", "20260330T080000Z"]
    assert sorted(lines(text, "DTSTART")) == [f"DTSTART:{start}" for start in starts]
    assert sorted(lines(text, "RECURRENCE-ID")) == [f"RECURRENCE-ID:{start}" for start in starts]
    assert len(lines(text, "UID")) == 3 and not lines(text, "RRULE")


def test_expand_all_day(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: all-day occurrences stay dates."""
    calendar.add(
        "a.ics", event(start="DTSTART;VALUE=DATE:20260105", end="DTEND;VALUE=DATE:20260106", more="RRULE:FREQ=WEEKLY")
    )
    text = data_of(calendar, expand("20260111T000000Z", "20260113T000000Z"))
    assert lines(text, "DTSTART") == ["DTSTART;VALUE=DATE:20260112"]
    assert lines(text, "RECURRENCE-ID") == ["RECURRENCE-ID;VALUE=DATE:20260112"]
    assert lines(text, "DTEND") == ["DTEND;VALUE=DATE:20260113"]


def test_expand_exdate_and_rdate(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: EXDATE removes and RDATE adds; neither stays in the expanded text."""
    more = "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260106T100000Z\nRDATE:20260110T100000Z"
    calendar.add("a.ics", event(more=more))
    text = data_of(calendar, expand("20260101T000000Z", "20260201T000000Z"))
    assert sorted(lines(text, "DTSTART")) == [f"DTSTART:202601{day}T100000Z" for day in ("05", "07", "10")]
    assert not lines(text, "EXDATE") and not lines(text, "RDATE")


@pytest.mark.parametrize("kind", ["VTODO", "VJOURNAL"])
def test_expand_todos_and_journals(calendar: Calendar, kind: str) -> None:
    """RFC 4791 §9.6.5: to-dos and journals are expanded too."""
    make = {"VTODO": todo, "VJOURNAL": journal}[kind]
    calendar.add("a.ics", make(lines="DTSTART:20260105T100000Z\nSUMMARY:x\nRRULE:FREQ=DAILY;COUNT=5"))
    filter_ = vcalendar_filter(time_range("20260106T000000Z", "20260108T000000Z"), kind)
    text = data_of(calendar, expand("20260106T000000Z", "20260108T000000Z"), filter_)
    assert sorted(lines(text, "DTSTART")) == ["DTSTART:20260106T100000Z", "DTSTART:20260107T100000Z"]


def test_expand_override_moved_out(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: an occurrence moved out of the range is not there; one moved in is."""
    uid = new_uid()
    master = component(
        "VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:x", uid=uid
    )
    out = component(
        "VEVENT", "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260120T100000Z\nDURATION:PT1H\nSUMMARY:out", uid=uid
    )
    calendar.add("a.ics", vcalendar(master, out))
    text = data_of(calendar, expand("20260105T000000Z", "20260108T000000Z"))
    assert sorted(lines(text, "DTSTART")) == ["DTSTART:20260105T100000Z", "DTSTART:20260107T100000Z"]
    text = data_of(calendar, expand("20260120T000000Z", "20260121T000000Z"))
    assert lines(text, "SUMMARY") == ["SUMMARY:out"]


def test_expand_with_some_properties(calendar: Calendar) -> None:
    """RFC 4791 §9.6: expansion and a choice of properties combine."""
    calendar.add("a.ics", event(more="RRULE:FREQ=DAILY;COUNT=3\nLOCATION:X"))
    request = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="DTSTART"/><C:prop name="UID"/>'
        '</C:comp></C:comp><C:expand start="20260106T000000Z" end="20260107T000000Z"/></C:calendar-data>'
    )
    text = data_of(calendar, request)
    assert lines(text, "DTSTART") == ["DTSTART:20260106T100000Z"] and not lines(text, "LOCATION")


def test_limit_recurrence_set_this_and_future(calendar: Calendar) -> None:
    """RFC 4791 §9.6.6: a THISANDFUTURE override before the range affects it and stays."""
    uid = new_uid()
    master = component(
        "VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=20\nSUMMARY:x", uid=uid
    )
    later = component(
        "VEVENT",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260107T100000Z\nDTSTART:20260107T120000Z\nDURATION:PT1H\nSUMMARY:y",
        uid=uid,
    )
    calendar.add("a.ics", vcalendar(master, later))
    request = (
        '<C:calendar-data><C:limit-recurrence-set start="20260115T000000Z" end="20260116T000000Z"/></C:calendar-data>'
    )
    assert len(lines(data_of(calendar, request), "RECURRENCE-ID")) == 1


@pytest.mark.parametrize(
    "inner",
    [
        '<C:expand start="20260101T000000Z"/>',
        '<C:expand start="x" end="y"/>',
        '<C:expand start="20260102T000000Z" end="20260101T000000Z"/>',
    ],
)  # fmt: skip
def test_bad_ranges(calendar: Calendar, inner: str) -> None:
    """RFC 4791 §9.6.5: both ends are required, in UTC and in order: else the request is refused, not guessed."""
    answer = calendar.query_raw(EVERYTHING, f"<C:calendar-data>{inner}</C:calendar-data>")
    answer.expect(400, 403)


def test_expansion_is_bounded(calendar: Calendar) -> None:
    """RFC 4791 §7.8: an expansion beyond the server's limits is refused by name, quickly; never a timeout."""
    calendar.add("a.ics", event(end="DURATION:PT1S", more="RRULE:FREQ=MINUTELY"))
    answer = calendar.query_raw(EVERYTHING, expand("20000101T000000Z", "21000101T000000Z"))
    assert answer.seconds < allowed(5)
    if answer.status != 207:
        assert answer.conditions & {"D:number-of-matches-within-limits", "C:max-instances"}, answer.body[:300]
