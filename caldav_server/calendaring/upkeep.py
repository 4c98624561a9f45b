"""Keeping what is derived from the texts up to date: reindex, the moving horizon, changed zone law.

None of it changes a text, an ETag or a ``seq``: clients never notice. Each object is rewritten only if it still has the
ETag it was read with; one that changed meanwhile was indexed by whoever changed it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from caldav_server.calendaring.context import Rules
from caldav_server.calendaring.work_budget import document_of
from caldav_server.settings import Settings
from protocol.errors import Refusal
from protocol.ical.index import INDEX_VERSION, index_document
from protocol.model import (
    DAY,
    FOREVER,
    Calendar,
    CalendarId,
    CalendarObject,
    ObjectId,
    Principal,
    PrincipalId,
    TimeRange,
)
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage import principals as stored_principals
from storage import pruning, server_state
from storage.database import Database, Transaction

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Affected:
    """An object whose occurrences moved because the law of a zone it uses changed."""

    principal: str
    calendar: str
    name: str


async def reindex_all(db: Database, settings: Settings, now: int, advance: Callable[[int], None]) -> int:
    """Derive the index of every object anew; ``advance`` is told how many more are done. Answers how many in all."""
    horizon, cap = _bounds(settings, now)
    done = 0
    async for _, calendar in _all_calendars(db):
        async for page in _pages(db, calendar):
            await db.write(partial(_reindex, calendar=calendar, page=page, horizon=horizon, cap=cap))
            done += len(page)
            advance(len(page))
    await db.write(_all_are_current)
    return done


async def reindex_older(db: Database, settings: Settings, now: int) -> int:
    """Derive every index anew that an older version of the server may have made; how many objects were looked at."""
    if await db.point(server_state.index_version) >= INDEX_VERSION:
        return 0
    return await reindex_all(db, settings, now, lambda _: None)


async def extend_horizon(db: Database, settings: Settings, now: int) -> int:
    """Index the unending series for some more time, once half of the horizon has passed; how many."""
    horizon, cap = _bounds(settings, now)
    half = (now + horizon) // 2
    done = 0
    async for _, calendar in _all_calendars(db):
        due = await db.read(
            partial(
                stored_occurrences.beyond,
                principal_id=calendar.principal_id,
                calendar_id=calendar.calendar_id,
                span=TimeRange(half - 1, half),
            )
        )
        for start in range(0, len(due), _BATCH):
            some = due[start : start + _BATCH]
            done += await db.write(partial(_reindex_ids, calendar=calendar, ids=some, horizon=horizon, cap=cap))
    return done


async def rederive_zones(db: Database, settings: Settings, now: int, zone_data: str) -> list[Affected]:
    """After an update of the zone data: derive the objects that use a zone anew; those whose occurrences moved."""
    if await db.point(server_state.zone_data) == zone_data:
        return []
    horizon, cap = _bounds(settings, now)
    affected: list[Affected] = []
    async for principal, calendar in _all_calendars(db):
        async for page in _pages(db, calendar):
            moved = await db.write(
                partial(_reindex, calendar=calendar, page=page, horizon=horizon, cap=cap, report=True)
            )
            affected += [Affected(principal.name, calendar.name, name) for name in moved]
    await db.write(lambda tx: server_state.set_zone_data(tx, zone_data))
    await db.write(_all_are_current)
    return affected


async def forget_unfinished(db: Database, now: int) -> int:
    """Forget copies of calendars that nobody finished, because their process ended a day ago or longer; how many."""
    done = 0
    for principal in await db.read(stored_principals.list_all):
        owner = principal.principal_id
        for calendar_id in await db.read(partial(pruning.unfinished_copies, principal_id=owner, before=now - DAY)):
            done += await db.write(partial(pruning.purge, principal_id=owner, calendar_id=calendar_id))
    return done


def _all_are_current(tx: Transaction) -> None:
    server_state.set_index_version(tx, INDEX_VERSION)


def _bounds(settings: Settings, now: int) -> tuple[int, int]:
    rules = Rules.of(settings)
    return now + rules.horizon_seconds, rules.occurrences_cap


async def _all_calendars(db: Database) -> AsyncIterator[tuple[Principal, Calendar]]:
    for principal in await db.read(stored_principals.list_all):
        owner = principal.principal_id
        for calendar in await db.read(partial(stored_calendars.of_home, principal_id=owner)):
            yield principal, calendar


async def _pages(db: Database, calendar: Calendar) -> AsyncIterator[list[CalendarObject]]:
    after = 0
    while True:
        page = await db.read(
            partial(
                stored.page,
                principal_id=calendar.principal_id,
                calendar_id=calendar.calendar_id,
                after=after,
                limit=_BATCH,
            )
        )
        if not page:
            return
        yield page
        after = page[-1].meta.seq


def _reindex_ids(tx: Transaction, calendar: Calendar, ids: Sequence[ObjectId], horizon: int, cap: int) -> int:
    found = stored.fetch_ids(tx, calendar.principal_id, calendar.calendar_id, ids)
    _reindex(tx, calendar, found, horizon, cap)
    return len(found)


def _reindex(
    tx: Transaction,
    calendar: Calendar,
    page: Sequence[CalendarObject],
    horizon: int,
    cap: int,
    *,
    report: bool = False,
) -> list[str]:
    """Index objects anew; with ``report``, the names of those whose stored intervals are not the same as before."""
    moved: list[str] = []
    for each in page:
        try:
            index = index_document(document_of(each.data), horizon=horizon, cap=cap)
        except Refusal:
            continue  # a text that today's rules refuse keeps the index it has
        place = (calendar.principal_id, calendar.calendar_id, each.meta.object_id)
        compared = report and bool(index.zones)
        # Where one of the two indexes ends, the other says more, not something else.
        until = min(stored_occurrences.indexed_until(tx, *place), index.indexed_until) if compared else -FOREVER
        before = _before(tx, place, until) if compared else []
        if not stored.set_index(tx, *place, index, expected=each.meta.etag):
            continue
        stored_occurrences.replace(tx, *place, stored_occurrences.rows_of(index.component, index.entries))
        if compared and _before(tx, place, until) != before:
            moved.append(each.meta.name)
    return moved


def _before(tx: Transaction, place: tuple[PrincipalId, CalendarId, ObjectId], until: int) -> list[tuple[int, int]]:
    """The stored intervals that begin before an instant; those of one instant in any order."""
    return sorted(span for span in stored_occurrences.of_object(tx, *place) if span[0] < until)
