"""Time zones by reference: the VTIMEZONEs that every client knows are left out (RFC 7809 §3.1.2).

Rules of this module: bytes in, bytes out; every octet outside of those VTIMEZONEs stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import available_timezones

_BLOCK = re.compile(
    rb"^BEGIN:VTIMEZONE[ \t]*\r?\n(.*?)^END:VTIMEZONE[ \t]*(?:\r?\n|\Z)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
_FOLD = re.compile(rb"\r?\n[ \t]")
_TZID = re.compile(rb"^TZID(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def without_standard_timezones(data: bytes) -> bytes:
    """A VCALENDAR text without the definitions of zones whose TZID is their IANA name."""
    if b"VTIMEZONE" not in data and b"vtimezone" not in data.lower():
        return data
    return _BLOCK.sub(_kept, data)


def _kept(block: re.Match[bytes]) -> bytes:
    found = _TZID.search(_FOLD.sub(b"", block[1]))
    if found is None or found[1].strip().decode("utf-8", "replace") not in _standard():
        return block[0]
    return b""


@lru_cache(maxsize=1)
def _standard() -> frozenset[str]:
    return frozenset(available_timezones())
