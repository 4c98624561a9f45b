"""The job queue: one worker at a time, leases, attempts, idempotency keys, dead jobs, periods."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import pytest

from protocol.model import PrincipalId
from storage import jobs, server_state
from storage.database import Batch, Database, Transaction
from storage.ids import new_id
from storage.jobs import NOBODY, Job
from testing.samples import NOW, home

KIND = "test"


async def enqueue(db: Database, key: str = "k", principal_id: PrincipalId = NOBODY, **more) -> None:
    await db.write(lambda tx: jobs.enqueue(tx, principal_id, KIND, key, now=NOW, **more))


async def claim(db: Database, now: int = NOW, until: int = NOW + 60) -> Job | None:
    """The job that is due longest, claimed."""

    def work(tx: Transaction) -> Job | None:
        for principal_id, kind, key in jobs.due(tx, [KIND], now=now, limit=1):
            return jobs.claim(tx, principal_id, kind, key, now=now, until=until, lease=new_id())
        return None

    return await db.write(work)


async def stored(db: Database) -> list[Job]:
    return await db.read(jobs.list_all)


async def test_a_job_is_there_with_the_commit_of_its_transaction_and_not_without(db: Database) -> None:
    pid, _ = await home(db)

    def fails(tx: Transaction) -> None:
        jobs.enqueue(tx, pid, KIND, "never", now=NOW)
        raise ValueError

    with pytest.raises(ValueError):
        await db.write(fails)
    assert await stored(db) == []
    await db.write(Batch(lambda tx: jobs.enqueue(tx, pid, KIND, "k", now=NOW, payload={"a": ["ü", 1]})))
    (job,) = await stored(db)
    assert (job.principal_id, job.kind, job.key, job.payload) == (pid, KIND, "k", {"a": ["ü", 1]})
    assert (job.created_at, job.due_at, job.lease, job.attempts, job.dead, job.last_error) == (
        NOW,
        NOW,
        None,
        0,
        False,
        "",
    )


async def test_the_oldest_due_job_of_the_wanted_kinds_comes_first(db: Database) -> None:
    await enqueue(db, "late", due_at=NOW + 10)
    await enqueue(db, "old", due_at=NOW - 10)
    await enqueue(db, "now")
    await db.write(lambda tx: jobs.enqueue(tx, NOBODY, "other", "k", now=NOW - 20))
    found = await db.read(lambda tx: jobs.due(tx, [KIND], now=NOW, limit=9))
    assert [key for _, _, key in found] == ["old", "now"]
    assert len(await db.read(lambda tx: jobs.due(tx, [KIND, "other"], now=NOW + 10, limit=9))) == 4
    assert len(await db.read(lambda tx: jobs.due(tx, [KIND], now=NOW, limit=1))) == 1
    assert await db.read(lambda tx: jobs.due(tx, [], now=NOW, limit=1)) == []


async def test_a_key_is_taken_until_the_job_is_done(db: Database) -> None:
    pid, _ = await home(db)
    await enqueue(db, payload={"n": 1})
    await enqueue(db, payload={"n": 2})
    await enqueue(db, principal_id=pid)
    await enqueue(db, "another")
    assert Counter((job.principal_id, job.key) for job in await stored(db)) == {
        (NOBODY, "k"): 1,
        (pid, "k"): 1,
        (NOBODY, "another"): 1,
    }
    job = await claim(db)
    assert job is not None and job.payload == {"n": 1}
    await enqueue(db)
    assert len(await stored(db)) == 3, "a running job still has its key"
    assert await db.write(lambda tx: jobs.finish(tx, job))
    await enqueue(db, payload={"n": 3})
    assert {"n": 3} in [each.payload for each in await stored(db)]


async def test_a_lease_keeps_others_away_until_it_ends(db: Database) -> None:
    await enqueue(db)
    first = await claim(db)
    assert first is not None and (first.attempts, first.due_at) == (1, NOW + 60)
    assert await claim(db, NOW + 59) is None
    assert await db.write(lambda tx: jobs.renew(tx, first, until=NOW + 90, payload={"done": 5}))
    assert await claim(db, NOW + 89) is None
    second = await claim(db, NOW + 90, NOW + 150)
    assert second is not None and (second.attempts, second.payload) == (2, {"done": 5})
    for lost in (
        lambda tx: jobs.renew(tx, first, until=NOW + 999),
        lambda tx: jobs.finish(tx, first),
        lambda tx: jobs.fail(tx, first, error="late", due_at=NOW),
        lambda tx: jobs.give_back(tx, first, now=NOW),
    ):
        assert not await db.write(lost)
    assert await stored(db) == [second]
    assert await db.write(lambda tx: jobs.finish(tx, second))
    assert await stored(db) == []


async def test_a_failed_job_is_due_again_later_and_dead_in_the_end(db: Database) -> None:
    await enqueue(db, payload={"n": 1})
    job = await claim(db)
    assert await db.write(lambda tx: jobs.fail(tx, job, error="x" * 5000 + "end", due_at=NOW + 30))
    assert await claim(db, NOW + 29) is None
    again = await claim(db, NOW + 30, NOW + 60)
    assert again is not None and again.attempts == 2
    assert again.last_error.endswith("end") and len(again.last_error) == jobs.ERROR_LENGTH
    assert await db.write(lambda tx: jobs.fail(tx, again, error="no more", due_at=None))
    (dead,) = await stored(db)
    assert (dead.dead, dead.last_error, dead.lease) == (True, "no more", None)
    assert await claim(db, NOW + 10**6) is None
    assert await db.write(lambda tx: jobs.retry(tx, dead, now=NOW + 99))
    assert not await db.write(lambda tx: jobs.retry(tx, dead, now=NOW + 99)), "it is dead no more"
    revived = await claim(db, NOW + 99)
    assert revived is not None and (revived.attempts, revived.payload, revived.last_error) == (1, {"n": 1}, "no more")


async def test_enqueueing_a_dead_job_makes_it_due_with_the_new_payload(db: Database) -> None:
    await enqueue(db, payload={"n": 1})
    job = await claim(db)
    await db.write(lambda tx: jobs.fail(tx, job, error="broken", due_at=None))
    await enqueue(db, payload={"n": 2})
    again = await claim(db)
    assert again is not None and (again.payload, again.attempts, again.last_error) == ({"n": 2}, 1, "")
    assert len(await stored(db)) == 1


async def test_a_job_that_is_given_back_was_not_attempted(db: Database) -> None:
    await enqueue(db)
    job = await claim(db)
    assert await db.write(lambda tx: jobs.give_back(tx, job, now=NOW + 1))
    again = await claim(db, NOW + 1)
    assert again is not None and again.attempts == 1


def test_gaps_grow_to_a_limit_and_are_spread() -> None:
    assert [jobs.retry_gap(n, 0.0) for n in (1, 2, 3, 4)] == [30, 60, 120, 240]
    assert jobs.retry_gap(1, 1.0) == 15
    assert jobs.retry_gap(5, 0.5) == 360
    assert jobs.retry_gap(11, 0.0) == jobs.retry_gap(500, 0.0) == jobs.LONGEST_GAP


async def test_counts(db: Database) -> None:
    pid, _ = await home(db)
    assert await db.read(jobs.counts) == (0, 0)
    for key in "abc":
        await enqueue(db, key, pid)
    await enqueue(db, "d")
    for _ in range(2):
        job = await claim(db)
        await db.write(lambda tx, job=job: jobs.fail(tx, job, error="broken", due_at=None))
    await claim(db)
    assert await db.read(jobs.counts) == (2, 2)


async def test_the_clock_is_that_of_the_database(db: Database) -> None:
    assert abs(await db.read(jobs.clock) - time.time()) < 30


async def test_a_period_begins_once(db: Database) -> None:
    begun = [await db.write(lambda tx, n=n: server_state.begin_period(tx, "daily", n)) for n in (5, 5, 4, 6, 6)]
    assert begun == [True, False, False, True, False]
    assert await db.write(lambda tx: server_state.begin_period(tx, "another", 5))


_CLAIMER = """
import asyncio, sys
from storage import jobs, server_state
from storage.database import Database
from storage.ids import new_id
async def main():
    db = Database.open(sys.argv[1], allow_unsafe=True)
    def work(tx):
        claimed = []
        for pid, kind, key in jobs.due(tx, ["test"], now=1_800_000_000, limit=5):
            job = jobs.claim(tx, pid, kind, key, now=1_800_000_000, until=1_900_000_000, lease=new_id())
            claimed += [job.key] if job else []
        return claimed
    await db.read(jobs.clock)
    print("ready", flush=True)
    sys.stdin.readline()
    print("period", await db.write(lambda tx: server_state.begin_period(tx, "race", 7)), flush=True)
    while await db.read(lambda tx: jobs.due(tx, ["test"], now=1_800_000_000, limit=1)):
        for key in await db.write(work):
            print(key, flush=True)
    db.close()
asyncio.run(main())
"""


@pytest.mark.slow
async def test_processes_that_claim_at_once_get_each_job_once(db: Database) -> None:
    owners = [(await home(db, f"user{n}"))[0] for n in range(3)]
    for n in range(120):
        await enqueue(db, str(n), owners[n % 3])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _CLAIMER, db.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(words[1] for words in said) == ["False", "False", "True"]
    assert sorted(key for words in said for key in words[2:]) == sorted(map(str, range(120)))
    assert all(job.attempts == 1 for job in await stored(db))
