"""Keeps what is derived from the texts up to date: reindex, the moving horizon, changed zone data; unfinished copies.

Nothing here changes a text, an ETag or a ``seq``, so clients do not notice. An object is written only if it still has
the ETag that it was read with; the writer of a changed object has indexed it. Texts are parsed outside of the
transaction that writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
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
    ObjectIndex,
    ObjectMeta,
    PrincipalId,
    Seq,
    TimeRange,
)
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage import principals as stored_principals
from storage import pruning, server_state
from storage.database import Database, Transaction

BATCH = 50
"""Objects per transaction."""

PAGE = 100
"""Principals per look-up."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An object whose occurrences changed because the law of a zone changed."""

    calendar: str
    name: str


@dataclass(frozen=True, slots=True)
class _Derived:
    """An object with the index that its text has today."""

    meta: ObjectMeta
    index: ObjectIndex
    rows: list[stored_occurrences.IndexRow]


async def principal_pages(db: Database, after: bytes = b"") -> AsyncIterator[list[PrincipalId]]:
    """The ids of all principals that follow ``after``, in order, page by page."""
    while page := await db.read(partial(stored_principals.ids_after, after=after, limit=PAGE)):
        yield page
        after = page[-1]


async def reindex_all(db: Database, settings: Settings, now: int, advance: Callable[[int], None]) -> int:
    """Derive the index of every object again; ``advance`` gets the number of objects of each step. Answers the sum."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        advance(more)

    async for page in principal_pages(db):
        for owner in page:
            await reindex(db, settings, now, owner, count)
    await db.write(all_indexes_are_current)
    return done


async def reindex(
    db: Database, settings: Settings, now: int, owner: PrincipalId, advance: Callable[[int], None] = lambda _: None
) -> list[Moved]:
    """Derive the index of every object of a principal again; answers the objects whose occurrences moved."""
    derive = _deriver(settings, now)
    moved: list[Moved] = []
    for calendar in await db.read(partial(stored_calendars.of_home, principal_id=owner)):
        after = Seq(0)
        while True:
            last, derived = await db.read(partial(_read_page, calendar=calendar, after=after, derive=derive))
            if last == after:
                break
            names = await db.write(partial(_save, calendar=calendar, derived=derived))
            moved += [Moved(calendar.name, name) for name in names]
            advance(len(derived))
            after = last
    return moved


async def extend_horizon(db: Database, settings: Settings, now: int, owner: PrincipalId) -> int:
    """Index the endless series of a principal further, once half of the horizon has passed; answers how many."""
    derive = _deriver(settings, now)
    half = now + Rules.of(settings).horizon_seconds // 2
    done = 0
    for calendar in await db.read(partial(stored_calendars.of_home, principal_id=owner)):
        due = await db.read(partial(_due, calendar=calendar, instant=half))
        for start in range(0, len(due), BATCH):
            ids = due[start : start + BATCH]
            derived = await db.read(partial(_read_ids, calendar=calendar, ids=ids, derive=derive))
            await db.write(partial(_save, calendar=calendar, derived=derived))
            done += len(ids)
    return done


async def forget_unfinished(db: Database, now: int, owner: PrincipalId) -> int:
    """Delete copies of calendars that nobody finished within a day; answers how many."""
    found = await db.read(partial(pruning.unfinished_copies, principal_id=owner, before=now - DAY))
    for calendar_id in found:
        await empty(db, owner, calendar_id)
        await db.write(partial(pruning.purge, principal_id=owner, calendar_id=calendar_id))
    return len(found)


async def empty(db: Database, owner: PrincipalId, calendar_id: CalendarId, limit: int = 300) -> int:
    """Delete the content of a removed calendar in short transactions; answers the number of rows."""
    deleted = 0
    while step := await db.write(partial(pruning.empty, principal_id=owner, calendar_id=calendar_id, limit=limit)):
        deleted += step
    return deleted


def all_indexes_are_current(tx: Transaction) -> None:
    """Note that every index was derived by this version of the server."""
    server_state.set_index_version(tx, INDEX_VERSION)


Derive = Callable[[Iterable[CalendarObject]], list[_Derived]]


def _deriver(settings: Settings, now: int) -> Derive:
    rules = Rules.of(settings)

    def derive(found: Iterable[CalendarObject]) -> list[_Derived]:
        derived = []
        for each in found:
            try:
                index = index_document(
                    document_of(each.data), horizon=now + rules.horizon_seconds, cap=rules.occurrences_cap
                )
            except Refusal:
                continue  # a text that today's rules refuse keeps the index it has
            rows = stored_occurrences.rows_of(index.component, index.entries)
            derived.append(_Derived(each.meta, index, rows))
        return derived

    return derive


def _read_page(tx: Transaction, calendar: Calendar, after: Seq, derive: Derive) -> tuple[Seq, list[_Derived]]:
    """The next objects of a calendar, and the number of the last one."""
    page = stored.page(tx, calendar.principal_id, calendar.calendar_id, after=after, limit=BATCH)
    return (page[-1].meta.seq if page else after), derive(page)


def _read_ids(tx: Transaction, calendar: Calendar, ids: Sequence[ObjectId], derive: Derive) -> list[_Derived]:
    return derive(stored.fetch_ids(tx, calendar.principal_id, calendar.calendar_id, ids))


def _due(tx: Transaction, calendar: Calendar, instant: int) -> list[ObjectId]:
    """The objects whose index ends before an instant although they go on."""
    span = TimeRange(instant - 1, instant)
    return stored_occurrences.beyond(tx, calendar.principal_id, calendar.calendar_id, span)


def _save(tx: Transaction, calendar: Calendar, derived: Sequence[_Derived]) -> list[str]:
    """Store indexes; answers the names of objects that use a zone and whose stored occurrences are not the same."""
    moved: list[str] = []
    for each in derived:
        place = (calendar.principal_id, calendar.calendar_id, each.meta.object_id)
        compared = bool(each.index.zones)
        # Past the end of one index the other one has more occurrences, which does not mean that any moved.
        until = min(stored_occurrences.indexed_until(tx, *place), each.index.indexed_until) if compared else -FOREVER
        before = _before(tx, place, until) if compared else []
        if not stored.set_index(tx, *place, each.index, expected=each.meta.etag):
            continue
        stored_occurrences.replace(tx, *place, each.rows)
        if compared and _before(tx, place, until) != before:
            moved.append(each.meta.name)
    return moved


def _before(tx: Transaction, place: tuple[PrincipalId, CalendarId, ObjectId], until: int) -> list[tuple[int, int]]:
    """The stored intervals that begin before an instant, sorted."""
    return sorted(span for span in stored_occurrences.of_object(tx, *place) if span[0] < until)
