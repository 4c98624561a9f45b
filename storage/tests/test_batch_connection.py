"""Batches on PostgreSQL's batch connection: the same outcome as in a thread, whatever fails."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import psycopg
import pytest
from sqlalchemy import func, select

from protocol.model import ETag
from storage import calendars, objects
from storage.database import Batch, Database, Statement, Transaction
from storage.errors import CommitUnknown, RowChanged, Unavailable
from testing.postgres import PostgresServer, database_name
from testing.samples import NOW, add, home, live, new_object

_TROUBLE = Statement(select(func.trouble_once()), across="a test")


@pytest.fixture
def fast(postgres_url: str):
    db = Database.open(postgres_url, allow_unsafe=True, patience=2, busy_timeout=1)
    yield db
    db.close()


async def batch_connection_of(db: Database):
    for _ in range(500):
        await db.write(Batch(lambda tx: None))
        found = [each for each in db._engine._batch_connections if each.is_free]  # type: ignore[attr-defined]
        if found:
            return found[0]
        await asyncio.sleep(0.01)
    raise AssertionError("the connection never opened")


async def stored(db: Database, count: int):
    """A calendar with so many objects: its ids, and each object's."""
    pid, cid = await home(db)
    samples = [new_object(f"{n}.ics", text=b"text", etag=f"e{n}") for n in range(count)]
    for sample in samples:
        await db.write(lambda tx, sample=sample: add(tx, pid, cid, sample))
    return pid, cid, samples


def tombstone(pid, cid, sample, expected: str, tx: Transaction):
    calendars.advance(tx, pid, cid, members=-1, size=-4)
    return objects.tombstone_at_current_seq(tx, pid, cid, sample.object_id, now=NOW, expected=ETag(expected))


def kick(postgres: PostgresServer, db: Database, only: str = "true") -> None:
    """End connections and wait until they are gone."""
    theirs = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND {only}"
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        while admin.execute(theirs, [database_name(db.url)]).rowcount:
            time.sleep(0.01)
        time.sleep(0.01)


async def test_many_batches_at_once_each_take_a_number_of_their_own(fast: Database) -> None:
    pid, cid, samples = await stored(fast, 60)
    connection = await batch_connection_of(fast)
    some = [Batch(partial(tombstone, pid, cid, sample, f"e{n}")) for n, sample in enumerate(samples)]
    receipts = await asyncio.gather(*map(fast.write, some))
    assert sorted(receipt.row[0] for receipt in receipts) == list(range(61, 121))
    assert await fast.read(lambda tx: live(tx, pid, cid)) == []
    assert not connection.broken


async def test_a_batch_whose_row_changed_changes_nothing(fast: Database) -> None:
    pid, cid, (sample,) = await stored(fast, 1)
    connection = await batch_connection_of(fast)
    for _ in range(3):
        with pytest.raises(RowChanged):
            await fast.write(Batch(partial(tombstone, pid, cid, sample, "another")))
        assert (await fast.read(lambda tx: calendars.find(tx, pid, "calendar"))).seq == 1
    await fast.write(Batch(partial(tombstone, pid, cid, sample, "e0")))
    assert not connection.broken


async def test_a_batch_after_the_connection_was_cut_at_rest_just_works(
    fast: Database, postgres: PostgresServer
) -> None:
    pid, cid, samples = await stored(fast, 6)
    for number, sample in enumerate(samples):
        connection = await batch_connection_of(fast)
        kick(postgres, fast)
        if number % 2:
            await asyncio.sleep(0.05)  # the event loop sees it first
        receipt = await fast.write(Batch(partial(tombstone, pid, cid, sample, f"e{number}")))
        assert receipt.row == (7 + number,)
        assert connection.broken


async def test_a_batch_cut_under_way_has_an_unknown_outcome(fast: Database, postgres: PostgresServer) -> None:
    pid, cid, (sample,) = await stored(fast, 1)
    await batch_connection_of(fast)
    with psycopg.connect(fast.url) as other:
        other.execute("SELECT 1 FROM calendars FOR UPDATE")
        asked = asyncio.ensure_future(fast.write(Batch(partial(tombstone, pid, cid, sample, "e0"))))
        await asyncio.sleep(0.2)
        kick(postgres, fast, "wait_event_type = 'Lock'")
        with pytest.raises(CommitUnknown):
            await asked
    assert (await fast.read(lambda tx: calendars.find(tx, pid, "calendar"))).seq == 1


async def test_a_batch_that_waits_too_long_for_a_lock_is_refused(fast: Database) -> None:
    pid, cid, (sample,) = await stored(fast, 1)
    connection = await batch_connection_of(fast)
    with psycopg.connect(fast.url) as other:
        other.execute("SELECT 1 FROM calendars FOR UPDATE")
        with pytest.raises(Unavailable):
            await fast.write(Batch(partial(tombstone, pid, cid, sample, "e0")))
    await fast.write(Batch(partial(tombstone, pid, cid, sample, "e0")))
    assert not connection.broken


async def test_a_batch_that_lost_against_others_runs_again(fast: Database) -> None:
    pid, cid, (sample,) = await stored(fast, 1)
    await batch_connection_of(fast)
    with psycopg.connect(fast.url, autocommit=True) as admin:
        admin.execute("CREATE SEQUENCE troubles")
        admin.execute(
            "CREATE FUNCTION trouble_once() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
            " IF nextval('troubles') = 1 THEN RAISE 'lost' USING ERRCODE = '40001'; END IF; RETURN 1; END $$"
        )
    runs = []

    def work(tx: Transaction):
        runs.append(1)
        receipt = tombstone(pid, cid, sample, "e0", tx)
        tx.enqueue(_TROUBLE)
        return receipt

    assert (await fast.write(Batch(work))).row == (2,)
    assert len(runs) == 2


async def test_a_batch_that_asks_is_refused_and_a_cancelled_one_harms_no_other(fast: Database) -> None:
    pid, cid, samples = await stored(fast, 3)
    await batch_connection_of(fast)
    with pytest.raises(TypeError):
        await fast.write(Batch(lambda tx: live(tx, pid, cid)))
    await batch_connection_of(fast)
    tasks = [
        asyncio.ensure_future(fast.write(Batch(partial(tombstone, pid, cid, sample, f"e{n}"))))
        for n, sample in enumerate(samples)
    ]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    await batch_connection_of(fast)
    assert await fast.read(lambda tx: live(tx, pid, cid)) == []


def test_each_event_loop_gets_a_connection_of_its_own(fast: Database) -> None:
    found = [asyncio.run(batch_connection_of(fast)) for _ in range(3)]
    assert len(set(map(id, found))) == 3
