"""Which of several worker processes accepts a connection: one that has fewer than the others.

The workers accept from the same listening sockets. Left alone, one of them is often faster than the others, and
clients keep their connections for hours. So a worker that has more connections than another one, or as many and the
newest, leaves the next connection to it for a moment (``accepting``). Rules of this module: numbers only.
"""

from __future__ import annotations

from collections.abc import MutableSequence

Counts = MutableSequence[int]
"""The connections of each worker, in shared memory, and last the worker that accepted the newest one. Each worker
writes its own count alone, so that none is ever lost."""
TOLERANCE = 16
"""Another worker must have fewer connections by more than one in so many: a storm of clients is not held up."""
_ABSENT = 1 << 30
"""The count of a worker that accepts nothing."""


def no_workers(count: int) -> list[int]:
    """The counts before any worker is there."""
    return [_ABSENT] * count + [0]


class LoadBalance:
    """One worker's view of the counts."""

    def __init__(self, counts: Counts, number: int) -> None:
        self._counts = counts
        self._number = number

    def report(self, connections: int) -> None:
        """Say how many connections this worker has."""
        if connections > self._counts[self._number]:
            self._counts[-1] = self._number
        self._counts[self._number] = connections

    def close(self) -> None:
        """Say that this worker accepts no more."""
        self._counts[self._number] = _ABSENT

    def should_yield(self) -> bool:
        """Whether another worker should have the next connection."""
        *others, newest = self._counts
        mine = others.pop(self._number)
        least = min(others, default=_ABSENT)
        return mine > least + least // TOLERANCE or (mine == least and newest == self._number)
