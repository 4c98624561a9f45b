"""Many calendar objects as one iCalendar stream: the whole-calendar GET and the export (RFC 5545 §3.4).

Works on the stored lines: components go out as they came in, each VTIMEZONE once. Rules of this module: bytes in, bytes
out, one object at a time, so that a calendar of any size passes through.
"""

from __future__ import annotations

import re

from protocol.ical.components import escape

PRODID = "-//caldav-server//caldav-server//EN"
"""What this server signs the iCalendar data with that it makes itself."""

_BEGIN = re.compile(rb"^BEGIN:([A-Z0-9-]+)[ \t]*\r?\n", re.MULTILINE | re.IGNORECASE)
_TZID = re.compile(rb"^TZID[^:\r\n]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)


class Merger:
    """Writes one VCALENDAR out of many: ``begin``, any number of ``add``, ``end``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._zones: set[bytes] = set()

    def begin(self) -> bytes:
        """The head of the stream."""
        lines = (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            f"PRODID:{PRODID}",
            "CALSCALE:GREGORIAN",
            f"X-WR-CALNAME:{escape(self._name)}",
            "",
        )
        return "\r\n".join(lines).encode()

    def add(self, data: bytes) -> bytes:
        """The components of one stored object, without those VTIMEZONEs that are in the stream already."""
        return b"".join(part for part in _top_components(data) if self._is_new(part))

    def _is_new(self, part: bytes) -> bool:
        if not part[:15].upper().startswith(b"BEGIN:VTIMEZONE"):
            return True
        found = _TZID.search(part)
        name = re.sub(rb"\r?\n[ \t]", b"", found.group(1)).strip() if found is not None else part
        if name in self._zones:
            return False
        self._zones.add(name)
        return True

    def end(self) -> bytes:
        """The tail of the stream."""
        return b"END:VCALENDAR\r\n"


def _top_components(data: bytes) -> list[bytes]:
    """The components directly inside the VCALENDAR, as the bytes they were stored as."""
    parts: list[bytes] = []
    position = 0
    outer = _BEGIN.search(data)
    if outer is None:
        return parts
    position = outer.end()
    while (start := _BEGIN.search(data, position)) is not None:
        end = re.compile(rb"^END:" + re.escape(start.group(1)) + rb"[ \t]*(?:\r?\n|\Z)", re.MULTILINE | re.IGNORECASE)
        depth_from, closing = start.end(), end.search(data, start.end())
        while closing is not None and _nested(data, depth_from, closing.start(), start.group(1)):
            depth_from, closing = closing.end(), end.search(data, closing.end())
        if closing is None:
            break
        part = data[start.start() : closing.end()]
        parts.append(part if part.endswith(b"\n") else part + b"\r\n")
        position = closing.end()
    return parts


def _nested(data: bytes, start: int, end: int, name: bytes) -> bool:
    """Whether a component of the same name begins inside, so that the END found first is not the outer one's."""
    return any(each.group(1).upper() == name.upper() for each in _BEGIN.finditer(data, start, end))
