"""Response elements of objects, remembered while nothing happens in their calendar.

Several devices of a person, and everybody who shares a calendar, ask for the same objects after the same change. Every
request reads the calendar's ``seq`` before all else, and nothing in a calendar changes without it. So elements that
were read in one snapshot with this ``seq`` are what the rows would give again. Used on the event loop alone.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from caldav_server.calendaring.lens import Lens
from caldav_server.dav.caches.lensed import LensedCache
from protocol.model import CalendarId, Seq

_MOST_OCTETS = 8 * 1024 * 1024
"""Five thousand objects of a kilobyte and a half: what one answer of them all makes a process grow stays small."""
_LARGEST = 64 * 1024
"""Characters of an element worth remembering."""
_OF_ELEMENT = 256
"""Octets that an element takes beside its name and text."""
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class _Known:
    """What was made of one calendar for one question."""

    seq: Seq
    by_name: dict[str, str] = field(default_factory=dict)
    octets: int = 0


class ObjectResponseCache:
    """One per process."""

    def __init__(self, most_octets: int = _MOST_OCTETS) -> None:
        self._entries: LensedCache[_Known] = LensedCache(most_octets)
        self._most = most_octets * 7 // 8
        """So much one question may take."""

    @property
    def octets(self) -> int:
        """What everything weighs that is remembered now."""
        return self._entries.octets

    def get(self, lens: Lens, calendar_id: CalendarId, seq: Seq, question: Hashable) -> Mapping[str, str]:
        """Elements of objects by name, as they are while the calendar is at ``seq``."""
        known = self._entries.get(lens, (calendar_id, question))
        return _NONE if known is None or known.seq != seq else known.by_name

    def keep(
        self, lens: Lens, calendar_id: CalendarId, seq: Seq, question: Hashable, elements: Mapping[str, str]
    ) -> None:
        """Remember elements that were read in a snapshot in which the calendar was at ``seq``."""
        key = (calendar_id, question)
        known = self._entries.get(lens, key)
        if not elements or (known is not None and known.seq > seq):
            return
        if known is None or known.seq < seq:
            known = _Known(seq)
        for name, text in elements.items():
            octets = sys.getsizeof(name) + sys.getsizeof(text) + _OF_ELEMENT
            if len(text) <= _LARGEST and name not in known.by_name and known.octets + octets <= self._most:
                known.by_name[name] = text
                known.octets += octets
        self._entries.keep(lens, key, known, known.octets)
