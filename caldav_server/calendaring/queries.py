"""Reading calendars: queries, look-ups by name, changes since, free-busy (RFC 4791 §7.8-7.10, RFC 6578).

A query is decided by the occurrence index where that is exact, with no parsing; otherwise the index narrows the
candidates and ``filters.matches`` decides on the parsed document. Objects whose stored occurrences end before the
range does are decided on the document too: no horizon decides membership. Everything runs in storage threads, in
batches, so that an answer of ten thousand objects neither blocks the loop nor has to fit in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TypeVar

from caldav_server.calendaring.context import Context
from caldav_server.calendaring.texts import Allowance, document_of
from protocol.errors import Condition, Refusal
from protocol.ical import availability, calendar_timezone, freebusy, timezones
from protocol.ical.document import Document
from protocol.ical.filters import Bounds, CompFilter, bounds, matches, satisfies
from protocol.ical.instants import to_instants, wall_range_of
from protocol.model import (
    BusyType,
    Calendar,
    CalendarObject,
    ComponentKind,
    ObjectId,
    Seq,
    TimeRange,
    Uid,
)
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage.database import Transaction
from storage.members import ids, metas, uids

T = TypeVar("T")
BATCH = 128
"""How many texts are fetched, decided and rendered per visit to a storage thread."""
LIGHT = 64 * 1024
"""Octets: texts up to this size are fetched together."""
MOST_BUSY = 100_000
"""Occurrences of one calendar that one free-busy answer is made of at most."""
PIECE = 1024 * 1024
"""Characters of answer after which a visit ends, so that an answer of any size passes through bounded memory."""


@dataclass(frozen=True, slots=True)
class Query:
    """A calendar-query, and the zone in which floating and all-day data are compared (RFC 4791 §9.8)."""

    filter: CompFilter
    zone: timezones.Zone


def zone_of(ctx: Context, calendar: Calendar, owner_zone: str) -> timezones.Zone:
    """The zone in force for floating and all-day data: the calendar's, else its owner's (RFC 4791 §5.2.2)."""
    if calendar.time_zone is not None and calendar.time_zone_id is None:
        return calendar_timezone.parse(calendar.time_zone)[0]  # a definition of the client's own
    for name in (calendar.time_zone_id, owner_zone):
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


async def select(ctx: Context, calendar: Calendar, query: Query) -> Selection:
    """What the index knows about a query; one read, no text."""
    limits = bounds(query.filter)
    return await ctx.db.read(lambda tx: _select(tx, calendar, limits, query.zone))


def _select(tx: Transaction, calendar: Calendar, limits: Bounds, zone: timezones.Zone) -> Selection:
    place = (calendar.principal_id, calendar.calendar_id)
    if limits.uid is not None:
        found = stored.find_by_uid(tx, *place, Uid(limits.uid))
        return Selection([], [found.object_id] if found else [])
    if limits.uid_match is not None:
        match = limits.uid_match
        return Selection([], [each for each, uid in uids(tx, *place) if satisfies(match, [uid])])
    if limits.range is None:
        every = ids(tx, *place, limits.components)
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
    calendar: Calendar,
    ids: Sequence[ObjectId],
    work: Callable[[CalendarObject], str | None],
) -> AsyncIterator[list[str]]:
    """Fetch objects by id, batch by batch, and apply ``work`` in the storage thread; ``None`` leaves an object out.

    An object that went away since its id was read is left out too: the next synchronisation reports it.
    """
    for start in range(0, len(ids), BATCH):
        todo = list(ids[start : start + BATCH])
        while todo:
            texts, todo = await ctx.db.read(partial(_piece, calendar=calendar, todo=todo, work=work))
            yield texts


def _piece(
    tx: Transaction, calendar: Calendar, todo: list[ObjectId], work: Callable[[CalendarObject], str | None]
) -> tuple[list[str], list[ObjectId]]:
    """What ``work`` makes of the first objects, until that is a ``PIECE``, and the ids that are left."""
    texts: list[str] = []
    size, left = 0, set(todo)
    for each in _each(tx, calendar, todo):
        left.discard(each.meta.object_id)
        text = work(each)
        if text is None:
            continue
        texts.append(text)
        size += len(text)
        if size >= PIECE:
            return texts, [object_id for object_id in todo if object_id in left]
    return texts, []


def _each(tx: Transaction, calendar: Calendar, ids: Sequence[ObjectId]) -> Iterator[CalendarObject]:
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


def decider(query: Query, allowance: Allowance) -> Callable[[Document], bool]:
    """Decides one parsed document, for candidates the index could not decide.

    An object that needs more work than one object may cost is taken for a match: what is hidden cannot be mended.
    """

    def decide(document: Document) -> bool:
        with allowance.budget() as budget:
            try:
                return matches(query.filter, document, query.zone, budget)
            except Refusal:
                return True

    return decide


async def free_busy(
    ctx: Context, calendars: Iterable[Calendar], window: TimeRange, zone: timezones.Zone
) -> list[freebusy.BusyPeriod]:
    """The busy periods of calendars within a window, merged (RFC 4791 §7.10).

    An end may be open; where an unending series then makes the answer endless, it is refused with ``max-instances``.
    """
    chosen = list(calendars)

    def work(tx: Transaction) -> list[freebusy.BusyPeriod]:
        allowance = Allowance()
        absent = [each for calendar in chosen for each in _availabilities(tx, calendar, window, zone, allowance)]
        periods = (each for calendar in chosen for each in _busy(tx, calendar, window, zone, allowance))
        return freebusy.merge(periods, availability.unavailable(absent, window), window)

    return await ctx.db.read(work)


def _busy(
    tx: Transaction, calendar: Calendar, window: TimeRange, zone: timezones.Zone, allowance: Allowance
) -> Iterator[freebusy.BusyPeriod]:
    """What the index knows, and of objects whose index ends too early, what their text says."""
    principal_id, calendar_id = calendar.principal_id, calendar.calendar_id
    beyond = stored_occurrences.beyond(tx, principal_id, calendar_id, window, _TAKE_TIME)
    skipped = set(beyond)
    # What the wall clock only seems to show in the window is cut off with all else that is outside of it.
    rows = stored_occurrences.busy(
        tx, principal_id, calendar_id, window, wall_range_of(window, zone).wide, limit=MOST_BUSY + 1
    )
    if len(rows) > MOST_BUSY:
        raise Refusal(Condition.MAX_INSTANCES, "There is too much in this time; ask for less.")
    for start, end, floating, kind, object_id in rows:
        if object_id in skipped:
            continue
        yield freebusy.BusyPeriod(*to_instants(start, end, bool(floating), zone), BusyType(kind))
    for each in _each(tx, calendar, beyond):
        with allowance.budget() as budget:
            yield from freebusy.busy_periods(document_of(each.data), window, zone, budget)


_TAKE_TIME = frozenset({ComponentKind.VEVENT, ComponentKind.VFREEBUSY})
_AVAILABILITY = frozenset({ComponentKind.VAVAILABILITY})


def _availabilities(
    tx: Transaction, calendar: Calendar, window: TimeRange, zone: timezones.Zone, allowance: Allowance
) -> list[availability.Availability]:
    """The VAVAILABILITY objects of a calendar that reach into the window (RFC 7953 §4)."""
    principal_id, calendar_id = calendar.principal_id, calendar.calendar_id
    wall = wall_range_of(window, zone).wide
    found = stored_occurrences.candidates(tx, principal_id, calendar_id, window, wall, _AVAILABILITY)
    if not found:
        return []
    absent: list[availability.Availability] = []
    for each in _each(tx, calendar, found):
        with allowance.budget() as budget:
            absent += availability.availabilities(document_of(each.data).calendar, window, zone, budget)
    return absent


async def with_names(
    ctx: Context, calendar: Calendar, names: Sequence[str], work: Callable[[CalendarObject], T]
) -> tuple[list[T], list[str], Seq]:
    """Fetch the objects of those names that exist and apply ``work`` in the storage thread (RFC 4791 §7.9).

    The names of the large ones, which have to be fetched one by one, come second; third the number that the calendar
    was at when all this was read.
    """
    place = (calendar.principal_id, calendar.calendar_id)

    def visit(tx: Transaction) -> tuple[list[T], list[str], Seq]:
        found, seq = stored.fetch(tx, *place, names, up_to=LIGHT)
        if not found:
            now = stored_calendars.get(tx, *place)
            seq = now.seq if now is not None else Seq(0)
        here = {each.meta.name for each in found}
        rest = [name for name in names if name not in here]
        large = [meta.name for meta in metas(tx, *place, rest)] if rest else []
        return [work(each) for each in found], large, seq

    return await ctx.db.read(visit)


def named(tx: Transaction, calendar: Calendar, name: str) -> CalendarObject | None:
    """One object by its name."""
    return stored.find(tx, calendar.principal_id, calendar.calendar_id, name)
