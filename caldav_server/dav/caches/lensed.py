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


class _Key:
    """A lens and what is asked through it, hashed once: a look-up hashes its key several times."""

    __slots__ = ("_hash", "value")

    def __init__(self, lens: Lens, key: Hashable) -> None:
        self.value = (lens, key)
        self._hash = hash(self.value)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.value == other.value


class LensedCache(Generic[V]):
    """A bounded map of what was made through lenses; safe to use from several threads."""

    def __init__(self, most_octets: int) -> None:
        self._most = most_octets
        self._entries: LRUCache[_Key, tuple[V, int]] = LRUCache(most_octets, getsizeof=itemgetter(1))
        self._lock = threading.Lock()

    @property
    def octets(self) -> int:
        """What everything weighs that is remembered now."""
        return int(self._entries.currsize)

    def get(self, lens: Lens, key: Hashable) -> V | None:
        """What is remembered under a key for whoever looks through this lens."""
        wanted = _Key(lens, key)
        with self._lock:
            try:
                return self._entries[wanted][0]
            except KeyError:
                return None

    def keep(self, lens: Lens, key: Hashable, value: V, octets: int) -> None:
        """Remember a value that takes ``octets``; the key is weighed here. What is too heavy is not kept."""
        weight = octets + octets_of(key) + _OF_ENTRY
        kept = _Key(lens, key)
        with self._lock:
            if weight <= self._most:
                self._entries[kept] = (value, weight)
            else:  # what was there may be this value, which has grown since it was weighed
                self._entries.pop(kept, None)


def octets_of(value: object) -> int:
    """The memory that a key takes: texts, octets and numbers, and tuples, sets and frozen dataclasses of them."""
    size = sys.getsizeof(value)
    if isinstance(value, tuple | frozenset):
        return size + sum(map(octets_of, value))
    if is_dataclass(value):
        return size + sum(octets_of(getattr(value, each.name)) for each in fields(value))
    return size
