"""Cuts a calendar file into the texts a client would store: one per UID, bytes of every line unchanged, no METHOD.

A client that takes over a published file or an invitation stores the event, not the message it came in (RFC 4791
§4.1): so METHOD is left out. What a server makes of one that is sent anyway is tested in ``strictness``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

FOLD = re.compile(rb"\r?\n[ \t]")
LINE = re.compile(rb"(BEGIN|END|UID|METHOD)(?:;[^:]*)?:(.*?)\s*", re.IGNORECASE)


def lines_of(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Content lines as they stand in the file with their folds, each with its name and value if it is one to know."""
    lines: list[bytes] = []
    for line in data.splitlines(keepends=True):
        if line[:1] in b" \t" and lines and line.strip():
            lines[-1] += line
        else:
            lines.append(line)
    for line in lines:
        known = LINE.fullmatch(FOLD.sub(b"", line).rstrip(b"\r\n"))
        yield line, known[1].upper() if known else b"", known[2] if known else b""


def split(data: bytes) -> list[bytes]:
    """One text per UID; the file itself when it is nothing this simple reader understands."""
    head: list[bytes] = []
    tail: list[bytes] = []
    zones: list[bytes] = []
    objects: dict[bytes, list[bytes]] = {}
    part: list[bytes] = []
    stack: list[bytes] = []
    uid = b""
    for line, name, value in lines_of(data):
        if name == b"BEGIN":
            stack.append(value.upper())
            if len(stack) == 2:
                part, uid = [], b""
        if len(stack) >= 2:
            part.append(line)
            uid = value if name == b"UID" and len(stack) == 2 else uid
        elif name == b"END":
            tail = [line]
        elif name != b"METHOD":
            head.append(line)
        if name == b"END" and stack:
            ended = stack.pop()
            if len(stack) == 1:
                if ended == b"VTIMEZONE":
                    zones.extend(part)
                else:
                    objects.setdefault(uid, []).extend(part)
    if stack or not objects or data.upper().count(b"BEGIN:VCALENDAR") != 1:
        return [data]
    if len(objects) == 1 and b"METHOD" not in data.upper():
        return [data]
    return [b"".join([*head, *zones, *parts, *tail]) for parts in objects.values()]
