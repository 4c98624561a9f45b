"""The derived index follows the clock, the rules and the zone data (calendaring.upkeep)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from caldav_server.calendaring import upkeep
from caldav_server.jobs import JOBS
from caldav_server.jobs import upkeep as duties
from caldav_server.jobs.runner import Runner
from protocol.ical.index import INDEX_VERSION
from protocol.model import DAY, FOREVER, Calendar, CalendarId, PrincipalId, TimeRange
from storage import calendars, occurrences, pruning, server_state, tables
from storage.database import Statement, Transaction
from testing.builders import event
from testing.face import NOW, Face

CALENDAR = "/dav/calendars/anna/calendar/"
YEAR = 366 * 86_400
EARLIER = Statement(
    update(tables.occurrences).values(start_at=tables.occurrences.c.start_at - 3600), across="a test's own change"
)
"""Every occurrence an hour earlier, as if derived by another law or by another version."""


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    await made.put(CALENDAR + "a.ics", event("one", end="DURATION:PT1H", more="RRULE:FREQ=WEEKLY"))
    await made.put(CALENDAR + "b.ics", event("two", start="DTSTART:20270105T100000Z", end="DURATION:PT1H"))
    yield made
    made.db.close()


def owner_of(face: Face) -> PrincipalId:
    return face.people["anna"].principal_id


async def last_indexed(face: Face) -> int:
    owner = owner_of(face)

    def work(tx: Transaction) -> int:
        calendar = calendars.find(tx, owner, "calendar")
        assert calendar is not None
        everything = TimeRange(-FOREVER, FOREVER)
        return max(row[0] for row in occurrences.busy(tx, owner, calendar.calendar_id, everything, everything))

    return await face.db.read(work)


async def test_the_horizon_moves_on(face: Face) -> None:
    before = await last_indexed(face)
    later = int(time.time()) + 20 * YEAR
    assert await upkeep.extend_horizon(face.db, face.settings, later, owner_of(face)) == 1
    assert await last_indexed(face) > max(before, later)
    assert await upkeep.extend_horizon(face.db, face.settings, later, owner_of(face)) == 0


async def test_queries_beyond_the_horizon_are_answered_all_the_same(face: Face) -> None:
    for year, count in ((2027, 2), (2090, 1)):
        span = f'<C:time-range start="{year}0101T000000Z" end="{year + 1}0101T000000Z"/>'
        found = await face.query(CALENDAR, f'<C:comp-filter name="VEVENT">{span}</C:comp-filter>')
        assert len(found.hrefs()) == count


async def test_reindex_rebuilds_what_was_lost(face: Face) -> None:
    owner = face.people["anna"].principal_id
    before = await last_indexed(face)

    def wreck(tx: Transaction) -> None:
        calendar = calendars.find(tx, owner, "calendar")
        assert calendar is not None
        for object_id in occurrences.candidates(tx, owner, calendar.calendar_id, TimeRange(), TimeRange(), None):
            occurrences.drop(tx, owner, calendar.calendar_id, object_id)

    await face.db.write(wreck)
    seen: list[int] = []
    assert await upkeep.reindex_all(face.db, face.settings, int(time.time()), seen.append) == 2
    assert sum(seen) == 2
    assert abs(await last_indexed(face) - before) <= 7 * 86_400


async def test_objects_that_moved_with_the_law_are_listed(face: Face) -> None:
    owner = face.people["anna"].principal_id
    zoned = event("three", start="DTSTART;TZID=Europe/Berlin:20270105T100000", end="")
    await face.put(CALENDAR + "c.ics", zoned)

    def shift(tx: Transaction) -> None:
        """As if the index had been made under another law."""
        calendar = calendars.find(tx, owner, "calendar")
        assert calendar is not None
        found = occurrences.candidates(
            tx, owner, calendar.calendar_id, TimeRange(1799139600, 1799139601), TimeRange(0, 1), None
        )
        for object_id in found:
            rows = occurrences.of_object(tx, owner, calendar.calendar_id, object_id)
            assert rows
            occurrences.drop(tx, owner, calendar.calendar_id, object_id)

    await face.db.write(shift)
    moved = await upkeep.reindex(face.db, face.settings, 1_800_000_000, owner)
    assert [(each.calendar, each.name) for each in moved] == [("calendar", "c.ics")]


async def test_time_that_passed_is_no_move(face: Face) -> None:
    """An index made later goes further: that alone does not say that anything moved."""
    zoned = event("three", start="DTSTART;TZID=Europe/Berlin:20270105T100000", end="", more="RRULE:FREQ=WEEKLY")
    await face.put(CALENDAR + "c.ics", zoned)
    now = int(time.time())
    owner = owner_of(face)
    assert await upkeep.reindex(face.db, face.settings, now + 30 * 86_400, owner) == []
    assert await upkeep.reindex(face.db, face.settings, now, owner) == []

    await face.db.write(lambda tx: tx.execute(EARLIER))
    moved = await upkeep.reindex(face.db, face.settings, now + 60 * 86_400, owner)
    assert [each.name for each in moved] == ["c.ics"]


@pytest.mark.parametrize("kind", ["zone_data", "old_indexes"])
async def test_indexes_are_derived_again_once_when_something_changed(
    face: Face, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start() -> None:
        """What a start of the server does."""
        rows = {name: replace(row, every=None) for name, row in JOBS.items() if row.at_start is not None}
        services = face.services()
        runner = Runner(services, rows)
        running = asyncio.create_task(runner.run())
        async with asyncio.timeout(30):
            while services.metrics.counters["jobs_done"] < len(rows):
                await asyncio.sleep(0.02)
        runner.stop()
        await running

    await start()
    before = await last_indexed(face)
    await face.db.write(lambda tx: tx.execute(EARLIER))
    await start()
    assert await last_indexed(face) < before, "nothing says yet that the indexes are old"
    if kind == "old_indexes":
        monkeypatch.setattr(upkeep, "INDEX_VERSION", INDEX_VERSION + 1)
        monkeypatch.setattr(duties, "INDEX_VERSION", INDEX_VERSION + 1)
    else:
        await face.db.write(lambda tx: server_state.set_zone_data(tx, "older"))
    await start()
    assert await last_indexed(face) == before


async def test_copies_that_nobody_finished_are_deleted_after_a_day(face: Face) -> None:
    owner = owner_of(face)
    staged = Calendar(owner, CalendarId(b"s" * 16), "copy", created_at=NOW)
    await face.db.write(lambda tx: calendars.stage(tx, staged))
    assert await upkeep.forget_unfinished(face.db, NOW + DAY - 1, owner) == 0
    assert await upkeep.forget_unfinished(face.db, NOW + DAY, owner) == 1
    assert await face.db.read(lambda tx: pruning.unfinished_copies(tx, owner, 1 << 40)) == []
