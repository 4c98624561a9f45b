"""A calendar collection with the contents of RFC 4791, Appendix B (facts: times, rules, names; written anew)."""

from __future__ import annotations

from datetime import UTC, datetime

from protocol.ical.document import Document, parse_document
from protocol.model import TimeRange

ZONE = """\
BEGIN:VTIMEZONE
LAST-MODIFIED:20040110T032845Z
TZID:US/Eastern
BEGIN:DAYLIGHT
DTSTART:20000404T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
"""


def calendar(*components: str) -> bytes:
    """A VCALENDAR of component texts, with CRLF."""
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example Corp.//CalDAV Client//EN\n"
    return (text + "".join(components) + "END:VCALENDAR\n").replace("\n", "\r\n").encode()


def component(name: str, *lines: str) -> str:
    """The text of a component."""
    return "".join(f"{line}\n" for line in (f"BEGIN:{name}", *lines, f"END:{name}"))


def _task(number: int, uid: str, due: str, *lines: str) -> bytes:
    return calendar(component("VTODO", f"UID:{uid}@example.com", due, f"SUMMARY:Task #{number}", *lines))


ALARM = ("BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER;RELATED=START:-PT10M", "END:VALARM")

ABCD1 = calendar(
    ZONE,
    component(
        "VEVENT",
        "DTSTAMP:20060206T001102Z",
        "DTSTART;TZID=US/Eastern:20060102T100000",
        "DURATION:PT1H",
        "SUMMARY:Event #1",
        "Description:Go Steelers!",
        "UID:74855313FA803DA593CD579A@example.com",
    ),
)
ABCD2 = calendar(
    ZONE,
    component(
        "VEVENT",
        "DTSTAMP:20060206T001121Z",
        "DTSTART;TZID=US/Eastern:20060102T120000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;COUNT=5",
        "SUMMARY:Event #2",
        "UID:00959BC664CA650E933C892C@example.com",
    ),
    component(
        "VEVENT",
        "DTSTAMP:20060206T001121Z",
        "DTSTART;TZID=US/Eastern:20060104T140000",
        "DURATION:PT1H",
        "RECURRENCE-ID;TZID=US/Eastern:20060104T120000",
        "SUMMARY:Event #2 bis",
        "UID:00959BC664CA650E933C892C@example.com",
    ),
    component(
        "VEVENT",
        "DTSTAMP:20060206T001121Z",
        "DTSTART;TZID=US/Eastern:20060106T140000",
        "DURATION:PT1H",
        "RECURRENCE-ID;TZID=US/Eastern:20060106T120000",
        "SUMMARY:Event #2 bis bis",
        "UID:00959BC664CA650E933C892C@example.com",
    ),
)
ABCD3 = calendar(
    ZONE,
    component(
        "VEVENT",
        "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:cyrus@example.com",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:lisa@example.com",
        "DTSTAMP:20060206T001220Z",
        "DTSTART;TZID=US/Eastern:20060104T100000",
        "DURATION:PT1H",
        "LAST-MODIFIED:20060206T001330Z",
        "ORGANIZER:mailto:cyrus@example.com",
        "SEQUENCE:1",
        "STATUS:TENTATIVE",
        "SUMMARY:Event #3",
        "UID:DC6C50A017428C5216A2F1CD@example.com",
        "X-ABC-GUID:E1CX5Dr-0007ym-Hz@example.com",
    ),
)
ABCD4 = _task(1, "DDDEEB7915FA61233B861457", "DUE;VALUE=DATE:20060104", "STATUS:NEEDS-ACTION", *ALARM)
ABCD5 = _task(2, "E10BA47467C5C69BB74E8720", "DUE;VALUE=DATE:20060106", "STATUS:NEEDS-ACTION", *ALARM)
ABCD6 = _task(
    3, "E10BA47467C5C69BB74E8722", "DUE;VALUE=DATE:20051225", "COMPLETED:20051223T122322Z", "STATUS:COMPLETED"
)
ABCD7 = _task(4, "E10BA47467C5C69BB74E8725", "DUE;VALUE=DATE:20060101", "STATUS:CANCELLED")
ABCD8 = calendar(
    component(
        "VFREEBUSY",
        'ORGANIZER;CN="Bernard Desruisseaux":mailto:bernard@example.com',
        "UID:76ef34-54a3d2@example.com",
        "DTSTAMP:20050530T123421Z",
        "DTSTART:20060101T000000Z",
        "DTEND:20060108T000000Z",
        "FREEBUSY:20050531T230000Z/20050601T010000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z",
        "FREEBUSY:20060103T100000Z/20060103T120000Z",
        "FREEBUSY:20060104T100000Z/20060104T120000Z",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z",
        "FREEBUSY:20060106T100000Z/20060106T120000Z",
    )
)

COLLECTION: dict[str, bytes] = {
    f"abcd{number}.ics": data for number, data in enumerate((ABCD1, ABCD2, ABCD3, ABCD4, ABCD5, ABCD6, ABCD7, ABCD8), 1)
}


def document(data: bytes) -> Document:
    """The Document of an object's bytes."""
    return parse_document(data).document


def at(text: str) -> int:
    """Epoch seconds of ``20060104T140000Z``."""
    return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def between(start: str | None, end: str | None) -> TimeRange:
    """The range between two UTC texts; ``None``: open."""
    return TimeRange(None if start is None else at(start), None if end is None else at(end))
