"""Units of work: snapshots, commits, failures, and what a fault at any statement leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import threading
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from storage import calendars, changes, objects, occurrences, principals, server_state
from storage.database import Database, Lookup, Statement, Transaction
from storage.errors import (
    CommitUnknown,
    Duplicate,
    NotDurable,
    SchemaError,
    SchemaTooNew,
    StorageError,
    StorageFull,
    Unavailable,
)
from testing.databases import CleanDatabases
from testing.postgres import PostgresServer, database_name
from testing.samples import add, change, home, live, new_object, principal, remove, versions_of


class Broken(Exception):
    pass


async def test_write_commits_or_leaves_nothing(db: Database) -> None:
    def fine(tx: Transaction) -> str:
        principals.save(tx, principal("a"))
        return "done"

    def bad(tx: Transaction) -> None:
        principals.save(tx, principal("b"))
        raise Broken

    assert await db.write(fine) == "done"
    with pytest.raises(Broken):
        await db.write(bad)
    assert [p.name for p in await db.read(principals.list_all)] == ["a"]
    await db.write(lambda tx: principals.save(tx, principal("c")))


async def test_a_read_is_one_snapshot_and_cannot_write(db: Database) -> None:
    inside, outside = threading.Event(), threading.Event()

    def reader(tx: Transaction) -> tuple[int, int]:
        first = len(principals.list_all(tx))
        inside.set()
        assert outside.wait(10)
        return first, len(principals.list_all(tx))

    reading = asyncio.ensure_future(db.read(reader))
    await asyncio.to_thread(inside.wait, 10)
    await db.write(lambda tx: principals.save(tx, principal("a")))
    outside.set()
    assert await reading == (0, 0)
    with pytest.raises(StorageError):
        await db.read(lambda tx: principals.save(tx, principal("b")))
    assert len(await db.read(principals.list_all)) == 1


async def test_many_at_once(db: Database) -> None:
    pid, cid = await home(db)
    await asyncio.gather(*(db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics"))) for n in range(40)))
    reads = await asyncio.gather(*(db.read(lambda tx: len(objects.members_etags(tx, pid, cid))) for _ in range(40)))
    assert reads == [40] * 40
    calendar = await db.read(lambda tx: calendars.get(tx, pid, cid))
    assert calendar is not None and calendar.seq == 40
    seqs = [row[1] for row in await db.read(lambda tx: changes.rows(tx, pid, cid, 0))]
    assert seqs == list(range(1, 41))


async def test_one_failure_among_many_writes_harms_nobody(db: Database) -> None:
    pid, cid = await home(db)

    def work(tx: Transaction, n: int) -> int:
        add(tx, pid, cid, new_object(f"{n}.ics"))
        if n % 3 == 0:
            raise Broken
        return n

    results = await asyncio.gather(*(db.write(lambda tx, n=n: work(tx, n)) for n in range(30)), return_exceptions=True)
    assert [n for n, result in enumerate(results) if isinstance(result, Broken)] == list(range(0, 30, 3))
    names = {name for name, _ in await db.read(lambda tx: objects.members_etags(tx, pid, cid))}
    assert names == {f"{n}.ics" for n in range(30) if n % 3}
    seqs = [row[1] for row in await db.read(lambda tx: changes.rows(tx, pid, cid, 0))]
    assert seqs == list(range(1, 21))


async def test_point_reads_its_own_past_writes(db: Database) -> None:
    pid, cid = await home(db)
    for n in range(30):
        await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics")))
        assert await db.point(lambda tx: calendars.get(tx, pid, cid).seq) == n + 1  # type: ignore[union-attr]


async def test_version_changes_with_every_commit(url: str) -> None:
    first, second = (Database.open(url, allow_unsafe=True) for _ in range(2))
    try:
        before = first.version()
        if first.dialect == "postgresql":
            assert before is None
            return
        assert first.version() == before
        await second.write(lambda tx: principals.save(tx, principal("a")))
        after = first.version()
        assert after != before
        await first.write(lambda tx: principals.save(tx, principal("b")))
        assert first.version() not in {before, after}
    finally:
        first.close()
        second.close()


async def test_a_cancelled_asker_does_not_stop_the_work(db: Database) -> None:
    started, go = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        started.set()
        assert go.wait(10)
        principals.save(tx, principal("a"))

    task = asyncio.ensure_future(db.write(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(server_state.bump_accounts_version)
    for _ in range(100):
        if await db.read(principals.list_all):
            break
        await asyncio.sleep(0.01)
    assert len(await db.read(principals.list_all)) == 1


async def test_waiting_for_a_lock_ends(url: str) -> None:
    first = Database.open(url, allow_unsafe=True)
    second = Database.open(url, allow_unsafe=True, busy_timeout=0.2)
    pid, cid = await home(first)
    locked, go = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        calendars.next_seq(tx, pid, cid)
        locked.set()
        assert go.wait(20)

    holding = asyncio.ensure_future(first.write(hold))
    await asyncio.to_thread(locked.wait, 10)
    with pytest.raises(Unavailable):
        await second.write(lambda tx: calendars.next_seq(tx, pid, cid))
    assert len(await second.read(lambda tx: calendars.of_home(tx, pid))) == 1
    go.set()
    await holding
    assert await second.write(lambda tx: calendars.next_seq(tx, pid, cid)) == 2
    first.close()
    second.close()


async def test_a_job_that_waited_too_long_is_refused(url: str) -> None:
    db = Database.open(url, allow_unsafe=True, pool_size=1, patience=0.05)
    go = threading.Event()
    first = asyncio.ensure_future(db.read(lambda tx: go.wait(10)))
    await asyncio.sleep(0.02)
    second = asyncio.ensure_future(db.read(principals.list_all))
    await asyncio.sleep(0.1)
    go.set()
    assert await first is True
    with pytest.raises(Unavailable):
        await second
    db.close()


def counting(fail_at: int, error: Exception | None = None):
    """A fault hook that raises at the n-th statement, and how many statements it has seen."""
    seen = [0]

    def hook(event: str) -> None:
        if event == "statement":
            seen[0] += 1
            if seen[0] == fail_at:
                raise error or Unavailable("injected")

    return hook, seen


async def test_a_fault_at_any_statement_leaves_nothing_half_done(url: str) -> None:
    plain = Database.open(url, allow_unsafe=True)
    pid, cid = await home(plain)
    old = await plain.write(lambda tx: add(tx, pid, cid, new_object("old.ics")))

    def put(tx: Transaction) -> None:
        add(tx, pid, cid, new_object("new.ics"))
        change(tx, pid, cid, old, new_object("old.ics", uid="uid-old.ics"))
        remove(tx, pid, cid, objects.find_meta(tx, pid, cid, "new.ics"))

    def everything(tx: Transaction) -> list[object]:
        return [
            calendars.get(tx, pid, cid),
            live(tx, pid, cid),
            changes.rows(tx, pid, cid, 0),
            occurrences.of_object(tx, pid, cid, old.object_id),
            versions_of(tx, pid, cid, old.object_id),
        ]

    before = await plain.read(everything)
    fail_at = 0
    while True:
        fail_at += 1
        hook, seen = counting(fail_at)
        faulty = Database.open(url, allow_unsafe=True, pool_size=1)
        faulty.set_fault(hook)
        try:
            await faulty.write(put)
        except Unavailable:
            assert await plain.read(everything) == before
        else:
            assert seen[0] < fail_at
            break
        finally:
            faulty.close()
    assert fail_at > 10
    assert await plain.read(everything) != before
    plain.close()


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
async def test_faults_around_commit(url: str, moment: str) -> None:
    db = Database.open(url, allow_unsafe=True)

    def hook(event: str) -> None:
        if event == moment:
            raise CommitUnknown("injected")

    db.set_fault(hook)
    with pytest.raises(CommitUnknown):
        await db.write(lambda tx: principals.save(tx, principal("a")))
    assert len(await db.read(principals.list_all)) == (1 if moment == "after commit" else 0)
    db.close()


async def test_errors_are_the_storages_own(db: Database) -> None:
    nonsense = Statement(text("SELECT nothing FROM nowhere"), across="a test")
    with pytest.raises(StorageError):
        await db.read(lambda tx: tx.fetch_all(nonsense))
    with pytest.raises(StorageError):
        await db.point(Lookup(nonsense, {}, lambda row: row))
    with pytest.raises(StorageError):
        await db.write(lambda tx: tx.execute(nonsense))
    await db.write(lambda tx: principals.save(tx, principal("a")))


def test_addresses_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a database address"):
        Database.open("mysql://x/y")
    with pytest.raises(Unavailable):
        Database.open("postgresql:///x?host=/nowhere&connect_timeout=1")
    (tmp_path / "file").write_text("")
    with pytest.raises((Unavailable, StorageError)):
        Database.open(f"sqlite:///{tmp_path}")


def test_sqlite_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    mask = os.umask(0)
    try:
        db = Database.open(f"sqlite:///{folder}/calendars.db")
        db.migrate()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        db.close()
    finally:
        os.umask(mask)


def test_schema_is_required(empty_url: str) -> None:
    db = Database.open(empty_url, allow_unsafe=True)
    with pytest.raises(SchemaError):
        db.require_schema()
    db.migrate()
    db.require_schema()
    db.close()


def test_a_schema_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    db = Database.open(f"sqlite:///{tmp_path}/a.db")
    db.migrate()
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (db.require_schema, db.migrate):
        with pytest.raises(SchemaTooNew, match="install the version that made it"):
            attempt()
    db.close()


async def test_sqlite_full(tmp_path: Path) -> None:
    db = Database.open(f"sqlite:///{tmp_path}/a.db")
    db.migrate()
    pid, cid = await home(db)
    pages = await db.write(lambda tx: tx._connection.execute("PRAGMA page_count").fetchone()[0])  # type: ignore[attr-defined]
    await db.write(lambda tx: tx._connection.execute(f"PRAGMA max_page_count={pages + 3}") and None)  # type: ignore[attr-defined]
    with pytest.raises(StorageFull):
        await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics", text=b"x" * 100_000)))
    assert await db.read(lambda tx: live(tx, pid, cid)) == []
    await db.write(lambda tx: tx._connection.execute("PRAGMA max_page_count=1000000") and None)  # type: ignore[attr-defined]
    assert await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics", text=b"x" * 100_000)))
    db.close()


@pytest.mark.parametrize("prepare", [True, False])
async def test_cut_connections_are_replaced(postgres: PostgresServer, postgres_url: str, prepare: bool) -> None:
    db = Database.open(postgres_url, allow_unsafe=True, prepare=prepare)
    pid, cid = await home(db)
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        for n in range(10):
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [database_name(postgres_url)],
            )
            jobs = [db.read(lambda tx: live(tx, pid, cid)) for _ in range(8)]
            jobs += [db.point(lambda tx: calendars.get(tx, pid, cid)) for _ in range(4)]
            results = await asyncio.gather(*jobs, db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics"))))
            assert results[-1] is not None
    assert len(await db.read(lambda tx: live(tx, pid, cid))) == 10
    db.close()


def test_unsafe_servers_are_refused(postgres: PostgresServer) -> None:
    with pytest.raises(NotDurable, match="fsync"):
        Database.open(postgres.url)


async def test_statistics_follow_a_growing_database(postgres: PostgresServer, clean_databases: CleanDatabases) -> None:
    db = Database.open(postgres.new_database(clean_databases.template), allow_unsafe=True)
    pid, cid = await home(db)
    for n in range(60):
        await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics")))
    plans = "-c enable_seqscan=off -c enable_bitmapscan=off"
    with psycopg.connect(db.url, autocommit=True, options=plans) as connection:
        for _ in range(200):
            row = connection.execute("SELECT reltuples FROM pg_class WHERE relname = 'objects'").fetchone()
            if row is not None and row[0] >= 40:
                break
            await asyncio.sleep(0.02)
        assert row is not None and row[0] >= 40
        text = objects._FIND.for_postgres().text
        plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
    assert "uq_objects_name" in str(plan)
    db.close()


async def test_what_runs_later_fails_before_the_commit_is_done(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    await db.write(lambda tx: add(tx, pid, cid, sample))

    def twice(tx: Transaction) -> str:
        add(tx, pid, cid, new_object("b.ics"))
        occurrences.add(tx, pid, cid, sample.object_id, sample.rows)
        return "done"

    before = await db.read(lambda tx: changes.rows(tx, pid, cid, 0))
    with pytest.raises(Duplicate):
        await db.write(twice)
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 0)) == before
    assert await db.write(lambda tx: add(tx, pid, cid, new_object("b.ics"))) is not None


async def test_a_server_process_that_hangs_is_given_up(postgres_url: str) -> None:
    db = Database.open(postgres_url, allow_unsafe=True, pool_size=1)
    db._engine.answer_timeout = 0.5  # type: ignore[attr-defined]
    pid, cid = await home(db)
    row = await db.read(lambda tx: tx.fetch_one(Statement(text("SELECT pg_backend_pid()"))))
    assert row is not None
    os.kill(row[0], signal.SIGSTOP)
    try:
        start = time.monotonic()
        assert len(await db.read(lambda tx: calendars.of_home(tx, pid))) == 1
        assert await db.write(lambda tx: calendars.next_seq(tx, pid, cid)) == 1
        assert time.monotonic() - start < 30  # without the limit it would be for ever
    finally:
        os.kill(row[0], signal.SIGCONT)
    db.close()
