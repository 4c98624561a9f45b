"""What an operator does with jobs: see them, try dead ones again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from storage import jobs, principals
from storage.database import Transaction
from storage.jobs import NOBODY, Job


@dataclass(frozen=True, slots=True)
class Listed:
    """A job that is not done."""

    job: Job
    principal: str
    """The name of the principal; empty when the job belongs to none."""

    @property
    def state(self) -> str:
        """``dead``, ``running`` or ``waiting``."""
        if self.job.dead:
            return "dead"
        return "waiting" if self.job.lease is None else "running"


def list_jobs(tx: Transaction) -> list[Listed]:
    """Every job that is not done, the dead ones first."""
    names: dict[bytes, str] = {NOBODY: ""}
    listed = []
    for job in jobs.list_all(tx):
        owner = job.principal_id
        if owner not in names:
            principal = principals.get(tx, owner)
            names[owner] = owner.hex() if principal is None else principal.name
        listed.append(Listed(job, names[owner]))
    return sorted(listed, key=lambda each: not each.job.dead)


def retry(tx: Transaction, job_ids: Collection[bytes] | None, now: int) -> int:
    """Make dead jobs due again, those with these ids or all; answers how many."""
    dead = [job for job in jobs.list_all(tx) if job.dead and (job_ids is None or job.job_id in job_ids)]
    return sum(jobs.retry(tx, job, now=now) for job in dead)
