"""METHOD in a stored object (RFC 4791 §4.1 forbids it).

Mail programs send it that store an invitation as it came. The METHOD lines are removed from the text, because every
client that reads the object would take it for a scheduling message. No other repair changes the text in this way.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol.ical.components import Component
from protocol.ical.scanner import CONTROLS

_HEAD = 20
"""This many octets show what a line is: METHOD, BEGIN and END are shorter, with room for spaces before the colon."""


def remove(data: bytes, calendar: Component) -> bytes:
    """``data`` without the METHOD lines of its VCALENDAR and without control characters; the view loses them too."""
    calendar.properties = [line for line in calendar.properties if line.name != "METHOD"]
    kept: list[bytes] = []
    depth = 0
    for group in _logical_lines(data.translate(None, CONTROLS)):
        name = _name(group)
        if name == b"BEGIN":
            depth += 1
        elif name == b"END":
            depth -= 1
        elif name == b"METHOD" and depth == 1:
            continue
        kept.extend(group)
    return b"".join(kept)


def _logical_lines(data: bytes) -> Iterator[list[bytes]]:
    """Each content line as the physical lines of its folds, with line ends."""
    first, *rest = data.splitlines(keepends=True)
    group = [first]
    for line in rest:
        folded = line[:1] in (b" ", b"\t") or (line in (b"\r\n", b"\r") and group[-1].endswith(b"\r"))
        if not folded:
            yield group
            group = []
        group.append(line)
    yield group


def _name(group: list[bytes]) -> bytes:
    head = b""
    for number, line in enumerate(group):
        head += (line[1:] if number and line[:1] in b" \t" else line).rstrip(b"\r\n")
        if len(head) > _HEAD:
            break
    return head.removeprefix(b"\xef\xbb\xbf").partition(b":")[0].partition(b";")[0].strip().upper()
