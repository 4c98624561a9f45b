"""Calendar data that took thought, remembered: expansions and partial texts, by ETag (RFC 4791 §9.6).

A client that shows a week asks for the same week whenever anything in the calendar changed; all but the changed objects
render as before. An ETag stands for the bytes, so nothing here can be stale. Rules of this module: text in, text out;
the oldest is forgotten first, and what all of it weighs is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from protocol.model import ETag

_MAX_CHARACTERS = 8 * 1024 * 1024
_LARGEST = 64 * 1024


class Renderings:
    """One per process; used from several storage threads, each step of which is a single operation on a dict."""

    def __init__(self, max_characters: int = _MAX_CHARACTERS) -> None:
        self._texts: dict[tuple[ETag, Hashable], str] = {}
        self._held = 0
        self._max = max_characters

    def get(self, etag: ETag, asked: Hashable, make: Callable[[], str]) -> str:
        """The text of an object as it was ``asked`` for; ``make`` renders it when it is not remembered."""
        key = (etag, asked)
        text = self._texts.get(key)
        if text is not None:
            return text
        text = make()
        if len(text) <= _LARGEST:
            self._keep(key, text)
        return text

    def _keep(self, key: tuple[ETag, Hashable], text: str) -> None:
        if self._held + len(text) > self._max:
            # Everything goes at once: simpler than an order of use, and the next answers bring back what is wanted.
            self._texts, self._held = {}, 0
        self._texts[key] = text
        self._held += len(text)
