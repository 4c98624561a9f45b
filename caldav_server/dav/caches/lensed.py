"""The one kind of cache of this face: bounded by weight, and every key begins with a lens.

What may be shown of an object depends on who looks (``calendaring.lens``). So there is no way to ask a cache without
saying through which lens. The key asked for longest ago is forgotten first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from operator import itemgetter
from typing import Generic, TypeVar

from cachetools import LRUCache

from caldav_server.calendaring.lens import Lens

V = TypeVar("V")
_OF_ENTRY = 512
"""Octets that an entry takes beside its key and value."""


class LensedCache(Generic[V]):
    """A bounded map of what was made through lenses; safe to use from several threads."""

    def __init__(self, most_octets: int) -> None:
        self._most = most_octets
        self._entries: LRUCache[Hashable, tuple[V, int]] = LRUCache(most_octets, getsizeof=itemgetter(1))
        self._lock = threading.Lock()

    @property
    def octets(self) -> int:
        """What everything weighs that is remembered now."""
        return int(self._entries.currsize)

    def get(self, lens: Lens, key: Hashable) -> V | None:
        """What is remembered under a key for whoever looks through this lens."""
        with self._lock:
            found = self._entries.get((lens, key))
        return None if found is None else found[0]

    def keep(self, lens: Lens, key: Hashable, value: V, octets: int) -> None:
        """Remember a value that takes ``octets``; the key is weighed here. What is too heavy is not kept."""
        weight = octets + octets_of(key) + _OF_ENTRY
        with self._lock:
            if weight <= self._most:
                self._entries[lens, key] = (value, weight)
            else:  # what was there may be this value, which has grown since it was weighed
                self._entries.pop((lens, key), None)


def octets_of(value: object) -> int:
    """The memory that a key takes: texts, octets and numbers, and tuples, sets and frozen dataclasses of them."""
    size = sys.getsizeof(value)
    if isinstance(value, tuple | frozenset):
        return size + sum(map(octets_of, value))
    if is_dataclass(value):
        return size + sum(octets_of(getattr(value, each.name)) for each in fields(value))
    return size
