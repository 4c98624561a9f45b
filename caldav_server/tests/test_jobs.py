"""The runner of jobs, on both databases: attempts, leases, stops, recurring jobs, jobs for all principals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from caldav_server.jobs import JOBS, upkeep
from caldav_server.jobs.each_principal import for_each_principal
from caldav_server.jobs.kind import JobKind, Last, Run
from caldav_server.jobs.metrics import queue_family
from caldav_server.jobs.runner import Runner
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import InstrumentedDatabase
from caldav_server.services import Services
from caldav_server.settings import JobSettings, Settings
from protocol.ical.index import INDEX_VERSION
from protocol.model import DAY, PrincipalId
from storage import jobs, principals, server_state
from storage.bus import Bus
from storage.database import Database, Transaction
from storage.ids import new_id
from storage.jobs import NOBODY, Job
from testing.samples import principal

SETTINGS = replace(Settings(), jobs=JobSettings(poll_seconds=0.05))
Work = Callable[[Run], Awaitable[Last | None]]


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    made = Database.open(url, allow_unsafe=True)
    made.migrate()
    yield made
    made.close()


@asynccontextmanager
async def running(db: Database, *kinds: JobKind, settings: Settings = SETTINGS) -> AsyncIterator[Services]:
    services = Services(settings, cast(InstrumentedDatabase, db), cast(logs.Log, None), Bus())
    runner = Runner(services, {kind.name: kind for kind in kinds})
    services.wake_jobs = runner.wake
    task = asyncio.create_task(runner.run())
    try:
        yield services
    finally:
        runner.stop()
        await asyncio.wait_for(task, 20)


async def add(db: Database, kind: str = "test", key: str = "k", principal_id: PrincipalId = NOBODY, **payload) -> None:
    now = await db.read(jobs.clock)
    await db.write(lambda tx: jobs.enqueue(tx, principal_id, kind, key, now=now, payload=payload))


async def stored(db: Database) -> list[Job]:
    return await db.read(jobs.list_all)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def nothing_left(db: Database) -> bool:
    return not await stored(db)


async def test_a_job_runs_and_its_last_step_commits_with_its_end(db: Database) -> None:
    """If the last step fails, the job is not done either."""
    tries: list[dict] = []

    async def handler(run: Run) -> Last:
        tries.append(dict(run.payload))

        def last(tx: Transaction) -> None:
            server_state.set_zone_data(tx, f"try {len(tries)}")
            if len(tries) == 1:
                raise ValueError("the first time")

        return last

    await add(db, n=7)
    async with running(db, JobKind("test", handler)) as services:
        await until(lambda: dead_or_waiting(db, "ValueError: the first time"))
        assert await db.point(server_state.zone_data) == ""
        await make_due(db)
        await until(lambda: nothing_left(db))
    assert await db.point(server_state.zone_data) == "try 2"
    assert tries == [{"n": 7}, {"n": 7}]
    assert counted(services) == {"jobs_failed": 1, "jobs_done": 1, "jobs_dead": 0}


def counted(services: Services) -> dict[str, int]:
    return {name: count for name, count in services.metrics.counters.items() if name.startswith("jobs_")}


async def dead_or_waiting(db: Database, error: str) -> bool:
    return any(job.last_error == error and job.lease is None for job in await stored(db))


async def make_due(db: Database) -> None:
    """Let no time pass before the next attempt."""
    for job in await stored(db):
        lease = new_id()
        held = await db.write(
            lambda tx, job=job, lease=lease: jobs.claim(
                tx, job.principal_id, job.kind, job.key, now=job.due_at, until=job.due_at, lease=lease
            )
        )
        assert held is not None
        await db.write(lambda tx, held=held: jobs.give_back(tx, held, now=0))


async def test_a_job_that_always_fails_is_dead_after_its_attempts(db: Database) -> None:
    async def handler(_run: Run) -> None:
        raise RuntimeError("always")

    await add(db)
    async with running(db, JobKind("test", handler, attempts=3)) as services:
        for attempt in (1, 2):
            await until(lambda n=attempt: attempts_made(db, n))
            (job,) = await stored(db)
            longest = jobs.FIRST_GAP << (attempt - 1)
            assert longest / 2 - 3 <= job.due_at - await db.read(jobs.clock) <= longest
            await make_due(db)
        await until(lambda: is_dead(db))
    (job,) = await stored(db)
    assert (job.attempts, job.last_error) == (3, "RuntimeError: always")
    (queue,) = await queue_family(db)
    assert {each.labels["state"]: each.value for each in queue.samples} == {"waiting": 0, "dead": 1}
    assert counted(services) == {"jobs_failed": 2, "jobs_done": 0, "jobs_dead": 1}


async def attempts_made(db: Database, number: int) -> bool:
    return all(job.attempts == number and job.lease is None for job in await stored(db))


async def is_dead(db: Database) -> bool:
    return all(job.dead for job in await stored(db))


async def test_no_more_jobs_run_at_once_than_allowed_and_none_waits_longer(db: Database) -> None:
    at_once: list[int] = []
    now_running = 0

    async def handler(_run: Run) -> None:
        nonlocal now_running
        now_running += 1
        at_once.append(now_running)
        await asyncio.sleep(0.05)
        now_running -= 1

    for n in range(12):
        await add(db, key=str(n))
    settings = replace(Settings(), jobs=JobSettings(concurrency=3, poll_seconds=60))
    async with running(db, JobKind("test", handler), settings=settings):
        await until(lambda: nothing_left(db))
    assert max(at_once) == 3
    assert len(at_once) == 12


async def test_a_wake_up_is_quicker_than_the_poll(db: Database) -> None:
    async def handler(_run: Run) -> None:
        pass

    settings = replace(Settings(), jobs=JobSettings(poll_seconds=60))
    async with running(db, JobKind("test", handler), settings=settings) as services:
        await asyncio.sleep(0.3)
        await add(db)
        services.wake_jobs()
        await until(lambda: nothing_left(db), 10)


async def test_a_stop_gives_the_lease_back_and_the_next_start_continues(db: Database) -> None:
    begun = asyncio.Event()

    async def slow(run: Run) -> None:
        if "half" in run.payload:
            return
        run.payload["half"] = True
        await run.keep_progress()
        begun.set()
        await asyncio.sleep(60)

    await add(db)
    async with running(db, JobKind("test", slow)):
        await asyncio.wait_for(begun.wait(), 20)
    (job,) = await stored(db)
    assert (job.lease, job.attempts, job.payload) == (None, 0, {"half": True})
    async with running(db, JobKind("test", slow)):
        await until(lambda: nothing_left(db))


async def test_a_running_job_keeps_its_lease_and_a_lost_one_ends_it(db: Database) -> None:
    runs: list[str] = []
    cancelled = asyncio.Event()

    async def slow(_run: Run) -> None:
        runs.append("begun")
        try:
            await asyncio.sleep(60 if len(runs) == 1 else 0)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    kind = JobKind("test", slow, lease=3)
    await add(db)
    async with running(db, kind), running(db, kind):
        await asyncio.sleep(5)
        assert runs == ["begun"], "the lease was renewed, so the other runner left the job alone"
        (job,) = await stored(db)
        assert job.lease is not None
        await db.write(lambda tx: jobs.give_back(tx, job, now=0))
        await until(lambda: nothing_left(db))
        await asyncio.wait_for(cancelled.wait(), 10)
    assert len(runs) == 2


async def test_a_job_that_nobody_survives_is_dead(db: Database) -> None:
    """Each attempt ended with its process: the lease ran out without a word."""

    async def handler(_run: Run) -> None:
        raise AssertionError("it must not be run once more")

    await add(db)
    for _ in range(2):
        (job,) = await stored(db)
        await db.write(
            lambda tx, job=job: jobs.claim(
                tx, NOBODY, job.kind, job.key, now=job.due_at, until=job.due_at, lease=new_id()
            )
        )
    async with running(db, JobKind("test", handler, attempts=2)):
        await until(lambda: is_dead(db))


async def test_a_period_has_one_job_however_many_run(db: Database) -> None:
    ran: list[str] = []

    async def handler(run: Run) -> None:
        ran.append(run.job.kind)

    kinds = (JobKind("daily", handler, every=DAY), JobKind("second", handler, every=1), JobKind("never", handler))
    async with running(db, *kinds), running(db, *kinds), running(db, *kinds):
        await asyncio.sleep(3.2)
    assert ran.count("daily") == 1
    assert 3 <= ran.count("second") <= 5
    assert "never" not in ran


async def test_jobs_of_other_versions_are_left_for_others(db: Database) -> None:
    async def handler(_run: Run) -> None:
        raise AssertionError

    await add(db, kind="of the next version")
    async with running(db, JobKind("test", handler)):
        await asyncio.sleep(0.3)
    (job,) = await stored(db)
    assert job.attempts == 0


async def test_one_principal_that_fails_does_not_stop_the_others(db: Database) -> None:
    people = [principal(f"user{n:03}") for n in range(250)]

    def save(tx: Transaction) -> None:
        for person in people:
            principals.save(tx, person)

    await db.write(save)
    bad = sorted(person.principal_id for person in people)[120]
    visited: list[bytes] = []

    async def one(owner: PrincipalId) -> None:
        visited.append(owner)
        if owner == bad and len(visited) < 300:
            raise RuntimeError("this one")

    async def handler(run: Run) -> None:
        await for_each_principal(run, one)

    await add(db, key="")
    async with running(db, JobKind("test", handler)):
        await until(lambda: dead_or_waiting(db, "RuntimeError: this one"))
        (own,) = await stored(db)
        assert own.principal_id == bad
        assert sorted(visited) == sorted([*(person.principal_id for person in people), bad])
        visited += [b""] * 100
        await make_due(db)
        await until(lambda: nothing_left(db))


async def test_an_interrupted_walk_continues_after_its_last_page(db: Database) -> None:
    people = [principal(f"user{n:03}") for n in range(250)]

    def save(tx: Transaction) -> None:
        for person in people:
            principals.save(tx, person)

    await db.write(save)
    visited: list[bytes] = []
    stopped = asyncio.Event()

    async def one(owner: PrincipalId) -> None:
        if len(visited) == 150 and not stopped.is_set():
            stopped.set()
            await asyncio.sleep(60)
        visited.append(owner)

    async def handler(run: Run) -> None:
        await for_each_principal(run, one)

    await add(db)
    async with running(db, JobKind("test", handler)):
        await asyncio.wait_for(stopped.wait(), 20)
    async with running(db, JobKind("test", handler)):
        await until(lambda: nothing_left(db))
    ids = sorted(person.principal_id for person in people)
    assert visited == ids[:150] + ids[100:]


async def test_upkeep_as_it_is_installed_runs_through(db: Database) -> None:
    await db.write(lambda tx: principals.save(tx, principal("anna")))
    async with running(db, *JOBS.values()) as services:
        await until(lambda: all_done(db, services))
    assert counted(services) == {"jobs_failed": 0, "jobs_done": len(JOBS), "jobs_dead": 0}
    assert await db.point(server_state.zone_data) == upkeep.zone_data_version()
    assert await db.point(server_state.index_version) == INDEX_VERSION
    assert await db.point(server_state.pruning_report) != ""


async def all_done(db: Database, services: Services) -> bool:
    return counted(services)["jobs_done"] >= len(JOBS) and not await stored(db)


async def test_a_job_for_other_zone_data_waits_for_a_process_that_has_them(db: Database) -> None:
    await add(db, kind="zone_data", key="2099a")
    await add(db, kind="old_indexes", key=str(INDEX_VERSION + 1))
    kinds = [replace(JOBS[name], at_start=None) for name in ("zone_data", "old_indexes")]
    async with running(db, *kinds):
        await until(lambda: attempts_made(db, 1))
    assert {job.last_error.partition(":")[0] for job in await stored(db)} == {"OtherVersion"}
    assert await db.point(server_state.zone_data) == ""
