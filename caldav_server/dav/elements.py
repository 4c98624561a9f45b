"""Response elements of objects, remembered while nothing happens in their calendar (architecture rule 9).

Several devices of a person, and everybody who shares a calendar, ask for the same objects after the same change. Every
request reads the calendar's ``seq`` before all else, and nothing in a calendar changes without it: elements that were
made under this ``seq``, or later, are what the rows would give again. Rules of this module: text in, text out; used on
the event loop alone; what was asked for longest ago is forgotten first, and what all of it weighs is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from protocol.model import Calendar, Seq

_MAX_CHARACTERS = 12 * 1024 * 1024
"""Ten thousand objects of a kilobyte."""
_LARGEST = 64 * 1024
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class _Known:
    """What was made of one calendar for one question."""

    seq: Seq
    by_name: OrderedDict[str, str] = field(default_factory=OrderedDict)


class Elements:
    """One per process."""

    def __init__(self, max_characters: int = _MAX_CHARACTERS) -> None:
        self._calendars: OrderedDict[Hashable, _Known] = OrderedDict()
        """The one asked for last is the last."""
        self._held = 0
        self._max = max_characters

    def of(self, calendar: Calendar, asked: Hashable) -> Mapping[str, str]:
        """Elements of objects by name, as they were ``asked`` for; ``calendar`` is its row as this request read it."""
        key = (calendar.calendar_id, asked)
        known = self._calendars.get(key)
        if known is None or known.seq != calendar.seq:
            return _NONE
        self._calendars.move_to_end(key)
        return known.by_name

    def keep(self, calendar: Calendar, asked: Hashable, elements: Mapping[str, str]) -> None:
        """Remember elements whose rows were read after ``calendar`` was."""
        key = (calendar.calendar_id, asked)
        known = self._calendars.get(key)
        if known is None or known.seq != calendar.seq:
            self._forget(known)
            known = self._calendars[key] = _Known(calendar.seq)
        self._calendars.move_to_end(key)
        for name, text in elements.items():
            if len(text) <= _LARGEST:
                self._held += len(text) - len(known.by_name.pop(name, ""))
                known.by_name[name] = text
        self._shrink()

    def _forget(self, known: _Known | None) -> None:
        if known is not None:
            self._held -= sum(map(len, known.by_name.values()))

    def _shrink(self) -> None:
        while self._held > self._max:
            key, known = next(iter(self._calendars.items()))
            if known.by_name:
                self._held -= len(known.by_name.popitem(last=False)[1])
            else:
                del self._calendars[key]
