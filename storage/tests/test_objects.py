"""Objects, the change log, previous versions and the look-ups of a request."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from protocol.model import Calendar, CalendarId, CalendarKind, CalendarObject, ComponentKind, ETag, ObjectId, Seq, Uid
from storage import calendars, changes, lookups, objects, occurrences, versions
from storage.database import Database, Transaction
from storage.errors import Duplicate, ParentGone
from storage.ids import new_id
from testing.samples import NOW, add, change, home, live, new_object, remove, versions_of


async def test_text_and_meta_come_back_as_they_went_in(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("ü%2F .ics", text=bytes(range(256)) * 40)
    meta = await db.write(lambda tx: add(tx, pid, cid, sample))
    whole = CalendarObject(meta, sample.text)
    assert await db.read(lambda tx: objects.find(tx, pid, cid, "ü%2F .ics")) == whole
    assert await db.read(lambda tx: objects.get(tx, pid, cid, sample.object_id)) == whole
    found = await db.read(lambda tx: objects.find_meta(tx, pid, cid, "ü%2F .ics"))
    assert found == meta
    assert found is not None and isinstance(found.component, ComponentKind)
    assert await db.read(lambda tx: objects.find_by_uid(tx, pid, cid, sample.uid)) == meta
    assert await db.read(lambda tx: objects.find(tx, pid, cid, "Ü%2F .ics")) is None
    assert await db.read(lambda tx: objects.find(tx, cid, pid, "ü%2F .ics")) is None
    assert await db.read(lambda tx: objects.find_by_uid(tx, pid, cid, Uid("x"))) is None


async def test_listings_agree(db: Database) -> None:
    pid, cid = await home(db)
    metas = [await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics"))) for n in range(7)]
    await db.write(lambda tx: remove(tx, pid, cid, metas[3]))
    del metas[3]
    etags = [(meta.name, meta.etag) for meta in metas]
    assert await db.read(lambda tx: objects.members_etags(tx, pid, cid)) == etags
    page = await db.read(lambda tx: objects.page(tx, pid, cid, limit=2))
    assert [one.meta for one in page] == metas[:2]
    page = await db.read(lambda tx: objects.page(tx, pid, cid, after=metas[3].seq))
    assert [one.meta for one in page] == metas[4:]
    assert await db.read(lambda tx: live(tx, pid, cid)) == metas


@pytest.mark.parametrize("count", [1, 2, 3, 600, 1300])
async def test_fetch_many(db: Database, count: int) -> None:
    pid, cid = await home(db)
    samples = [new_object(f"{n}.ics") for n in range(count)]
    rows = [(one.meta(n + 1), one.text, one.index) for n, one in enumerate(samples)]
    assert await db.write(lambda tx: objects.insert_many(tx, pid, cid, rows)) == count
    rows_of_all = occurrences.in_order((one.object_id, one.rows) for one in samples)
    await db.write(lambda tx: occurrences.add_rows(tx, pid, cid, rows_of_all, {one.object_id for one in samples}))
    names = [one.name for one in samples] + ["missing"]
    found, _ = await db.read(lambda tx: objects.fetch(tx, pid, cid, names))
    assert {one.meta.name: one.data for one in found} == {one.name: one.text for one in samples}
    ids = [one.object_id for one in samples] + [ObjectId(new_id())]
    found = await db.read(lambda tx: objects.fetch_ids(tx, pid, cid, ids))
    assert sorted(one.meta for one in found) == sorted(row[0] for row in rows)
    assert await db.read(lambda tx: objects.fetch(tx, pid, cid, [])) == ([], 0)


async def test_insert_respects_names_and_uids(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    first = await db.write(lambda tx: add(tx, pid, cid, sample))
    assert await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics", uid="other"))) is None
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: add(tx, pid, cid, new_object("b.ics", uid="uid-a.ics")))
    assert error.value.key == "objects.uid"
    await db.write(lambda tx: remove(tx, pid, cid, first))
    again = new_object("a.ics", uid="uid-a.ics")
    meta = await db.write(lambda tx: add(tx, pid, cid, again))
    assert meta is not None and meta.object_id != first.object_id
    assert await db.read(lambda tx: live(tx, pid, cid)) == [meta]
    with pytest.raises(ParentGone):
        await db.write(lambda tx: objects.insert(tx, new_id(), cid, again.meta(1), b"", again.index))


async def test_update_only_on_the_expected_etag(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    first = await db.write(lambda tx: add(tx, pid, cid, sample))
    newer = new_object("a.ics", uid="uid-a.ics", text=b"new")
    assert await db.write(lambda tx: change(tx, pid, cid, first, newer))
    assert not await db.write(lambda tx: change(tx, pid, cid, first, new_object("a.ics", uid="uid-a.ics")))
    found = await db.read(lambda tx: objects.find(tx, pid, cid, "a.ics"))
    assert (found.data, found.meta.etag, found.meta.seq, found.meta.size) == (b"new", newer.etag, 2, 3)
    other = await db.write(lambda tx: add(tx, pid, cid, new_object("b.ics")))
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: change(tx, pid, cid, other, new_object("b.ics", uid="uid-a.ics")))
    assert error.value.key == "objects.uid"
    kept = await db.read(lambda tx: versions_of(tx, pid, cid, first.object_id))
    assert kept[-1] == (1, "a.ics", "uid-a.ics", "update", pid, "r1", sample.text)


async def test_tombstone(db: Database) -> None:
    pid, cid = await home(db)
    first = await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics")))
    assert not await db.write(
        lambda tx: objects.tombstone(tx, pid, cid, first.object_id, seq=Seq(9), now=NOW, expected=ETag("x"))
    )
    assert await db.write(lambda tx: remove(tx, pid, cid, first))
    assert not await db.write(lambda tx: objects.tombstone(tx, pid, cid, first.object_id, seq=Seq(9), now=NOW))
    assert await db.read(lambda tx: objects.find(tx, pid, cid, "a.ics")) is None
    kept = await db.read(lambda tx: versions_of(tx, pid, cid, first.object_id))
    assert [(row[3], row[1], row[2]) for row in kept] == [("remove", "a.ics", "uid-a.ics")]
    await db.write(lambda tx: versions.keep(tx, pid, cid, first.object_id, replaced_at=NOW, action="x", author_id=None))
    assert await db.read(lambda tx: versions_of(tx, pid, cid, first.object_id)) == kept


async def test_change_log(db: Database) -> None:
    pid, cid = await home(db)
    metas = [await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics"))) for n in range(3)]
    await db.write(lambda tx: remove(tx, pid, cid, metas[0]))
    newer = new_object("1.ics", uid="uid-1.ics")
    await db.write(lambda tx: change(tx, pid, cid, metas[1], newer))
    kind = int(ComponentKind.VEVENT)
    log = [("2.ics", 3, metas[2].etag, kind), ("0.ics", 4, None, kind), ("1.ics", 5, newer.etag, kind)]
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 0)) == log
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 0, limit=2)) == log[:2]
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 3)) == log[1:]
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 0, floor=4)) == [log[0], log[2]]
    assert await db.read(lambda tx: changes.rows(tx, pid, cid, 5)) == []


async def test_reindex(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    meta = await db.write(lambda tx: add(tx, pid, cid, sample))
    index = dataclasses.replace(sample.index, index_version=2, count_until=NOW)
    assert not await db.write(
        lambda tx: objects.set_index(tx, pid, cid, sample.object_id, index, expected=ETag("other"))
    )
    assert await db.write(lambda tx: objects.set_index(tx, pid, cid, sample.object_id, index, expected=meta.etag))
    assert await db.read(lambda tx: objects.find_meta(tx, pid, cid, "a.ics")) == meta


async def test_lookups(db: Database) -> None:
    pid, cid = await home(db)
    sample = new_object("a.ics")
    meta = await db.write(lambda tx: add(tx, pid, cid, sample))
    assert await db.point(lookups.home("nobody")) is None
    at_home = await db.point(lookups.home("user01"))
    assert at_home is not None and at_home.principal.principal_id == pid
    assert at_home.calendar is None and at_home.epoch and at_home.accounts_version > 0
    missing = await db.point(lookups.calendar("user01", "nothing"))
    assert missing is not None and missing.calendar is None
    there = await db.point(lookups.calendar("user01", "calendar"))
    assert there is not None and there.calendar is not None
    assert (there.calendar.calendar_id, there.calendar.seq) == (cid, 1)
    without = await db.point(lookups.meta("user01", "calendar", "a.ics"))
    assert without is not None and (without.meta, without.object) == (meta, None)
    whole = await db.point(lookups.calendar_object("user01", "calendar", "a.ics"))
    assert whole is not None and whole.object == CalendarObject(meta, sample.text) and whole.meta == meta
    empty = await db.point(lookups.calendar_object("user01", "calendar", "b.ics"))
    assert empty is not None and empty.calendar is not None and empty.object is None
    nowhere = await db.point(lookups.calendar_object("user01", "nothing", "a.ics"))
    assert nowhere is not None and nowhere.calendar is None and nowhere.object is None
    assert await db.read(lookups.calendar_object("user01", "calendar", "a.ics")) == whole
    await db.write(lambda tx: remove(tx, pid, cid, meta))
    gone = await db.point(lookups.calendar_object("user01", "calendar", "a.ics"))
    assert gone is not None and gone.calendar is not None and gone.object is None


async def test_an_inbox_holds_many_messages_of_one_uid(db: Database) -> None:
    pid, cid = await home(db)
    inbox = CalendarId(new_id())
    calendar = Calendar(pid, inbox, "inbox", kind=CalendarKind.INBOX, created_at=NOW)
    await db.write(lambda tx: calendars.create(tx, calendar))

    def deliver(tx: Transaction, name: str) -> None:
        sample = new_object(name, uid="same")
        meta = sample.meta(calendars.next_seq(tx, pid, inbox))
        assert objects.insert(tx, pid, inbox, meta, sample.text, sample.index, CalendarKind.INBOX)

    for name in ("1.ics", "2.ics", "3.ics"):
        await db.write(partial(deliver, name=name))
    many = [new_object(f"{n}.ics", uid="same") for n in (4, 5)]
    rows = [(sample.meta(9), sample.text, sample.index) for sample in many]
    assert await db.write(lambda tx: objects.insert_many(tx, pid, inbox, rows, CalendarKind.INBOX)) == 2
    assert len(await db.read(lambda tx: live(tx, pid, inbox))) == 5
    assert await db.read(lambda tx: objects.find_by_uid(tx, pid, inbox, Uid("same"))) is None
    await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics", uid="same")))
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: add(tx, pid, cid, new_object("b.ics", uid="same")))
    assert error.value.key == "objects.uid"
    assert await db.read(lambda tx: objects.find_by_uid(tx, pid, cid, Uid("same"))) is not None
