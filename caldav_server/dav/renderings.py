"""Calendar data that took thought, remembered: expansions and partial texts, by ETag (RFC 4791 §9.6).

A client that shows a week asks for the same week whenever anything in the calendar changed; all but the changed objects
render as before. An ETag stands for the bytes, so nothing here can be stale. Rules of this module: text in, text out;
what was asked for longest ago is forgotten first, and what all of it weighs is bounded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from protocol.dav.xml import escape, escape_utf8
from protocol.ical.scanner import decode_text
from protocol.model import ETag

_MAX_CHARACTERS = 12 * 1024 * 1024
"""Seven weeks of a calendar of 10,000 objects, each week with a thousand of them."""
_LARGEST = 64 * 1024


def stored(data: bytes) -> str:
    """A stored body as it was sent, for an element of XML."""
    try:
        return escape_utf8(data)
    except UnicodeDecodeError:
        return escape(decode_text(data))


class Renderings:
    """One per process; used from several storage threads."""

    def __init__(self, max_characters: int = _MAX_CHARACTERS) -> None:
        self._texts: OrderedDict[tuple[ETag, Hashable], str] = OrderedDict()
        """The one asked for last is the last."""
        self._held = 0
        self._max = max_characters
        self._lock = threading.Lock()

    def get(self, etag: ETag, asked: Hashable, make: Callable[[], str]) -> str:
        """The text of an object as it was ``asked`` for; ``make`` renders it when it is not remembered."""
        key = (etag, asked)
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
                return text
        text = make()
        if len(text) <= _LARGEST:
            self._keep(key, text)
        return text

    def _keep(self, key: tuple[ETag, Hashable], text: str) -> None:
        with self._lock:
            if key not in self._texts:
                self._held += len(text)
            self._texts[key] = text
            while self._held > self._max:
                self._held -= len(self._texts.popitem(last=False)[1])
