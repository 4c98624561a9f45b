"""Reading calendars: queries, and look-ups by name (RFC 4791 §7.8 and §7.9).

A query is decided by the occurrence index where that is exact, with no parsing; otherwise the index narrows the
candidates and ``filters.matches`` decides on the parsed document. Objects whose stored occurrences end before the
range does are decided on the document too: no horizon decides membership. Everything runs in storage threads, in
batches, so that an answer of ten thousand objects neither blocks the loop nor has to fit in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TypeVar

from caldav_server.calendaring import access
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar
from caldav_server.calendaring.work_budget import RequestBudget
from protocol.errors import Refusal
from protocol.ical import calendar_timezone, timezones
from protocol.ical.document import Document
from protocol.ical.filters import Bounds, CompFilter, bounds, matches, satisfies
from protocol.ical.instants import wall_range_of
from protocol.model import (
    FOREVER,
    Access,
    Calendar,
    CalendarObject,
    ObjectId,
    ObjectMeta,
    Seq,
    Uid,
)
from storage import calendars as stored_calendars
from storage import changes as stored_changes
from storage import members as stored_members
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage.changes import ChangeRow
from storage.database import Transaction

T = TypeVar("T")
BATCH = 128
"""How many texts are fetched, decided and rendered per visit to a storage thread."""
LIGHT = 64 * 1024
"""Octets: texts up to this size are fetched together."""
PIECE = 1024 * 1024
"""Characters of answer after which a visit ends, so that an answer of any size passes through bounded memory."""


@dataclass(frozen=True, slots=True)
class Query:
    """A calendar-query, and the zone in which floating and all-day data are compared (RFC 4791 §9.8)."""

    filter: CompFilter
    zone: timezones.Zone


def zone_of(opened: OpenCalendar) -> timezones.Zone:
    """The zone in force for floating and all-day data: the calendar's, else its owner's (RFC 4791 §5.2.2)."""
    calendar = opened.calendar
    if calendar.time_zone is not None and calendar.time_zone_id is None:
        return calendar_timezone.parse(calendar.time_zone)[0]  # a definition of the client's own
    for name in (calendar.time_zone_id, opened.owner.time_zone):
        zone = timezones.resolve(name, None) if name else None
        if zone is not None:
            return zone
    return UTC


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a calendar answer a query: those the index is sure of, and those whose text must decide."""

    certain: list[ObjectId]
    doubtful: list[ObjectId]

    def only(self, object_id: ObjectId) -> Selection:
        """The same with all other objects left out."""
        return Selection(
            [each for each in self.certain if each == object_id], [each for each in self.doubtful if each == object_id]
        )

    def __len__(self) -> int:
        return len(self.certain) + len(self.doubtful)


async def select(ctx: Context, opened: OpenCalendar, query: Query) -> Selection:
    """What the index knows about a query; one read, no text."""
    access.require(opened, Access.READ)
    limits = bounds(query.filter)
    return await ctx.db.read(lambda tx: _select(tx, opened.calendar, limits, query.zone))


def _select(tx: Transaction, calendar: Calendar, limits: Bounds, zone: timezones.Zone) -> Selection:
    place = (calendar.principal_id, calendar.calendar_id)
    if limits.uid is not None:
        found = stored.find_by_uid(tx, *place, Uid(limits.uid))
        return Selection([], [found.object_id] if found else [])
    if limits.uid_match is not None:
        match = limits.uid_match
        return Selection([], [each for each, uid in stored_members.uids(tx, *place) if satisfies(match, [uid])])
    if limits.range is None:
        every = stored_members.ids(tx, *place, limits.components)
        return Selection(every, []) if limits.exact else Selection([], every)
    walls = wall_range_of(limits.range, zone)
    beyond = stored_occurrences.beyond(tx, *place, limits.range, limits.components)
    possible = stored_occurrences.candidates(tx, *place, limits.range, walls.wide, limits.components)
    if not limits.exact:
        return Selection([], list(dict.fromkeys([*possible, *beyond])))
    inside = possible
    if not walls.exact:
        # An end of the range is at a transition of the zone, where wall time does not say what is in the range.
        inside = stored_occurrences.candidates(tx, *place, limits.range, walls.sure, limits.components)
        beyond = list(dict.fromkeys([*possible, *beyond]))
    if not beyond:
        return Selection(inside, [])
    sure = set(inside)
    return Selection(inside, [each for each in beyond if each not in sure])


async def in_batches(
    ctx: Context,
    opened: OpenCalendar,
    ids: Sequence[ObjectId],
    work: Callable[[CalendarObject], str | None],
) -> AsyncIterator[list[str]]:
    """Fetch objects by id, batch by batch, and apply ``work`` in the storage thread; ``None`` leaves an object out.

    An object that went away since its id was read is left out too: the next synchronisation reports it.
    """
    access.require(opened, Access.READ)
    for start in range(0, len(ids), BATCH):
        todo = list(ids[start : start + BATCH])
        while todo:
            texts, todo = await ctx.db.read(partial(_piece, calendar=opened.calendar, todo=todo, work=work))
            yield texts


def _piece(
    tx: Transaction, calendar: Calendar, todo: list[ObjectId], work: Callable[[CalendarObject], str | None]
) -> tuple[list[str], list[ObjectId]]:
    """What ``work`` makes of the first objects, until that is a ``PIECE``, and the ids that are left."""
    texts: list[str] = []
    size, left = 0, set(todo)
    for each in fetch_each(tx, calendar, todo):
        left.discard(each.meta.object_id)
        text = work(each)
        if text is None:
            continue
        texts.append(text)
        size += len(text)
        if size >= PIECE:
            return texts, [object_id for object_id in todo if object_id in left]
    return texts, []


def fetch_each(tx: Transaction, calendar: Calendar, ids: Sequence[ObjectId]) -> Iterator[CalendarObject]:
    """Objects with their texts: small ones many at a time, large ones alone; what is gone is left out."""
    place = (calendar.principal_id, calendar.calendar_id)
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        found = stored.fetch_ids(tx, *place, some, up_to=LIGHT)
        yield from found
        if len(found) < len(some):
            here = {each.meta.object_id for each in found}
            for object_id in some:
                large = None if object_id in here else stored.get(tx, *place, object_id)
                if large is not None:
                    yield large


def decider(query: Query, budget: RequestBudget) -> Callable[[Document], bool]:
    """Decides one parsed document, for candidates the index could not decide.

    An object that needs more work than one object may cost is taken for a match: what is hidden cannot be mended.
    """

    def decide(document: Document) -> bool:
        with budget.for_object() as granted:
            try:
                return matches(query.filter, document, query.zone, granted)
            except Refusal:
                return True

    return decide


async def with_names(
    ctx: Context, opened: OpenCalendar, names: Sequence[str], work: Callable[[CalendarObject], T]
) -> tuple[list[T], list[str], Seq]:
    """Fetch the objects of those names that exist and apply ``work`` in the storage thread (RFC 4791 §7.9).

    The names of the large ones, which have to be fetched one by one (``with_name``), come second. Third comes the
    number that the calendar was at when all this was read.
    """
    access.require(opened, Access.READ)
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)

    def visit(tx: Transaction) -> tuple[list[T], list[str], Seq]:
        found, seq = stored.fetch(tx, *place, names, up_to=LIGHT)
        if not found:
            now = stored_calendars.get(tx, *place)
            seq = now.seq if now is not None else Seq(0)
        here = {each.meta.name for each in found}
        rest = [name for name in names if name not in here]
        large = [meta.name for meta in stored_members.metas(tx, *place, rest)] if rest else []
        return [work(each) for each in found], large, seq

    return await ctx.db.read(visit)


async def with_name(ctx: Context, opened: OpenCalendar, name: str, work: Callable[[CalendarObject], T]) -> T | None:
    """Apply ``work`` to the object of that name in the storage thread; ``None`` when there is none."""
    access.require(opened, Access.READ)
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)

    def visit(tx: Transaction) -> T | None:
        found = stored.find(tx, *place, name)
        return None if found is None else work(found)

    return await ctx.db.read(visit)


async def in_thread(ctx: Context, work: Callable[[], T]) -> T:
    """Run work that takes long in a storage thread, where it holds up no other request."""
    return await ctx.db.read(lambda _tx: work())


async def metas(ctx: Context, opened: OpenCalendar, names: Sequence[str]) -> list[ObjectMeta]:
    """The rows of the objects of those names that exist, without their texts."""
    access.require(opened, Access.READ)
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)
    return await ctx.db.read(lambda tx: stored_members.metas(tx, *place, names))


async def listing(ctx: Context, opened: OpenCalendar) -> list[ChangeRow]:
    """``(name, seq, etag, component)`` of every object, oldest change first, as one snapshot."""
    access.require(opened, Access.READ)
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)
    return await ctx.db.read(lambda tx: stored_changes.rows(tx, *place, 0, floor=FOREVER))
