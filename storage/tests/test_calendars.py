"""Collections of a home, their numbers, their tombstones, their dead properties."""

from __future__ import annotations

import pytest

from protocol.model import Calendar, CalendarId, CalendarKind, ComponentKind, DeadProperty
from storage import calendars, changes, objects, properties, pruning
from storage.database import Database
from storage.errors import Duplicate, ParentGone
from storage.ids import new_id
from testing.samples import NOW, add, home, new_object, remove


def work_calendar(pid, name: str = "work") -> Calendar:
    return Calendar(
        pid,
        CalendarId(new_id()),
        name,
        CalendarKind.CALENDAR,
        frozenset({ComponentKind.VTODO, ComponentKind.VEVENT}),
        "Arbeit ✓",
        "What I do",
        "#ff0000ff",
        "3",
        "BEGIN:VCALENDAR\r\n",
        "Europe/Berlin",
        True,
        NOW,
    )


async def test_created_is_found_with_every_field(db: Database) -> None:
    pid, _ = await home(db)
    made = work_calendar(pid)
    number = await db.write(lambda tx: calendars.create(tx, made))
    assert number == 2
    found = await db.read(lambda tx: calendars.find(tx, pid, "work"))
    assert found is not None and found.home_seq == 2
    assert found == await db.read(lambda tx: calendars.get(tx, pid, made.calendar_id))
    assert found == Calendar(**{**{f: getattr(made, f) for f in Calendar.__slots__}, "home_seq": 2})
    assert [c.name for c in await db.read(lambda tx: calendars.of_home(tx, pid))] == ["calendar", "work"]
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: calendars.create(tx, work_calendar(pid)))
    assert error.value.key == "calendars.name"
    assert await db.read(lambda tx: calendars.find(tx, pid, "Work")) is None
    with pytest.raises(ParentGone):
        await db.write(lambda tx: calendars.create(tx, work_calendar(new_id())))


async def test_update_sets_only_what_is_named(db: Database) -> None:
    pid, _ = await home(db)
    made = work_calendar(pid)
    await db.write(lambda tx: calendars.create(tx, made))
    after = await db.write(
        lambda tx: calendars.update(
            tx, pid, made.calendar_id, color=None, transparent=False, components=frozenset({ComponentKind.VJOURNAL})
        )
    )
    assert (after.color, after.transparent, after.components) == (None, False, {ComponentKind.VJOURNAL})
    assert (after.display_name, after.order, after.home_seq) == ("Arbeit ✓", "3", 3)
    with pytest.raises(ParentGone):
        await db.write(lambda tx: calendars.update(tx, pid, CalendarId(new_id()), color="x"))


async def test_removed_leaves_a_tombstone_and_frees_the_name(db: Database) -> None:
    pid, cid = await home(db)
    await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics")))
    assert await db.write(lambda tx: calendars.remove(tx, pid, cid, now=NOW))
    assert not await db.write(lambda tx: calendars.remove(tx, pid, cid, now=NOW))
    assert await db.read(lambda tx: calendars.find(tx, pid, "calendar")) is None
    assert await db.read(lambda tx: changes.home_since(tx, pid, 1)) == [("calendar", 2, True)]
    with pytest.raises(ParentGone):
        await db.write(lambda tx: calendars.next_seq(tx, pid, cid))
    again = Calendar(pid, CalendarId(new_id()), "calendar")
    await db.write(lambda tx: calendars.create(tx, again))
    assert await db.read(lambda tx: changes.home_since(tx, pid, 1)) == [("calendar", 4, False)]
    assert await db.read(lambda tx: objects.members_etags(tx, pid, again.calendar_id)) == []
    assert not await db.write(lambda tx: pruning.purge(tx, pid, again.calendar_id))
    assert await db.write(lambda tx: pruning.purge(tx, pid, cid))
    assert not await db.write(lambda tx: pruning.purge(tx, pid, cid))


async def test_rename_leaves_the_old_name_as_a_tombstone(db: Database) -> None:
    pid, cid = await home(db)
    await db.write(lambda tx: calendars.create(tx, work_calendar(pid)))
    with pytest.raises(Duplicate):
        await db.write(lambda tx: calendars.rename(tx, pid, cid, "work", now=NOW))
    moved = await db.write(lambda tx: calendars.rename(tx, pid, cid, "home", now=NOW))
    assert (moved.name, moved.calendar_id) == ("home", cid)
    assert await db.read(lambda tx: changes.home_since(tx, pid, 2)) == [("calendar", 3, True), ("home", 4, False)]
    back = await db.write(lambda tx: calendars.rename(tx, pid, cid, "calendar", now=NOW))
    assert back.home_seq == 6
    assert await db.read(lambda tx: changes.home_since(tx, pid, 2)) == [("home", 5, True), ("calendar", 6, False)]
    with pytest.raises(ParentGone):
        await db.write(lambda tx: calendars.rename(tx, pid, CalendarId(new_id()), "x", now=NOW))


async def test_batch_numbers_and_pruning(db: Database) -> None:
    pid, cid = await home(db)
    assert await db.write(lambda tx: calendars.next_seq(tx, pid, cid, 5)) == 5
    first = await db.write(lambda tx: add(tx, pid, cid, new_object("a.ics")))
    await db.write(lambda tx: add(tx, pid, cid, new_object("b.ics")))
    await db.write(lambda tx: remove(tx, pid, cid, first))
    assert [row[0] for row in await db.read(lambda tx: changes.rows(tx, pid, cid, 0))] == ["b.ics", "a.ics"]
    assert await db.write(lambda tx: pruning.delete_tombstones(tx, pid, cid, NOW - 1, 9)) == 0
    assert await db.write(lambda tx: pruning.delete_tombstones(tx, pid, cid, NOW, 9)) == 1
    assert await db.write(lambda tx: pruning.delete_tombstones(tx, pid, cid, NOW, 9)) == 0
    calendar = await db.read(lambda tx: calendars.get(tx, pid, cid))
    assert (calendar.seq, calendar.min_valid_seq) == (8, 8)
    assert [row[0] for row in await db.read(lambda tx: changes.rows(tx, pid, cid, 0))] == ["b.ics"]


async def test_dead_properties(db: Database) -> None:
    pid, cid = await home(db)
    oid = new_id()
    one, two = DeadProperty("{x}b", "<b xmlns='x'>ü</b>"), DeadProperty("{x}a", "<a xmlns='x'/>")

    def work(tx):
        properties.set_dead(tx, pid, cid, one)
        properties.set_dead(tx, pid, cid, two)
        properties.set_dead(tx, pid, cid, DeadProperty("{x}a", "<a xmlns='x'>new</a>"))
        properties.set_dead(tx, pid, oid, DeadProperty("{y}gone", "<gone/>"))
        properties.set_all_dead(tx, pid, oid, properties.dead_properties(tx, pid, cid))

    await db.write(work)
    wanted = [DeadProperty("{x}a", "<a xmlns='x'>new</a>"), one]
    assert await db.read(lambda tx: properties.dead_properties(tx, pid, cid)) == wanted
    assert await db.read(lambda tx: properties.dead_properties(tx, pid, oid)) == wanted
    assert await db.write(lambda tx: properties.remove_dead(tx, pid, cid, "{x}b"))
    assert not await db.write(lambda tx: properties.remove_dead(tx, pid, cid, "{x}b"))
    found = await db.read(lambda tx: properties.dead_properties_of_many(tx, pid, [cid, oid, new_id()]))
    assert {key: len(value) for key, value in found.items()} == {cid: 1, oid: 2}
    assert await db.write(lambda tx: properties.drop_dead(tx, pid, oid)) == 2
