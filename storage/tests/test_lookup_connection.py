"""Look-ups on PostgreSQL's look-up connection: the same answers as in a thread, also when the connection is cut."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from storage import lookups
from storage.database import Database, Lookup
from storage.errors import StorageError
from testing.postgres import PostgresServer, database_name
from testing.samples import add, home, new_object


@pytest.fixture
def fast(postgres_url: str):
    db = Database.open(postgres_url, allow_unsafe=True, patience=2)
    yield db
    db.close()


async def lookup_connection_of(db: Database):
    for _ in range(500):
        await db.point(lookups.home("user01"))
        connection = db._engine._lookup_connection  # type: ignore[attr-defined]
        if connection is not None and not connection.broken:
            return connection
        await asyncio.sleep(0.01)
    raise AssertionError("the fast connection never opened")


async def test_many_at_once_get_their_own_answers(fast: Database) -> None:
    pid, cid = await home(fast)
    samples = [new_object(f"{n}.ics", text=bytes([n]) * (n * 400)) for n in range(200)]
    for sample in samples:
        await fast.write(lambda tx, sample=sample: add(tx, pid, cid, sample))
    await lookup_connection_of(fast)
    for _ in range(3):
        pending = [fast.point(lookups.calendar_object("user01", "calendar", one.name)) for one in samples]
        pending.append(fast.point(lookups.calendar("nobody", "calendar")))
        found = await asyncio.gather(*pending)
        assert found.pop() is None
        assert [one.object.data for one in found] == [sample.text for sample in samples]


async def test_a_look_up_that_fails_harms_no_other(fast: Database) -> None:
    await home(fast)
    await lookup_connection_of(fast)

    def bad_row(row):
        raise ArithmeticError

    good = lookups.calendar("user01", "calendar")
    broken = Lookup(good.statement, good.params, bad_row)
    wrong = Lookup(good.statement, {"principal": "x\0y", "calendar": "calendar"}, good.decode)
    results = await asyncio.gather(
        *(fast.point(one) for one in (good, broken, good, wrong, good, good)), return_exceptions=True
    )
    assert isinstance(results[1], ArithmeticError)
    assert isinstance(results[3], StorageError)
    assert all(results[n].calendar is not None for n in (0, 2, 4, 5))
    assert (await fast.point(good)).calendar is not None


async def test_a_cut_connection_is_replaced_and_nobody_notices(fast: Database, postgres: PostgresServer) -> None:
    await home(fast)
    connection = await lookup_connection_of(fast)
    look = lookups.calendar("user01", "calendar")
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        for turn in range(8):
            pending = [asyncio.ensure_future(fast.point(look)) for _ in range(20)]
            if turn % 2:
                await asyncio.sleep(0)
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [database_name(fast.url)],
            )
            assert all(found.calendar is not None for found in await asyncio.gather(*pending))
    assert (await lookup_connection_of(fast)) is not connection


async def test_cancelled_askers_are_forgotten(fast: Database) -> None:
    await home(fast)
    await lookup_connection_of(fast)
    look = lookups.calendar("user01", "calendar")
    pending = [asyncio.ensure_future(fast.point(look)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in pending[::2]:
        task.cancel()
    results = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in results[::2])
    assert all(one.calendar is not None for one in results[1::2])


def test_each_event_loop_gets_a_connection_of_its_own(fast: Database) -> None:
    asyncio.run(home(fast))
    lanes = [asyncio.run(lookup_connection_of(fast)) for _ in range(3)]
    assert len(set(map(id, lanes))) == 3
