"""Which worker of how many a process is, and how many connections each of them has.

The workers accept from the same listening sockets. Left alone, one of them is often faster than the others, and
clients keep their connections for hours. So a worker that has more connections than another one, or as many and the
newest, leaves the next connection to it for a moment (``http.accepting``).
"""

from __future__ import annotations

import ctypes
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import cast

Counts = MutableSequence[int]
"""Connections by worker, in shared memory, and at the end which worker accepted the newest. Each worker writes its own
count alone, so that none is ever lost."""
TOLERANCE = 16
"""Another worker must have fewer connections by more than one in so many: a storm of clients is not held up."""
_ABSENT = 1 << 30
"""The number of a worker that accepts nothing."""


def shared_counts(workers: int, context: SpawnContext) -> Counts:
    """The counts of workers that are not there yet."""
    return cast(Counts, context.RawArray(ctypes.c_uint32, [_ABSENT] * workers + [0]))


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """One worker among several, or the only one."""

    number: int = 0
    count: int = 1
    folder: str = ""
    """A private folder in which workers find each other."""
    counts: Counts = field(default_factory=lambda: [0, 0], repr=False, compare=False)

    @property
    def name(self) -> str:
        """The label of this worker in logs and metrics; empty when it is the only one."""
        return str(self.number) if self.count > 1 else ""

    def socket(self, number: int) -> str:
        """The path of the socket on which a worker hands out its numbers."""
        return str(Path(self.folder) / f"worker-{number}.sock")

    def report(self, connections: int) -> None:
        """Say how many connections this worker has."""
        if connections > self.counts[self.number]:
            self.counts[-1] = self.number
        self.counts[self.number] = connections

    def close(self) -> None:
        """Say that this worker accepts no more."""
        self.counts[self.number] = _ABSENT

    def should_yield(self) -> bool:
        """Whether another worker should have the next connection."""
        *others, newest = self.counts
        mine = others.pop(self.number)
        least = min(others, default=_ABSENT)
        return mine > least + least // TOLERANCE or (mine == least and newest == self.number)
