"""Bulk INSERTs: the same as row by row, in however many parts, and as one when a part fails."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from protocol.model import FOREVER, BusyType, CalendarId, ComponentKind, IndexEntry, ObjectId, PrincipalId
from storage import objects, occurrences, principals
from storage.database import Database, Transaction
from storage.database.postgres.codec import _ENCODERS, encode_array
from storage.database.postgres.session import BULK_ROWS
from storage.database.sqlite import SqliteTransaction
from storage.errors import Duplicate, ParentGone
from storage.ids import new_id
from storage.tables import occurrences as table
from testing.samples import NOW, add, home, new_object, principal

NAMES = ("bucket", "start_at", "end_at", "component", "busy")
SIZES = (0, 1, 2, BULK_ROWS - 1, BULK_ROWS, BULK_ROWS + 1, 3 * BULK_ROWS + 7)


def rows(count: int, first: int = 0) -> list[occurrences.IndexRow]:
    entries = [IndexEntry(NOW + n, NOW + n + 1, busy=BusyType.BUSY) for n in range(first, first + count)]
    return occurrences.rows_of(ComponentKind.VEVENT, entries)


async def spans(db: Database, pid: PrincipalId, cid: CalendarId, oid: ObjectId) -> list[int]:
    return [start - NOW for start, _ in await db.read(lambda tx: occurrences.of_object(tx, pid, cid, oid))]


@pytest.mark.parametrize("count", SIZES)
async def test_all_rows_arrive_and_are_counted(db: Database, count: int) -> None:
    pid, cid = await home(db)
    first, second = ObjectId(new_id()), ObjectId(new_id())
    same = {"principal_id": pid, "calendar_id": cid}

    def work(tx: Transaction) -> int:
        tx.enqueue_many(occurrences._INSERT, NAMES, rows(count), **same, object_id=first)
        return tx.execute_many(
            occurrences._INSERT, (*NAMES, "object_id"), [(*row, second) for row in rows(count)], **same
        )

    assert await db.write(work) == count
    for oid in (first, second):
        assert await spans(db, pid, cid, oid) == list(range(count))


@pytest.mark.parametrize("bad", [0, 1, BULK_ROWS, 2 * BULK_ROWS + 5])
async def test_a_part_that_fails_undoes_all(db: Database, bad: int) -> None:
    pid, cid = await home(db)
    oid = ObjectId(new_id())
    await db.write(lambda tx: occurrences.add(tx, pid, cid, oid, rows(1, first=bad)))

    same = {"principal_id": pid, "calendar_id": cid, "object_id": oid}

    def counted(tx: Transaction) -> None:
        principals.save(tx, principal("never"))
        tx.execute_many(occurrences._INSERT, NAMES, rows(3 * BULK_ROWS), **same)

    def later(tx: Transaction) -> None:
        principals.save(tx, principal("never"))
        tx.enqueue_many(occurrences._INSERT, NAMES, rows(3 * BULK_ROWS), **same)

    for work in (counted, later):
        with pytest.raises(Duplicate):
            await db.write(work)
        assert await spans(db, pid, cid, oid) == [bad]
        assert "never" not in [one.name for one in await db.read(principals.list_all)]
    await db.write(lambda tx: principals.save(tx, principal("works on")))


async def test_rows_of_a_calendar_that_is_gone(db: Database) -> None:
    pid, _ = await home(db)
    sample = new_object("a.ics")
    nowhere = CalendarId(new_id())
    with pytest.raises(ParentGone):
        await db.write(lambda tx: objects.insert_many(tx, pid, nowhere, [(sample.meta(1), sample.text, sample.index)]))


async def test_texts_of_any_size_and_character(db: Database) -> None:
    """Parts far larger than any buffer between the two: neither side may wait for the other for ever."""
    pid, cid = await home(db)
    samples = [new_object(f"{n} ü\U0001f600'\".ics", text=bytes([n]) * (n % 7 * 300_000)) for n in range(40)]
    assert await db.write(
        lambda tx: objects.insert_many(tx, pid, cid, [(s.meta(n), s.text, s.index) for n, s in enumerate(samples, 1)])
    ) == len(samples)
    found, _ = await db.read(lambda tx: objects.fetch(tx, pid, cid, [sample.name for sample in samples]))
    assert {one.meta.name: one.data for one in found} == {sample.name: sample.text for sample in samples}


async def test_a_name_in_use_is_left_as_it_is_and_not_counted(db: Database) -> None:
    pid, cid = await home(db)
    await db.write(lambda tx: add(tx, pid, cid, new_object("1.ics", text=b"first")))
    samples = [new_object(f"{n}.ics", uid=f"other {n}", text=b"second") for n in range(3)]
    many = [(sample.meta(n + 2), sample.text, sample.index) for n, sample in enumerate(samples)]
    assert await db.write(lambda tx: objects.insert_many(tx, pid, cid, many)) == 2
    kept = await db.read(lambda tx: objects.find(tx, pid, cid, "1.ics"))
    assert kept is not None and kept.data == b"first"


@pytest.mark.parametrize(
    ("oid", "values"),
    [
        (20, [0, -1, FOREVER, -FOREVER - 1, (1 << 63) - 1, -(1 << 63)]),
        (23, [0, 1, -1, (1 << 31) - 1, -(1 << 31)]),
        (21, [0, 3, -(1 << 15), (1 << 15) - 1]),
        (20, [1, None, 2]),
        (25, ["", "ü", None, "\U0001f600" * 9]),
        (17, [b"", b"\x00\xff", b"x" * 70_000]),
        (20, []),
    ],
)
def test_arrays_are_written_element_by_element(oid: int, values: list[object]) -> None:
    data, elements = encode_array(oid, values), []
    place = 20
    for _ in values:
        length = int.from_bytes(data[place : place + 4], "big", signed=True)
        place += 4
        elements.append(None if length < 0 else data[place : place + length])
        place += max(length, 0)
    assert elements == [None if value is None else _ENCODERS[oid](value) for value in values]
    assert place == len(data) or not values


class Counting(sqlite3.Connection):
    calls = 0

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self.calls += 1
        return super().executemany(sql, parameters)


def test_sqlite_does_many_rows_in_one_call() -> None:
    """Row by row costs twice as much."""
    connection = sqlite3.connect(":memory:", factory=Counting)
    connection.execute(f"CREATE TABLE occurrences ({', '.join(column.name for column in table.columns)})")
    tx = SqliteTransaction(connection, connection.execute)
    occurrences.add(tx, PrincipalId(b"p"), CalendarId(b"c"), ObjectId(b"o"), rows(50))
    assert connection.calls == 1
    assert connection.execute("SELECT count(*) FROM occurrences").fetchone() == (50,)
    connection.close()
