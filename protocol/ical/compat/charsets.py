"""Bodies in another charset than UTF-8, named by the Content-Type (RFC 4791 §5.3.2 requires UTF-8; RFC 5545 §6).

Scripts and old Outlook versions send them. The text is stored as UTF-8, so it differs from what was sent. A body that
is not UTF-8 and names no charset is refused, because a wrong guess would spoil people's names for ever.
"""

from __future__ import annotations

import codecs

from protocol.errors import Condition, Refusal

_TEXT = ("utf-16", "utf-32", "iso8859", "iso2022", "cp", "koi8", "mac", "gb", "big5", "shift_jis", "euc", "tis")
"""The families of real text charsets; Python's codecs also include compression and other things."""


def transcode(data: bytes, charset: str | None) -> tuple[bytes, list[str]]:
    """``data`` as UTF-8, and the repairs made; refuses a charset that is unknown or does not fit."""
    if charset is None:
        return data, []
    try:
        name = codecs.lookup(charset.strip("\"' ")).name
        if name in ("utf-8", "utf-8-sig", "ascii"):
            return data, []
        if not name.startswith(_TEXT):
            raise LookupError(name)
        return data.decode(name).lstrip("\ufeff").encode(), ["transcoded"]
    except (LookupError, ValueError):
        raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, f"The body is not {charset[:40]} text.") from None
