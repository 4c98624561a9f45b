"""The database of the settings, with a count and the durations of its units of work for /metrics."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from caldav_server.observability.metrics import Family, Sample
from caldav_server.settings import Settings
from storage.database import Database, Engine, Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Summary:
    """How many units of work of one kind there were, and their seconds in all, waiting for a thread included."""

    count: int = 0
    seconds: float = 0.0

    def add(self, started: float) -> None:
        """Adds one that began at ``started``, a time of ``time.perf_counter``."""
        self.count += 1
        self.seconds += time.perf_counter() - started


class InstrumentedDatabase(Database):
    """A database that counts and times its units of work."""

    def __init__(self, url: str, engine: Engine) -> None:
        super().__init__(url, engine)
        self.reads, self.writes, self.points = Summary(), Summary(), Summary()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """As ``Database.read``."""
        started = time.perf_counter()
        try:
            return await super().read(work)
        finally:
            self.reads.add(started)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """As ``Database.write``."""
        started = time.perf_counter()
        try:
            return await super().write(work)
        finally:
            self.writes.add(started)

    async def point(self, work: Callable[[Transaction], T]) -> T:
        """As ``Database.point``."""
        started = time.perf_counter()
        try:
            return await super().point(work)
        finally:
            self.points.add(started)

    def family(self) -> Family:
        """The counts and seconds of each kind of unit of work."""
        kinds = {"read": self.reads, "write": self.writes, "point": self.points}
        samples = [
            sample
            for kind, summary in kinds.items()
            for sample in (
                Sample("_count", {"kind": kind}, summary.count),
                Sample("_sum", {"kind": kind}, summary.seconds),
            )
        ]
        return Family("database_seconds", "summary", "Time of units of work, waiting for a thread included.", samples)


def open_database(settings: Settings) -> InstrumentedDatabase:
    """Opens the database of the settings; makes the folder of a SQLite file when there is none."""
    url = settings.database.url
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        folder.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    return InstrumentedDatabase.open(
        url, pool_size=settings.database.pool_size, busy_timeout=settings.database.busy_seconds
    )
