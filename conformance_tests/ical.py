"""iCalendar texts for the tests: small builders, CRLF line ends, one UID each."""

from __future__ import annotations

import uuid

BERLIN = """BEGIN:VTIMEZONE
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
PRODID = "-//Conformance//Tests//EN"


def crlf(text: str) -> bytes:
    """The text with CRLF line ends, as RFC 5545 §3.1 wants it."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def calendar(*components: str, zone: str = "", properties: str = "") -> bytes:
    """A VCALENDAR around components that are given as text."""
    inner = "".join(part if part.endswith("\n") else part + "\n" for part in (zone, *components) if part)
    return crlf(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:{PRODID}\n{properties}{inner}END:VCALENDAR\n")


def component(name: str, uid: str, lines: str) -> str:
    """One component with UID and DTSTAMP and the given content lines."""
    body = lines.strip("\n")
    return (
        f"BEGIN:{name}\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{body}\nEND:{name}\n"
        if body
        else (f"BEGIN:{name}\nUID:{uid}\nDTSTAMP:20260101T000000Z\nEND:{name}\n")
    )


def new_uid() -> str:
    return f"{uuid.uuid4()}@example.com"


def event(
    uid: str | None = None,
    start: str = "DTSTART:20260105T100000Z",
    end: str = "DTEND:20260105T110000Z",
    summary: str = "Meeting",
    more: str = "",
    zone: str = "",
) -> bytes:
    """One VEVENT; ``start`` and ``end`` are whole content lines, ``more`` further ones."""
    lines = "\n".join(line for line in (start, end, f"SUMMARY:{summary}", more.strip("\n")) if line)
    return calendar(component("VEVENT", uid or new_uid(), lines), zone=zone)


def todo(uid: str | None = None, lines: str = "SUMMARY:Task") -> bytes:
    return calendar(component("VTODO", uid or new_uid(), lines))


def journal(uid: str | None = None, lines: str = "SUMMARY:Note") -> bytes:
    return calendar(component("VJOURNAL", uid or new_uid(), lines))


def timezone_text() -> str:
    """A VCALENDAR that holds only the VTIMEZONE of Europe/Berlin: the value of CALDAV:calendar-timezone."""
    return f"BEGIN:VCALENDAR\r\nPRODID:{PRODID}\r\nVERSION:2.0\r\n{crlf(BERLIN).decode()}END:VCALENDAR\r\n"
