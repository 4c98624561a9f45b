"""What a kind of job is, and what its handler gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from caldav_server.services import Services
from caldav_server.settings import Settings
from storage import jobs
from storage.database import Database, Transaction


class LeaseLost(Exception):
    """The lease of the job ended, so that another process may run it: this one must stop."""


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a job."""

    services: Services
    job: jobs.Job
    now: int
    """When the attempt began, epoch seconds."""
    lease_end: Callable[[], int]
    """When a lease that is renewed now ends, epoch seconds."""

    @property
    def db(self) -> Database:
        """The database of the process."""
        return self.services.db

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self.services.settings

    @property
    def payload(self) -> dict[str, Any]:
        """The arguments of the job. A handler may change them; ``keep_progress`` stores that."""
        return self.job.payload

    async def keep_progress(self) -> None:
        """Store the payload, so that the next attempt continues here, and renew the lease; may raise ``LeaseLost``."""
        until = self.lease_end()
        if not await self.db.write(lambda tx: jobs.renew(tx, self.job, until=until, payload=self.payload)):
            raise LeaseLost


Last = Callable[[Transaction], None]
"""The last step of a job. It commits together with the end of the job, so it takes effect once."""

Handler = Callable[[Run], Awaitable[Last | None]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: one row of JOBS."""

    name: str
    handler: Handler
    every: int | None = None
    """Seconds: one process of all adds a job of this kind in each period of this length."""
    at_start: Callable[[], str] | None = None
    """Each process that starts to run jobs adds a job of this kind with the key that this answers."""
    lease: int = 120
    """Seconds until another process takes over the job of a process that died. A running job renews its lease."""
    attempts: int = 6
    """How often a job is tried before it is dead."""
