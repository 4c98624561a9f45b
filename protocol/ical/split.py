"""A calendar file split into calendar object resources without parsing it (RFC 5545 §3.4, RFC 4791 §4.1).

It serves imports of any size: one pass over the bytes. A resource gets the file's own lines, so importing an export
again finds every object unchanged. Rules of this module: it only decides where to split; whether a resource is valid is
decided when it is stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from protocol.ical.components import PRODID, caret_decode
from protocol.ical.timezones.tzids import as_parameter, definition_of
from protocol.model import Uid

_MARKER = re.compile(
    rb"^(BEGIN|END|UID|TZID|METHOD)(?:\r?\n[ \t])*"
    rb'(?:;(?>"(?:[^"\r\n]|\r?\n[ \t])*+"|[^:\r\n]|\r?\n[ \t])*+)?'
    rb":([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)\r?\n?",
    re.MULTILINE | re.IGNORECASE,
)
"""The lines that decide where to split; old Mozilla calendars fold between a name and its colon."""
_FOLD = re.compile(rb"\r?\n[ \t]")
_USED_ZONE = re.compile(rb';TZID=(?:"([^"\r\n]+)"|([^";:\r\n]+))', re.IGNORECASE)
_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()
_TAIL = b"END:VCALENDAR\r\n"


@dataclass(slots=True)
class _Group:
    """The components of one UID, as spans of the file."""

    uid: Uid | None
    spans: list[tuple[int, int]] = field(default_factory=list)
    calendar: int = 0
    """The number of the VCALENDAR that holds them: each VCALENDAR has its own zones."""


@dataclass(slots=True)
class _Open:
    """The component directly inside a VCALENDAR that is being scanned."""

    name: bytes
    start: int
    uid: str | None = None
    tzid: str = ""


_Zones = dict[int, dict[str, tuple[int, int]]]
"""The spans of VTIMEZONEs, by the number of their VCALENDAR and by their TZID."""


class Splitter:
    """The resources of a file, made one by one during iteration; ``len`` is their number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._zones, self._groups = _scan_components(data)

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[tuple[Uid | None, bytes]]:
        """One resource text per UID, in the file's order, with the VTIMEZONEs that it names.

        A component without UID comes alone, with ``None``. Text outside of components yields nothing.
        """
        data = self._data
        for group in self._groups:
            lines = b"".join(_whole_lines(data, start, end) for start, end in group.spans)
            unfolded = _FOLD.sub(b"", lines)
            used = dict.fromkeys(quoted or plain for quoted, plain in _USED_ZONE.findall(unfolded))
            own = self._zones.get(group.calendar, {})
            spans = dict.fromkeys(definition_of(caret_decode(_text(name)), own) for name in used) if own else {}
            wanted = b"".join(_whole_lines(data, *span) for span in spans if span is not None)
            yield group.uid, b"".join((_HEAD, wanted, lines, _TAIL))


def components(data: bytes) -> list[bytes]:
    """The components of a text as their own lines, without VTIMEZONEs and the surrounding lines."""
    return [_whole_lines(data, start, end) for group in _scan_components(data)[1] for start, end in group.spans]


def _scan_components(data: bytes) -> tuple[_Zones, list[_Group]]:
    zones: _Zones = {}
    groups: dict[object, _Group] = {}
    depth = calendar = 0
    current: _Open | None = None
    for marker in _MARKER.finditer(data):
        key = marker.group(1).upper()
        if key == b"BEGIN":
            depth += 1
            calendar += depth == 1
            if depth == 2:
                current = _Open(marker.group(2).strip().upper(), marker.start())
        elif key == b"END":
            depth -= 1
            if depth == 1 and current is not None:
                _close_component(current, marker.end(), calendar, zones, groups)
                current = None
        elif depth == 2 and current is not None:
            value = _FOLD.sub(b"", marker.group(2)).strip()
            if key == b"UID" and current.uid is None:
                current.uid = value.decode("utf-8", "replace")
            elif key == b"TZID":
                current.tzid = as_parameter(_text(value))
    return zones, list(groups.values())


def _close_component(current: _Open, end: int, calendar: int, zones: _Zones, groups: dict[object, _Group]) -> None:
    if current.name == b"VTIMEZONE":
        zones.setdefault(calendar, {}).setdefault(current.tzid, (current.start, end))
        return
    key: object = (current.name, current.uid) if current.uid else current.start
    group = groups.setdefault(key, _Group(Uid(current.uid) if current.uid else None, calendar=calendar))
    group.spans.append((current.start, end))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _whole_lines(data: bytes, start: int, end: int) -> bytes:
    part = data[start:end]
    return part if part.endswith(b"\n") else part + b"\r\n"


def with_uid(data: bytes) -> tuple[Uid, bytes]:
    """A resource without UID, with a UID made from its text, so that importing again gives the same UID."""
    digest = hashlib.sha256(data).hexdigest()[:32]
    uid = Uid(f"{digest}@import")
    depth = 0
    for marker in _MARKER.finditer(data):
        key = marker.group(1).upper()
        depth += (key == b"BEGIN") - (key == b"END")
        if key == b"BEGIN" and depth == 2 and marker.group(2).strip().upper() != b"VTIMEZONE":
            return uid, b"".join((data[: marker.end()], f"UID:{uid}\r\n".encode(), data[marker.end() :]))
    return uid, data
