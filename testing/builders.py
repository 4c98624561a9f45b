"""Texts of iCalendar for the tests (RFC 5545): a whole object of one event, task or journal entry, and the parts of it.

Content lines are given without their line ends, one by one or several in a text; what is built has CRLF.
"""

from __future__ import annotations

import uuid

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""
PRODID = "PRODID:-//Conformance//Tests//EN"
HEADER = f"VERSION:2.0\n{PRODID}"
STAMP = "DTSTAMP:20260101T000000Z"


def crlf(text: str) -> str:
    """The text with CRLF line ends, as RFC 5545 §3.1 wants it."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def new_uid() -> str:
    """A UID that nobody used before."""
    return f"{uuid.uuid4()}@example.com"


def _lines(*parts: str) -> str:
    """Parts as lines with LF, without the empty ones."""
    stripped = (part.strip("\r\n") for part in parts)
    return "".join(f"{part}\n" for part in stripped if part)


def component(name: str, *lines: str, uid: str | None = None) -> str:
    """One component of exactly these lines; with ``uid``, UID and DTSTAMP come first."""
    identity = () if uid is None else (f"UID:{uid}", STAMP)
    return crlf(_lines(f"BEGIN:{name}", *identity, *lines, f"END:{name}"))


def calendar(*components: str, header: str = HEADER, properties: str = "") -> bytes:
    """A VCALENDAR around components; ``properties`` follow VERSION and PRODID."""
    return crlf(_lines("BEGIN:VCALENDAR", header, properties, *components, "END:VCALENDAR")).encode()


def event(
    uid: str | None = None,
    start: str = "DTSTART:20260105T100000Z",
    end: str = "DTEND:20260105T110000Z",
    summary: str = "Meeting",
    more: str = "",
    zone: str = "",
) -> bytes:
    """An object of one event. ``start`` and ``end`` are content lines, ``more`` further ones, ``zone`` a VTIMEZONE."""
    return calendar(zone, component("VEVENT", start, end, f"SUMMARY:{summary}", more, uid=uid or new_uid()))


def todo(uid: str | None = None, lines: str = "SUMMARY:Task") -> bytes:
    """An object of one task."""
    return calendar(component("VTODO", lines, uid=uid or new_uid()))


def journal(uid: str | None = None, lines: str = "SUMMARY:Note") -> bytes:
    """An object of one journal entry."""
    return calendar(component("VJOURNAL", lines, uid=uid or new_uid()))


def timezone_text(zone: str = BERLIN) -> str:
    """A VCALENDAR that holds only a VTIMEZONE: the value of CALDAV:calendar-timezone (RFC 4791 §5.2.2)."""
    return calendar(zone).decode()
