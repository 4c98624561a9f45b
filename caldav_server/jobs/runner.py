"""Runs due jobs in one process, beside the requests or alone; several processes may do so at once.

It looks for due jobs when it is woken (a commit of this process added one), when a running job ends, and every
``poll_seconds``. It renews the leases of the jobs that it runs; on a stop it gives them back, and another process or
the next start continues. Rules of this module: leases go by the clock of the database, not of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from functools import partial
from itertools import islice

from caldav_server.jobs.kind import JobKind, LeaseLost, Run
from caldav_server.observability import logs
from caldav_server.services import Services
from protocol.model import PrincipalId
from storage import jobs, server_state
from storage.database import Transaction
from storage.errors import StorageError
from storage.ids import new_id
from storage.jobs import NOBODY, Job

CHOICE = 4
"""How many times more jobs are read than claimed. Which ones is left to chance, so that processes seldom try the
same."""

Found = list[tuple[PrincipalId, str, str]]


class Runner:
    """The jobs of one process."""

    def __init__(
        self,
        services: Services,
        kinds: Mapping[str, JobKind],
    ) -> None:
        self._services = services
        self._db = services.db
        self._settings = services.settings.jobs
        self._count = services.metrics.count
        self._kinds = kinds
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._clock_offset = time.time() - time.monotonic()
        """The clock of the database less the monotonic clock of this machine."""
        self._periods: dict[str, int] = {}
        """The last period of each recurring kind that is known to have begun."""

    def wake(self) -> None:
        """Look for due jobs now: a commit of this process added one."""
        self._woken.set()

    def stop(self) -> None:
        """Give back what is running and let ``run`` return."""
        self._stopping = True
        self._woken.set()

    async def run(self, *, settle_seconds: float = 0.0) -> None:
        """Run jobs until ``stop``; wait ``settle_seconds`` first, so that waiting clients are served before."""
        await self._wait(settle_seconds)
        started = False
        while not self._stopping:
            self._woken.clear()
            try:
                if not started:
                    await self._add_at_start()
                    started = True
                await self._add_recurring()
                await self._begin_due()
            except StorageError as error:
                logs.get().error("jobs wait for the database", kind=type(error).__name__, error=str(error))
            except Exception as error:
                logs.get().error("jobs could not be begun", exc_info=error)
            await self._wait(self._settings.poll_seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _now(self) -> int:
        return int(time.monotonic() + self._clock_offset)

    # -- adding

    async def _add_at_start(self) -> None:
        self._set_clock(await self._db.read(jobs.clock))
        for kind in self._kinds.values():
            if kind.at_start is not None:
                await self._add(kind, await asyncio.to_thread(kind.at_start))

    async def _add_recurring(self) -> None:
        now = self._now()
        for kind in self._kinds.values():
            if kind.every is not None and self._periods.get(kind.name) != now // kind.every:
                await self._db.write(partial(_begin_period, kind=kind, now=now))
                self._periods[kind.name] = now // kind.every

    async def _add(self, kind: JobKind, key: str) -> None:
        await self._db.write(partial(jobs.enqueue, principal_id=NOBODY, kind=kind.name, key=key, now=self._now()))

    # -- claiming

    def _set_clock(self, now: int) -> None:
        self._clock_offset = now - time.monotonic()

    async def _begin_due(self) -> None:
        """Claim and start due jobs until there are no more or no room for them."""
        while (free := self._settings.concurrency - len(self._running)) > 0 and not self._stopping:
            now, found = await self._db.read(partial(_look, kinds=tuple(self._kinds), limit=free * CHOICE))
            self._set_clock(now)
            if not found:
                return
            random.shuffle(found)
            for job in await self._db.write(partial(self._claim, found=found, limit=free)):
                task = asyncio.create_task(self._attempt(job), name=f"job {job.kind}")
                self._running.add(task)
                task.add_done_callback(self._ended)

    def _claim(self, tx: Transaction, found: Found, limit: int) -> list[Job]:
        """Claim those of the found jobs that are still free, up to a number."""
        now = self._now()
        claimed = (
            jobs.claim(tx, principal_id, kind, key, now=now, until=now + self._kinds[kind].lease, lease=new_id())
            for principal_id, kind, key in found
        )
        return list(islice((job for job in claimed if job is not None), limit))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    # -- one attempt

    async def _attempt(self, job: Job) -> None:
        kind = self._kinds[job.kind]
        try:
            if job.attempts > kind.attempts:
                await self._failed(job, kind, f"no process survived it: {job.last_error}")
            else:
                await self._run(job, kind)
        except LeaseLost:
            logs.get().warning("the lease of a job ended while it ran", job=job.kind, principal=job.principal_id.hex())
        except asyncio.CancelledError:
            with contextlib.suppress(StorageError):  # then the lease ends by itself
                await self._db.write(partial(jobs.give_back, job=job, now=self._now()))
        except Exception as error:
            logs.get().error("a job failed", job=job.kind, principal=job.principal_id.hex(), exc_info=error)
            with contextlib.suppress(StorageError):
                await self._failed(job, kind, f"{type(error).__name__}: {error}")

    async def _run(self, job: Job, kind: JobKind) -> None:
        run = Run(self._services, job, self._now(), lambda: self._now() + kind.lease)
        handler = asyncio.ensure_future(kind.handler(run))
        renewal = asyncio.create_task(self._renew(job, kind))
        try:
            await asyncio.wait((handler, renewal), return_when=asyncio.FIRST_COMPLETED)
            if not handler.done():
                raise LeaseLost
            last = handler.result()
        finally:
            for task in (handler, renewal):
                task.cancel()
            await asyncio.gather(handler, renewal, return_exceptions=True)

        def end(tx: Transaction) -> None:
            if not jobs.finish(tx, job):
                raise LeaseLost
            if last is not None:
                last(tx)

        await self._db.write(end)
        self._count("jobs_done")
        logs.get().debug("job done", job=job.kind, key=job.key, principal=job.principal_id.hex())

    async def _renew(self, job: Job, kind: JobKind) -> None:
        """Renew the lease until it is lost, or until the database did not answer for as long as it lasts."""
        end = job.due_at
        while (now := self._now()) < end:
            await asyncio.sleep(min(kind.lease / 3, max(1, end - now)))
            until = self._now() + kind.lease
            try:
                if not await self._db.write(partial(jobs.renew, job=job, until=until)):
                    return
                end = until
            except StorageError as error:
                logs.get().warning("a lease could not be renewed", job=job.kind, error=str(error))

    async def _failed(self, job: Job, kind: JobKind, error: str) -> None:
        dead = job.attempts >= kind.attempts
        gap = jobs.retry_gap(job.attempts, random.random())  # noqa: S311 (spreads retries, keeps no secret)
        due_at = None if dead else self._now() + gap
        await self._db.write(partial(jobs.fail, job=job, error=error, due_at=due_at))
        if dead:
            logs.get().error("a job is dead", id=job.job_id.hex(), job=job.kind, principal=job.principal_id.hex())
        self._count("jobs_dead" if dead else "jobs_failed")


def _look(tx: Transaction, kinds: tuple[str, ...], limit: int) -> tuple[int, Found]:
    """The time of the database and the jobs that are due then."""
    now = jobs.clock(tx)
    return now, jobs.due(tx, kinds, now=now, limit=limit)


def _begin_period(tx: Transaction, kind: JobKind, now: int) -> None:
    """Add the job of a period, unless another process did."""
    if kind.every is not None and server_state.begin_period(tx, kind.name, now // kind.every):
        jobs.enqueue(tx, NOBODY, kind.name, "", now=now)
