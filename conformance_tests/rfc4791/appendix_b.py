"""The calendar of RFC 4791 Appendix B: the objects that the examples of the RFC query."""

from __future__ import annotations

from conformance_tests.client import Calendar
from conformance_tests.ical import crlf

EASTERN = """BEGIN:VTIMEZONE
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


def _wrap(inner: str, zone: str = "") -> bytes:
    return crlf(
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example Corp.//CalDAV Client//EN\n{zone}{inner}END:VCALENDAR\n"
    )


def _task(number: int, lines: str, uid: str, alarm: bool = False) -> bytes:
    bell = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER;RELATED=START:-PT10M\nEND:VALARM\n" if alarm else ""
    return _wrap(f"BEGIN:VTODO\n{lines}SUMMARY:Task #{number}\nUID:{uid}@example.com\n{bell}END:VTODO\n")


OBJECTS: dict[str, bytes] = {
    "abcd1.ics": _wrap(
        "BEGIN:VEVENT\nDTSTAMP:20060206T001102Z\nDTSTART;TZID=US/Eastern:20060102T100000\nDURATION:PT1H\n"
        "SUMMARY:Event #1\nDescription:Go Steelers!\nUID:74855313FA803DA593CD579A@example.com\nEND:VEVENT\n",
        EASTERN,
    ),
    "abcd2.ics": _wrap(
        "BEGIN:VEVENT\nDTSTAMP:20060206T001121Z\nDTSTART;TZID=US/Eastern:20060102T120000\nDURATION:PT1H\n"
        "RRULE:FREQ=DAILY;COUNT=5\nSUMMARY:Event #2\nUID:00959BC664CA650E933C892C@example.com\nEND:VEVENT\n"
        "BEGIN:VEVENT\nDTSTAMP:20060206T001121Z\nDTSTART;TZID=US/Eastern:20060104T140000\nDURATION:PT1H\n"
        "RECURRENCE-ID;TZID=US/Eastern:20060104T120000\nSUMMARY:Event #2 bis\n"
        "UID:00959BC664CA650E933C892C@example.com\nEND:VEVENT\n",
        EASTERN,
    ),
    "abcd3.ics": _wrap(
        "BEGIN:VEVENT\nATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:cyrus@example.com\n"
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:lisa@example.com\nDTSTAMP:20060206T001220Z\n"
        "DTSTART;TZID=US/Eastern:20060104T100000\nDURATION:PT1H\nLAST-MODIFIED:20060206T001330Z\n"
        "ORGANIZER:mailto:cyrus@example.com\nSEQUENCE:1\nSTATUS:TENTATIVE\nSUMMARY:Event #3\n"
        "UID:DC6C50A017428C5216A2F1CD@example.com\nEND:VEVENT\n",
        EASTERN,
    ),
    "abcd4.ics": _task(
        1, "DTSTAMP:20060205T235335Z\nDUE;VALUE=DATE:20060104\nSTATUS:NEEDS-ACTION\n", "DDDEEB7915FA61233B861457", True
    ),
    "abcd5.ics": _task(
        2,
        "DTSTAMP:20060205T235300Z\nDUE;VALUE=DATE:20060106\nLAST-MODIFIED:20060205T235308Z\nSEQUENCE:1\n"
        "STATUS:NEEDS-ACTION\n",
        "E10BA47467C5C69BB74E8720",
        True,
    ),
    "abcd6.ics": _task(
        3,
        "COMPLETED:20051223T122322Z\nDTSTAMP:20060205T235400Z\nDUE;VALUE=DATE:20051225\n"
        "LAST-MODIFIED:20060205T235308Z\nSEQUENCE:1\nSTATUS:COMPLETED\n",
        "E10BA47467C5C69BB74E8722",
    ),
    "abcd7.ics": _task(
        4,
        "DTSTAMP:20060205T235600Z\nDUE;VALUE=DATE:20060101\nLAST-MODIFIED:20060205T235308Z\nSEQUENCE:1\n"
        "STATUS:CANCELLED\n",
        "E10BA47467C5C69BB74E8725",
    ),
    "abcd8.ics": _wrap(
        'BEGIN:VFREEBUSY\nORGANIZER;CN="Bernard Desruisseaux":mailto:bernard@example.com\n'
        "UID:76ef34-54a3d2@example.com\nDTSTAMP:20050530T123421Z\nDTSTART:20060101T000000Z\nDTEND:20060108T000000Z\n"
        "FREEBUSY:20050531T230000Z/20050601T010000Z\n"
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z\n"
        "FREEBUSY:20060103T100000Z/20060103T120000Z\nFREEBUSY:20060104T100000Z/20060104T120000Z\n"
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z\n"
        "FREEBUSY:20060106T100000Z/20060106T120000Z\nEND:VFREEBUSY\n"
    ),
}
ALL = set(OBJECTS)


def eastern_text() -> str:
    """The calendar-timezone of the examples."""
    return _wrap("", EASTERN).decode()


def fill(calendar: Calendar) -> Calendar:
    """Put the eight objects into a calendar."""
    for name, data in OBJECTS.items():
        calendar.put(name, data).expect(201)
    return calendar
