"""Cuts a calendar file into the texts a client would store: one per UID, bytes of every line unchanged."""

from __future__ import annotations

import re

BEGIN = re.compile(rb"^BEGIN:(.*?)\s*$", re.IGNORECASE)
END = re.compile(rb"^END:(.*?)\s*$", re.IGNORECASE)
UID = re.compile(rb"^UID(?:;[^:]*)?:(.*)$", re.IGNORECASE)


def split(data: bytes) -> list[bytes]:
    """One text per UID; the file itself when it is one object already, or nothing this simple reader understands."""
    lines = data.splitlines(keepends=True)
    head: list[bytes] = []
    tail: list[bytes] = []
    zones: list[bytes] = []
    objects: dict[bytes, list[bytes]] = {}
    part: list[bytes] = []
    stack: list[bytes] = []
    uid = b""
    for line in lines:
        bare = line.rstrip(b"\r\n")
        begin, end = BEGIN.match(bare), END.match(bare)
        if begin:
            stack.append(begin[1].upper())
            if len(stack) == 2:
                part, uid = [], b""
        if len(stack) >= 2:
            part.append(line)
            found = UID.match(bare)
            if found and len(stack) == 2:
                uid = found[1].strip()
        elif end:
            tail = [line]
        else:
            head.append(line)
        if end and stack:
            name = stack.pop()
            if len(stack) == 1:
                if name == b"VTIMEZONE":
                    zones.extend(part)
                else:
                    objects.setdefault(uid, []).extend(part)
    if stack or len(objects) < 2 or data.upper().count(b"BEGIN:VCALENDAR") != 1:
        return [data]
    return [b"".join([*head, *zones, *parts, *tail]) for parts in objects.values()]
