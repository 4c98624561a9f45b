"""What goes when its time is over, to the second; what a removed principal or calendar leaves behind: nothing."""

from __future__ import annotations

from collections.abc import Iterable

from protocol.model import Calendar, CalendarId, Credential, DeadProperty, PrincipalId, PrincipalKind, Seq
from storage import calendars, changes, credentials, jobs, objects, principals, properties, pruning
from storage.database import Database, Transaction
from storage.ids import new_id
from storage.migrations import runner
from storage.tables import OWNERS, TENANT, metadata
from testing.samples import DAY, NOW, add, change, home, new_object, principal, remove, versions_of


def rows(db: Database, names: Iterable[str] = metadata.tables) -> dict[str, int]:
    """How many rows each table has."""
    made = runner.engine(db.url)
    with made.connect() as connection:
        found = {name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in names}
    made.dispose()
    return found


async def fill(db: Database, name: str) -> tuple[PrincipalId, CalendarId]:
    """A principal with a row in every table that can have one."""
    pid, cid = await home(db, name)
    group = principal(f"{name}-group", kind=PrincipalKind.GROUP)

    def work(tx: Transaction) -> None:
        principals.save(tx, group)
        principals.set_members(tx, group.principal_id, [pid])
        principals.set_delegates(tx, pid, [(group.principal_id, True)])
        credentials.save(tx, Credential(pid, new_id(), "app", "phone", "hash", NOW))
        for n in range(5):
            sample = new_object(f"{n}.ics")
            meta = add(tx, pid, cid, sample)
            assert meta is not None
            properties.set_dead(tx, pid, sample.object_id, DeadProperty("{x}o", "<o/>"))
            change(tx, pid, cid, meta, new_object(f"{n}.ics"))
        properties.set_dead(tx, pid, cid, DeadProperty("{x}c", "<c/>"))
        jobs.enqueue(tx, pid, "test", "k", now=NOW)

    await db.write(work)
    return pid, cid


async def test_a_principal_that_is_removed_leaves_no_row(db: Database) -> None:
    empty = rows(db)
    await fill(db, "anna")
    assert all(count > empty[name] for name, count in rows(db).items() if name != "server_state"), rows(db)
    for each in await db.read(principals.list_all):
        assert await db.write(lambda tx, each=each: principals.remove(tx, each.principal_id))
    assert rows(db) == empty


def test_every_tenant_table_is_in_the_lists_of_what_goes() -> None:
    listed = {statement.core.table.name for statement in principals._REMOVE}  # type: ignore[attr-defined]
    owned = {table.name for table in metadata.tables.values() if OWNERS & set(table.c.keys())}
    assert listed == owned - {"principals"}
    assert listed >= TENANT - {"principals"}
    inside = {table.name for table in metadata.tables.values() if "calendar_id" in table.c}
    assert {table.name for table in pruning.CONTENT} == inside - {"calendars"}


async def test_previous_texts_go_to_the_second(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    first = await db.write(lambda tx: add(tx, pid, cid, sample))
    newer = new_object("a.ics")
    await db.write(lambda tx: change(tx, pid, cid, first, newer, NOW + 1))
    current = await db.read(lambda tx: objects.find_meta(tx, pid, cid, "a.ics"))
    await db.write(lambda tx: change(tx, pid, cid, current, new_object("a.ics"), NOW + 2))

    async def delete(before: int, limit: int = 9) -> int:
        return await db.write(lambda tx: pruning.delete_versions(tx, pid, before, limit))

    async def left() -> int:
        return len(await db.read(lambda tx: versions_of(tx, pid, cid, sample.object_id)))

    assert not await db.read(lambda tx: pruning.any_version(tx, pid, NOW))
    assert await delete(NOW) == 0
    assert await db.read(lambda tx: pruning.any_version(tx, pid, NOW + 1))
    assert await delete(NOW + 1) == 1
    assert await left() == 1
    assert await delete(NOW + 2) == 1
    assert await left() == 0
    assert await db.read(lambda tx: objects.find(tx, pid, cid, "a.ics")) is not None


async def test_one_call_deletes_no_more_than_its_limit(db: Database) -> None:
    pid, cid = await fill(db, "anna")
    assert [await db.write(lambda tx: pruning.delete_versions(tx, pid, NOW, 2)) for _ in range(4)] == [2, 2, 1, 0]
    for name in ("0.ics", "1.ics", "2.ics"):
        meta = await db.read(lambda tx, name=name: objects.find_meta(tx, pid, cid, name))
        await db.write(lambda tx, meta=meta: remove(tx, pid, cid, meta))
    deleted = [await db.write(lambda tx: pruning.delete_tombstones(tx, pid, cid, NOW, 2)) for _ in range(3)]
    assert deleted == [2, 1, 0]
    await db.write(lambda tx: calendars.remove(tx, pid, cid, now=NOW))
    steps = 0
    while await db.write(lambda tx: pruning.empty(tx, pid, cid, 1)):
        steps += 1
    assert steps >= 2
    assert rows(db, ("objects", "occurrences", "versions", "dead_properties")) == {
        "objects": 0,
        "occurrences": 0,
        "versions": 0,
        "dead_properties": 0,
    }


async def test_object_tombstones_go_to_the_second_and_make_tokens_invalid(db: Database) -> None:
    pid, cid = await home(db)
    metas = [await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics"))) for n in range(4)]
    for n in range(3):
        await db.write(lambda tx, n=n: remove(tx, pid, cid, metas[n], NOW + n))
    assert await db.read(lambda tx: pruning.calendars_with_tombstones(tx, pid, NOW - 1)) == []
    assert await db.read(lambda tx: pruning.calendars_with_tombstones(tx, pid, NOW)) == [cid]
    assert await db.write(lambda tx: pruning.delete_tombstones(tx, pid, cid, NOW + 1, 9)) == 2
    calendar = await db.read(lambda tx: calendars.get(tx, pid, cid))
    assert calendar is not None and (calendar.seq, calendar.min_valid_seq) == (7, 6)
    left = await db.read(lambda tx: changes.rows(tx, pid, cid, 0))
    assert [(row[0], row[1]) for row in left] == [("3.ics", 4), ("2.ics", 7)]
    again = await db.write(lambda tx: add(tx, pid, cid, new_object("0.ics")))
    assert again is not None and again.seq == Seq(8)


async def test_removed_collections_lose_their_content_first_and_their_name_later(db: Database) -> None:
    pid, cid = await fill(db, "anna")
    await db.write(lambda tx: calendars.remove(tx, pid, cid, now=NOW))

    async def emptied(before: int) -> list[CalendarId]:
        return await db.read(lambda tx: pruning.removed_collections(tx, pid, before))

    async def forgotten(before: int) -> int:
        return await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, before, 9))

    assert await emptied(NOW - 1) == []
    assert await emptied(NOW) == [cid]
    assert await forgotten(NOW + DAY) == 0, "what it held is still there"
    before = await db.read(lambda tx: pruning.sizes(tx, pid))
    assert before.versions == 5
    assert await db.write(lambda tx: pruning.empty(tx, pid, cid)) > 0
    assert await emptied(NOW) == []
    assert await db.read(lambda tx: pruning.sizes(tx, pid)) == pruning.Sizes()
    assert await db.read(lambda tx: changes.home_since(tx, pid, 1)) == [("calendar", 2, True)]
    assert await db.read(lambda tx: principals.min_valid_home_seq(tx, pid)) == 0
    assert await forgotten(NOW - 1) == 0
    assert await forgotten(NOW) == 1
    assert await db.read(lambda tx: changes.home_since(tx, pid, 0)) == []
    assert await db.read(lambda tx: principals.min_valid_home_seq(tx, pid)) == 2


async def test_what_is_not_removed_is_not_emptied(db: Database) -> None:
    pid, cid = await fill(db, "anna")
    before = rows(db)
    assert await db.write(lambda tx: pruning.empty(tx, pid, cid)) == 0
    assert not await db.write(lambda tx: pruning.purge(tx, pid, cid))
    assert await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, NOW + DAY, 9)) == 0
    assert rows(db) == before


async def test_a_name_left_by_a_rename_goes_too(db: Database) -> None:
    pid, cid = await home(db)
    await db.write(lambda tx: calendars.rename(tx, pid, cid, "other", now=NOW))
    assert await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, NOW, 9)) == 1
    assert await db.read(lambda tx: changes.home_since(tx, pid, 0)) == [("other", 3, False)]
    assert await db.read(lambda tx: principals.min_valid_home_seq(tx, pid)) == 2


async def test_unfinished_copies_are_found_by_their_age(db: Database) -> None:
    pid, _ = await home(db)
    staged = Calendar(pid, CalendarId(new_id()), "copy", created_at=NOW)
    await db.write(lambda tx: calendars.stage(tx, staged))
    assert await db.read(lambda tx: pruning.unfinished_copies(tx, pid, NOW - 1)) == []
    assert await db.read(lambda tx: pruning.unfinished_copies(tx, pid, NOW)) == [staged.calendar_id]
    assert await db.read(lambda tx: pruning.removed_collections(tx, pid, NOW + DAY)) == []
    assert await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, NOW + DAY, 9)) == 0
    assert await db.write(lambda tx: pruning.purge(tx, pid, staged.calendar_id))


async def test_sizes(db: Database) -> None:
    pid, cid = await home(db)
    metas = [
        await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics", text=b"x" * 100))) for n in range(3)
    ]
    await db.write(lambda tx: change(tx, pid, cid, metas[0], new_object("0.ics")))
    await db.write(lambda tx: remove(tx, pid, cid, metas[1]))
    assert await db.read(lambda tx: pruning.sizes(tx, pid)) == pruning.Sizes(2, 200, 1, 5, 0, 0)
    await db.write(lambda tx: calendars.next_seq(tx, pid, cid, members=7, size=70))
    await db.write(lambda tx: calendars.remove(tx, pid, cid, now=NOW))
    assert await db.read(lambda tx: pruning.sizes(tx, pid)) == pruning.Sizes(2, 200, 1, 5, 7, 70)


async def test_pages_of_principals(db: Database) -> None:
    ids = sorted([(await home(db, f"user{n}"))[0] for n in range(5)])
    assert await db.read(lambda tx: principals.ids_after(tx, b"", 3)) == ids[:3]
    assert await db.read(lambda tx: principals.ids_after(tx, ids[2], 3)) == ids[3:]
    assert await db.read(lambda tx: principals.ids_after(tx, ids[4], 3)) == []


async def test_one_call_deletes_few_large_texts(db: Database) -> None:
    """SQLite overwrites what it deletes: the octets of one call are bounded, and one text always goes."""
    pid, cid = await home(db)
    large = b"x" * (pruning.OCTETS // 2)
    await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics", text=large)))
    for text in (large, large, large * 3, b"small"):
        meta = await db.read(lambda tx: objects.find_meta(tx, pid, cid, "a.ics"))
        await db.write(lambda tx, text=text, meta=meta: change(tx, pid, cid, meta, new_object("a.ics", text=text), NOW))
    steps = []
    while step := await db.write(lambda tx: pruning.delete_versions(tx, pid, NOW, 300)):
        steps.append(step)
    assert sum(steps) == 4 and len(steps) >= 2
