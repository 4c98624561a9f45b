"""Response elements of objects, remembered while nothing happens in their calendar.

Several devices of a person, and everybody who shares a calendar, ask for the same objects after the same change. Every
request reads the calendar's ``seq`` before all else, and nothing in a calendar changes without it: elements that were
read in one snapshot with this ``seq`` are what the rows would give again. Rules of this module: text in, text out; used
on the event loop alone; the question that was asked longest ago is forgotten first, of one question what was kept
longest ago, and the memory that all of it takes is bounded.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from protocol.model import CalendarId, Seq

_MOST_OCTETS = 8 * 1024 * 1024
"""Five thousand objects of a kilobyte and a half: what one answer of them all makes a process grow stays small."""
_LARGEST = 64 * 1024
"""Characters of an element worth remembering."""
_OF_ENTRY, _OF_ELEMENT = 1024, 256
"""Octets that a question and an element take beside the text."""
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class _Known:
    """What was made of one calendar for one question."""

    seq: Seq
    by_name: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def weight(self) -> int:
        return _OF_ENTRY + sum(_weight(name, text) for name, text in self.by_name.items())


def _weight(name: str, text: str) -> int:
    return _OF_ELEMENT + sys.getsizeof(name) + sys.getsizeof(text)


class Elements:
    """One per process."""

    def __init__(self, most_octets: int = _MOST_OCTETS) -> None:
        self._entries: OrderedDict[Hashable, _Known] = OrderedDict()
        """The one asked for last is the last."""
        self._held = 0
        self._most = most_octets

    def of(self, calendar_id: CalendarId, seq: Seq, question: Hashable) -> Mapping[str, str]:
        """Elements of objects by name, as they are while the calendar is at ``seq``."""
        key = (calendar_id, question)
        known = self._entries.get(key)
        if known is None or known.seq != seq:
            return _NONE
        self._entries.move_to_end(key)
        return known.by_name

    def keep(self, calendar_id: CalendarId, seq: Seq, question: Hashable, elements: Mapping[str, str]) -> None:
        """Remember elements that were read in a snapshot in which the calendar was at ``seq``."""
        key = (calendar_id, question)
        known = self._entries.get(key)
        if not elements or (known is not None and known.seq > seq):
            return
        if known is None or known.seq < seq:
            self._held += _OF_ENTRY - (known.weight() if known else 0)
            known = self._entries[key] = _Known(seq)
        self._entries.move_to_end(key)
        for name, text in elements.items():
            if len(text) <= _LARGEST:
                old = known.by_name.pop(name, None)
                self._held += _weight(name, text) - (0 if old is None else _weight(name, old))
                known.by_name[name] = text
        self._shrink()

    def _shrink(self) -> None:
        while self._held > self._most:
            key, known = next(iter(self._entries.items()))
            if known.by_name:
                self._held -= _weight(*known.by_name.popitem(last=False))
            else:
                self._held -= _OF_ENTRY
                del self._entries[key]
