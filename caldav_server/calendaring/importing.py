"""Import of whole calendars: many objects per transaction, repeatable, with an outcome for each (RFC 5545 §3.4).

The same rules as ``objects.put`` hold for every object; what an object breaks is its own outcome and stops no other.
Importing an export again changes nothing: objects are known by UID and compared by their bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from caldav_server.calendaring import objects
from caldav_server.calendaring.context import Context, Rules
from caldav_server.calendaring.objects import Draft, Target
from protocol.errors import Refusal
from protocol.ical.pieces import Cut, components, with_uid
from protocol.model import Access, Calendar, ObjectId, ObjectMeta, Principal, Seq, Uid
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage.database import Transaction
from storage.ids import new_id
from storage.members import by_uid, taken_names

BATCH = 500
"""Objects per transaction: enough to share a commit, few enough not to keep other writers waiting."""
BATCH_OCTETS = 8_000_000
READ_AHEAD = 8
"""Batches that are read at most before the first of them is stored."""
STORE_AHEAD = 1
"""Batches that wait for the calendar while another one is stored: the database then never waits for this process."""
T = TypeVar("T")
Piece = tuple[Uid | None, bytes]
_PLAIN = re.compile(r"[A-Za-z0-9._@{}-]{1,120}")


class Became(StrEnum):
    """What an import did with one object."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object of an import: ``message`` says why it was refused, or what was repaired."""

    uid: str
    became: Became
    message: str = ""


async def import_calendar(
    ctx: Context, owner: Principal, calendar: Calendar, file: Cut, readers: ProcessPoolExecutor | None = None
) -> AsyncIterator[list[Outcome]]:
    """Put everything an iCalendar file holds into a calendar; yields the outcomes batch by batch.

    ``readers``: processes that parse the next batches while one is being stored; without them each is parsed here.
    """
    async with (
        aclosing(_in_turn(_read(ctx, calendar, file, readers), READ_AHEAD if readers else 0)) as batches,
        aclosing(_in_turn(_stored(ctx, owner, calendar, batches), STORE_AHEAD)) as outcomes_of_batches,
    ):
        async for outcomes in outcomes_of_batches:
            yield outcomes


async def _in_turn(jobs: AsyncIterator[asyncio.Future[T]], most: int) -> AsyncGenerator[T]:
    """The results of jobs in their order; ``most`` of them are begun before the one whose turn it is has ended."""
    begun: deque[asyncio.Future[T]] = deque()
    try:
        async for job in jobs:
            begun.append(job)
            if len(begun) > most:
                yield await begun.popleft()
        while begun:
            yield await begun.popleft()
    finally:
        for job in begun:
            job.cancel()
        await asyncio.gather(*begun, return_exceptions=True)  # nobody comes to fetch them


async def _read(
    ctx: Context, calendar: Calendar, file: Cut, readers: ProcessPoolExecutor | None
) -> AsyncIterator[asyncio.Future[_Batch]]:
    loop = asyncio.get_running_loop()
    for some in _pieces(file):
        if readers is not None:
            yield loop.run_in_executor(readers, _batch, ctx.rules, ctx.now, calendar, some)
        else:
            done = loop.create_future()
            done.set_result(_batch(ctx.rules, ctx.now, calendar, some))
            yield done


async def _stored(
    ctx: Context, owner: Principal, calendar: Calendar, batches: AsyncIterator[_Batch]
) -> AsyncIterator[asyncio.Future[list[Outcome]]]:
    async for batch in batches:
        yield asyncio.ensure_future(_store(ctx, owner, calendar, batch))


def _pieces(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """So many objects, or fewer of great size: one statement of the database carries them all."""
    some: list[Piece] = []
    octets = 0
    for piece in pieces:
        some.append(piece)
        octets += len(piece[1])
        if len(some) == BATCH or octets >= BATCH_OCTETS:
            yield some
            some, octets = [], 0
    if some:
        yield some


@dataclass(slots=True)
class _Batch:
    """Objects that were read and are to be stored together, with all that can be made before the calendar is locked."""

    refused: list[Outcome]
    drafts: dict[Uid, Draft] = field(default_factory=dict)
    ids: dict[Uid, ObjectId] = field(default_factory=dict)
    """For those that turn out to be new."""
    rows: list[stored_occurrences.ObjectRow] = field(default_factory=list)
    """Of all of them, in the order of the index."""


def _batch(rules: Rules, now: int, calendar: Calendar, pieces: Iterable[Piece]) -> _Batch:
    batch = _Batch([])
    for found, text in pieces:
        uid, data = (found, text) if found is not None else with_uid(text)
        try:
            new = objects.draft(rules, now, data, strict=False)
            objects.require_component(calendar, new.index)
        except Refusal as refusal:
            batch.refused.append(_refused(uid, refusal))
        else:
            batch.drafts[new.index.uid] = new
    batch.ids = {uid: ObjectId(new_id()) for uid in batch.drafts}
    batch.rows = stored_occurrences.in_order((batch.ids[uid], new.rows) for uid, new in batch.drafts.items())
    return batch


def _refused(uid: str, refusal: Refusal) -> Outcome:
    return Outcome(uid, Became.REFUSED, f"{refusal.condition.element}: {refusal.message}")


async def _store(ctx: Context, owner: Principal, calendar: Calendar, batch: _Batch) -> list[Outcome]:
    def work(tx: Transaction) -> tuple[list[Outcome], Seq | None]:
        return _store_batch(tx, ctx, owner, calendar, batch)

    if not batch.drafts:
        return batch.refused
    try:
        outcomes, seq = await objects.write_again(ctx, work)
    except Refusal as refusal:  # no room for them
        return batch.refused + [_refused(uid, refusal) for uid in batch.drafts]
    if seq is not None:
        ctx.announce(calendar.principal_id, calendar.calendar_id, seq)
    return batch.refused + outcomes


def _store_batch(
    tx: Transaction, ctx: Context, owner: Principal, calendar: Calendar, batch: _Batch
) -> tuple[list[Outcome], Seq | None]:
    """One transaction, conditional on what it read: if somebody was faster, all of it once more."""
    place = (calendar.principal_id, calendar.calendar_id)
    drafts = list(batch.drafts.values())
    known = by_uid(tx, *place, list(batch.drafts))
    fresh = [each for each in drafts if each.index.uid not in known]
    changed = _changed(tx, calendar, known, [each for each in drafts if each.index.uid in known])
    written = {each.index.uid for each in (*fresh, *changed)}
    outcomes = [Outcome(each.index.uid, Became.UNCHANGED) for each in drafts if each.index.uid not in written]
    count = len(fresh) + len(changed)
    if not count:
        return outcomes, None
    size = sum(len(each.data) for each in (*fresh, *changed)) - sum(known[each.index.uid].size for each in changed)
    last = stored_calendars.next_seq(tx, *place, count, members=len(fresh), size=size)
    ctx.rules.quota.require(tx, calendar.principal_id, size, ctx.now)
    first = last - count + 1
    _insert(tx, ctx, calendar, fresh, batch, first)
    for number, each in enumerate(changed, first + len(fresh)):
        existing = known[each.index.uid]
        target = Target(owner, calendar, existing.name, "", Access.OWN)
        objects.save(tx, ctx, target, each, existing, Seq(number))
    outcomes += [Outcome(each.index.uid, Became.CREATED, ", ".join(each.repairs)) for each in fresh]
    outcomes += [Outcome(each.index.uid, Became.UPDATED, ", ".join(each.repairs)) for each in changed]
    return outcomes, last


def _changed(tx: Transaction, calendar: Calendar, known: dict[Uid, ObjectMeta], drafts: Sequence[Draft]) -> list[Draft]:
    """Those that say something else than what is stored.

    An export keeps each component's lines but not what stood around them (PRODID, the order of time zones), so where
    the bytes differ the components are compared: importing an export must not cost a client's own text.
    """
    differing = [each for each in drafts if known[each.index.uid].etag != each.etag]
    texts = {
        found.meta.uid: found.data
        for found in stored.fetch_ids(
            tx,
            calendar.principal_id,
            calendar.calendar_id,
            [known[each.index.uid].object_id for each in differing],
        )
    }
    return [each for each in differing if components(texts[each.index.uid]) != components(each.data)]


def _insert(
    tx: Transaction, ctx: Context, calendar: Calendar, fresh: Sequence[Draft], batch: _Batch, first: int
) -> None:
    place = (calendar.principal_id, calendar.calendar_id)
    names = [_name_for(each.index.uid) for each in fresh]
    taken = taken_names(tx, *place, names)
    rows = []
    for number, (each, name) in enumerate(zip(fresh, names, strict=True), first):
        meta = ObjectMeta(
            object_id=batch.ids[each.index.uid],
            name=name if name not in taken else f"{new_id().hex()}.ics",
            uid=each.index.uid,
            component=each.index.component,
            etag=each.etag,
            seq=Seq(number),
            size=len(each.data),
            schedule_tag=None,
            created_at=ctx.now,
            modified_at=ctx.now,
        )
        rows.append((meta, each.data, each.index))
    if stored.insert_many(tx, *place, rows) != len(rows):
        raise objects.Overtaken
    stored_occurrences.add_rows(tx, *place, batch.rows, {meta.object_id for meta, _, _ in rows})


def _name_for(uid: Uid) -> str:
    """The name an imported object gets: its UID where that makes a plain name, else a digest of it."""
    if _PLAIN.fullmatch(uid):
        return f"{uid}.ics"
    return f"{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.ics"
