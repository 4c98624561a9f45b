"""The occurrence index, against a plain model of it."""

from __future__ import annotations

import random

import pytest

from protocol.model import BusyType, ComponentKind, IndexEntry, TimeRange
from storage import occurrences
from storage.database import Database
from testing.samples import DAY, HOUR, NOW, add, home, new_object, remove

EVERYTHING = TimeRange()


async def test_buckets_against_a_model(db: Database) -> None:
    rng = random.Random(20)
    pid, cid = await home(db)
    samples = []
    for n in range(120):
        floating = rng.random() < 0.3
        entries = []
        for _ in range(rng.choice([1, 1, 3])):
            start = NOW + rng.randrange(60 * 24) * HOUR
            length = rng.choice([0, 1, HOUR, DAY, 7 * DAY, 7 * DAY + 1, 40 * DAY])
            entries.append(IndexEntry(start, start + length, floating, BusyType(rng.randrange(4))))
        sample = new_object(f"{n}.ics", *entries)
        sample.component = rng.choice(list(ComponentKind))
        samples.append(sample)

    def fill(tx):
        for sample in samples:
            add(tx, pid, cid, sample)

    await db.write(fill)
    for _ in range(60):
        start = NOW + rng.randrange(-10, 70) * DAY
        absolute = TimeRange(start, start + rng.choice([1, HOUR, DAY, 31 * DAY]))
        if rng.random() < 0.2:
            absolute = TimeRange(absolute.start, None)
        elif rng.random() < 0.2:
            absolute = TimeRange(None, absolute.end)
        wall = TimeRange(
            None if absolute.start is None else absolute.start + 2 * HOUR,
            None if absolute.end is None else absolute.end + 2 * HOUR,
        )
        kinds = rng.choice([None, {ComponentKind.VEVENT}, {ComponentKind.VTODO, ComponentKind.VAVAILABILITY}])
        wanted = {
            sample.object_id
            for sample in samples
            if (kinds is None or sample.component in kinds)
            and any((wall if e.floating else absolute).overlaps(e.start, e.end) for e in sample.entries)
        }
        found = await db.read(lambda tx, a=absolute, w=wall, k=kinds: occurrences.candidates(tx, pid, cid, a, w, k))
        assert len(found) == len(set(found))
        assert set(found) == wanted
        taken = {
            (e.start, e.end, int(e.floating), sample.object_id)
            for sample in samples
            for e in sample.entries
            if e.busy and (wall if e.floating else absolute).overlaps(e.start, e.end)
        }
        rows = await db.read(lambda tx, a=absolute, w=wall: occurrences.busy(tx, pid, cid, a, w))
        assert {(start, end, floating, oid) for start, end, floating, _, oid in rows} == taken


async def test_equal_intervals_keep_the_busiest(db: Database) -> None:
    pid, cid = await home(db)
    entries = [IndexEntry(NOW, NOW + HOUR, False, busy) for busy in (BusyType.TENTATIVE, BusyType.BUSY, BusyType.FREE)]
    sample = new_object("a.ics", *entries)
    meta = await db.write(lambda tx: add(tx, pid, cid, sample))
    rows = await db.read(lambda tx: occurrences.busy(tx, pid, cid, EVERYTHING, EVERYTHING))
    assert rows == [(NOW, NOW + HOUR, 0, BusyType.BUSY, sample.object_id)]
    await db.write(lambda tx: occurrences.replace(tx, pid, cid, sample.object_id, []))
    assert await db.read(lambda tx: occurrences.of_object(tx, pid, cid, sample.object_id)) == []
    many = occurrences.rows_of(sample.component, [IndexEntry(NOW + n, NOW + n + 1) for n in range(1500)])
    await db.write(lambda tx: occurrences.replace(tx, pid, cid, sample.object_id, many))
    assert len(await db.read(lambda tx: occurrences.of_object(tx, pid, cid, sample.object_id))) == 1500
    await db.write(lambda tx: remove(tx, pid, cid, meta))
    assert await db.read(lambda tx: occurrences.candidates(tx, pid, cid, EVERYTHING, EVERYTHING)) == []


@pytest.mark.parametrize(
    ("span", "kinds", "found"),
    [
        (TimeRange(NOW, NOW + DAY), None, False),
        (TimeRange(NOW, NOW + 99 * DAY), None, False),
        (TimeRange(NOW, NOW + 101 * DAY), None, True),
        (TimeRange(NOW + 400 * DAY, NOW + 401 * DAY), None, True),
        (TimeRange(NOW, None), None, True),
        (TimeRange(NOW + 200 * DAY, None), {ComponentKind.VTODO}, False),
        (TimeRange(None, NOW + 200 * DAY), {ComponentKind.VEVENT}, True),
    ],
)
async def test_beyond_the_horizon(db: Database, span: TimeRange, kinds, found: bool) -> None:
    pid, cid = await home(db)
    series = new_object("series.ics", IndexEntry(NOW, NOW + HOUR))
    series.indexed_until = NOW + 100 * DAY
    meta = await db.write(lambda tx: add(tx, pid, cid, series))
    await db.write(lambda tx: add(tx, pid, cid, new_object("single.ics")))
    ids = await db.read(lambda tx: occurrences.beyond(tx, pid, cid, span, kinds))
    assert ids == ([series.object_id] if found else [])
    await db.write(lambda tx: remove(tx, pid, cid, meta))
    assert await db.read(lambda tx: occurrences.beyond(tx, pid, cid, span, kinds)) == []
