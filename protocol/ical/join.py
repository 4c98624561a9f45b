"""Many calendar objects as one iCalendar stream: GET of a calendar and the export (RFC 5545 §3.4).

It copies stored lines: components as they came, each VTIMEZONE once. When two objects define different zones with the
same private name, the second object goes into another VCALENDAR of the stream, with its own zone. Lines never change.
Rules of this module: bytes in, bytes out, one object at a time, so that a calendar of any size passes through.
"""

from __future__ import annotations

import re

from protocol.ical.components import PRODID, escape
from protocol.ical.timezones.identity import AMBIGUOUS, zone_by_name
from protocol.ical.timezones.tzids import as_parameter

_BEGIN = re.compile(rb"^BEGIN:([A-Z0-9-]+)[ \t]*\r?\n", re.MULTILINE | re.IGNORECASE)
_TZID = re.compile(rb"^TZID[^:\r\n]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)


class Joiner:
    """Writes one stream from many objects: ``begin``, any number of ``add``, ``end``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._zones: dict[str, bytes] = {}
        """The definitions in the stream, by name; for a well-known name, the one that came first."""
        self._deferred: list[bytes] = []
        """The objects whose zones conflict with those of the stream."""

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
        """The components of one stored object, without the VTIMEZONEs that the stream already has."""
        parts = _top_components(data)
        zones = {_name_of(part): part for part in parts if _is_zone(part)}
        if any(self._zones.get(name, part) != part and _is_private_zone(name) for name, part in zones.items()):
            self._deferred.append(data)
            return b""
        new = {name: part for name, part in zones.items() if name not in self._zones}
        self._zones |= new
        return b"".join([*new.values(), *(part for part in parts if not _is_zone(part))])

    def end(self) -> bytes:
        """The end of the stream, with the deferred objects in VCALENDARs of their own."""
        tail = b"END:VCALENDAR\r\n"
        deferred = self._deferred
        while deferred:
            more = Joiner(self._name)
            tail += b"".join([more.begin(), *map(more.add, deferred), b"END:VCALENDAR\r\n"])
            deferred = more._deferred
        return tail


def _is_zone(part: bytes) -> bool:
    return part[:15].upper() == b"BEGIN:VTIMEZONE"


def _name_of(zone: bytes) -> str:
    found = _TZID.search(zone)
    name = re.sub(rb"\r?\n[ \t]", b"", found.group(1)) if found is not None else zone
    return as_parameter(name.decode("utf-8", "surrogateescape"))


def _is_private_zone(name: str) -> bool:
    """Whether a zone is known by its definition alone; for a well-known zone its own law counts."""
    return name.lower() in AMBIGUOUS or zone_by_name(name) is None


def _top_components(data: bytes) -> list[bytes]:
    """The components directly inside the VCALENDAR, as stored bytes."""
    parts: list[bytes] = []
    position = 0
    outer = _BEGIN.search(data)
    if outer is None:
        return parts
    position = outer.end()
    while (start := _BEGIN.search(data, position)) is not None:
        end = re.compile(rb"^END:" + re.escape(start.group(1)) + rb"[ \t]*(?:\r?\n|\Z)", re.MULTILINE | re.IGNORECASE)
        depth_from, closing = start.end(), end.search(data, start.end())
        while closing is not None and _opens_again(data, depth_from, closing.start(), start.group(1)):
            depth_from, closing = closing.end(), end.search(data, closing.end())
        if closing is None:
            break
        part = data[start.start() : closing.end()]
        parts.append(part if part.endswith(b"\n") else part + b"\r\n")
        position = closing.end()
    return parts


def _opens_again(data: bytes, start: int, end: int, name: bytes) -> bool:
    """Whether a component of the same name begins inside, so that the first END found is not the outer one's."""
    return any(each.group(1).upper() == name.upper() for each in _BEGIN.finditer(data, start, end))
