"""METHOD in a stored object (RFC 4791 §4.1 forbids it).

Sent by mail programs that store an invitation as it came. The METHOD lines are cut out of the text, the one repair of
this kind: every client that reads the object would otherwise take it for a scheduling message.
"""

from __future__ import annotations

from protocol.ical.components import Component


def remove(data: bytes, calendar: Component) -> bytes:
    """``data`` without the METHOD lines of its VCALENDAR; every other octet stays. The view loses them too."""
    calendar.properties = [line for line in calendar.properties if line.name != "METHOD"]
    kept: list[bytes] = []
    depth = 0
    dropping = False
    for line in data.splitlines(keepends=True):
        head = line[:12].lstrip(b"\xef\xbb\xbf").upper()
        if line[:1] in b" \t" and line.strip():
            if not dropping:
                kept.append(line)
            continue
        if head.startswith(b"BEGIN:"):
            depth += 1
        elif head.startswith(b"END:"):
            depth -= 1
        dropping = depth == 1 and head.startswith((b"METHOD:", b"METHOD;"))
        if not dropping:
            kept.append(line)
    return b"".join(kept)
