"""Calendar data that took thought: expansions and partial texts, by ETag (RFC 4791 §9.6).

A client that shows a week asks for the same week whenever anything in the calendar changed; all but the changed objects
render as before. An ETag stands for the bytes, so nothing here can be out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable

from caldav_server.calendaring.lens import Lens
from caldav_server.dav.caches.lensed import LensedCache, octets_of
from protocol.dav.xml import escape, escape_utf8
from protocol.ical.scanner import decode_text
from protocol.model import ETag

_MOST_OCTETS = 16 * 1024 * 1024
"""Seven weeks of a calendar of 10,000 objects, each week with a thousand of them."""
_LARGEST = 64 * 1024
_LONGEST_QUESTION = 8 * 1024
"""Octets of a question; it is hashed and weighed for every object, which costs more than rendering if it is long."""


def escaped(data: bytes) -> str:
    """A stored body as it was sent, for an element of XML."""
    try:
        return escape_utf8(data)
    except UnicodeDecodeError:
        return escape(decode_text(data))


def is_short(question: Hashable) -> bool:
    """Whether what is rendered for a question is worth remembering."""
    return octets_of(question) <= _LONGEST_QUESTION


class RenderingCache:
    """One per process; used from several storage threads."""

    def __init__(self, most_octets: int = _MOST_OCTETS) -> None:
        self._texts: LensedCache[str] = LensedCache(most_octets)

    def get(self, lens: Lens, etag: ETag, asked: Hashable, make: Callable[[], str]) -> str:
        """The text of an object as it was ``asked`` for; ``make`` renders it when it is not remembered."""
        key = (etag, asked)
        text = self._texts.get(lens, key)
        if text is None:
            text = make()
            if len(text) <= _LARGEST:
                self._texts.keep(lens, key, text, sys.getsizeof(text))
        return text
