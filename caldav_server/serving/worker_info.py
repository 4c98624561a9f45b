"""What a worker knows of itself and of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from caldav_server.http.load_balancing import Counts, LoadBalance, no_workers


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker among several, or the only one."""

    number: int = 0
    count: int = 1
    folder: str = ""
    """A private folder in which workers find each other."""
    counts: Counts = field(default_factory=lambda: no_workers(1), repr=False, compare=False)
    """How many connections each of them has."""

    @property
    def name(self) -> str:
        """The label of this worker in logs and metrics; empty when it is the only one."""
        return str(self.number) if self.count > 1 else ""

    @property
    def balance(self) -> LoadBalance:
        """This worker's part in sharing the connections."""
        return LoadBalance(self.counts, self.number)

    def socket(self, number: int) -> str:
        """The path of the socket on which a worker hands out its metrics."""
        return str(Path(self.folder) / f"worker-{number}.sock")
