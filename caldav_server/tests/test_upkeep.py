"""The derived index follows the clock, the rules and the zone data (calendaring.upkeep, worker.upkeep)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from caldav_server.calendaring import upkeep
from caldav_server.worker import upkeep as duty
from protocol.ical.index import INDEX_VERSION
from protocol.model import FOREVER, Calendar, CalendarId, TimeRange
from storage import calendars, occurrences, pruning, server_state, tables
from storage.database import Statement, Transaction
from testing.builders import event
from testing.face import Face

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


async def last_indexed(face: Face) -> int:
    owner = face.people["anna"].principal_id

    def work(tx: Transaction) -> int:
        calendar = calendars.find(tx, owner, "calendar")
        assert calendar is not None
        everything = TimeRange(-FOREVER, FOREVER)
        return max(row[0] for row in occurrences.busy(tx, owner, calendar.calendar_id, everything, everything))

    return await face.db.read(work)


async def test_the_horizon_moves_on(face: Face) -> None:
    before = await last_indexed(face)
    later = int(time.time()) + 20 * YEAR
    assert await upkeep.extend_horizon(face.db, face.settings, later) == 1
    assert await last_indexed(face) > max(before, later)
    assert await upkeep.extend_horizon(face.db, face.settings, later) == 0


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


async def test_new_zone_data_is_taken_in_once(face: Face) -> None:
    version = duty.zone_data_version()
    await duty.once(face.db, face.settings, 1_800_000_000, version)
    assert await face.db.point(server_state.zone_data) == version
    assert await upkeep.rederive_zones(face.db, face.settings, 1_800_000_000, version) == []


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
    moved = await upkeep.rederive_zones(face.db, face.settings, 1_800_000_000, "another")
    assert [(each.principal, each.calendar, each.name) for each in moved] == [("anna", "calendar", "c.ics")]


async def test_time_that_passed_is_no_move(face: Face) -> None:
    """An index made later goes further: that alone does not say that anything moved."""
    zoned = event("three", start="DTSTART;TZID=Europe/Berlin:20270105T100000", end="", more="RRULE:FREQ=WEEKLY")
    await face.put(CALENDAR + "c.ics", zoned)
    now = int(time.time())
    assert await upkeep.rederive_zones(face.db, face.settings, now + 30 * 86_400, "new") == []
    assert await upkeep.rederive_zones(face.db, face.settings, now, "newer") == []

    await face.db.write(lambda tx: tx.execute(EARLIER))
    moved = await upkeep.rederive_zones(face.db, face.settings, now + 60 * 86_400, "newest")
    assert [each.name for each in moved] == ["c.ics"]


async def test_indexes_of_an_older_version_are_derived_anew_once(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    version = duty.zone_data_version()
    await duty.once(face.db, face.settings, now, version)
    assert await upkeep.reindex_older(face.db, face.settings, now) == 0
    before = await last_indexed(face)

    await face.db.write(lambda tx: tx.execute(EARLIER))
    await duty.once(face.db, face.settings, now, version)
    assert await last_indexed(face) < before, "nothing says yet that the indexes are old"
    monkeypatch.setattr(upkeep, "INDEX_VERSION", INDEX_VERSION + 1)
    await duty.once(face.db, face.settings, now, version)
    assert await last_indexed(face) == before
    assert await upkeep.reindex_older(face.db, face.settings, now) == 0


async def test_copies_that_nobody_finished_are_forgotten_after_a_day(face: Face) -> None:
    owner = face.people["anna"].principal_id
    staged = Calendar(owner, CalendarId(b"s" * 16), "copy", created_at=1_800_000_000)
    await face.db.write(lambda tx: calendars.stage(tx, staged))
    assert await upkeep.forget_unfinished(face.db, 1_800_000_000 + 80_000) == 0
    assert await upkeep.forget_unfinished(face.db, 1_800_000_000 + 90_000) == 1
    assert await face.db.read(lambda tx: pruning.unfinished_copies(tx, owner, 1 << 40)) == []
