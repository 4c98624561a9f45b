"""Import of whole calendars: many objects per transaction, repeatable, with an outcome for each (RFC 5545 §3.4).

The same rules as ``objects.put`` hold for every object; what an object breaks is its own outcome and stops no other.
Importing an export again changes nothing: objects are known by UID and compared by their bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from caldav_server.calendaring import objects
from caldav_server.calendaring.context import Context, Rules
from caldav_server.calendaring.objects import Draft, Target
from protocol.errors import Refusal
from protocol.ical.pieces import components, cut, with_uid
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
    ctx: Context, owner: Principal, calendar: Calendar, data: bytes, readers: ProcessPoolExecutor | None = None
) -> AsyncIterator[list[Outcome]]:
    """Put everything an iCalendar file holds into a calendar; yields the outcomes batch by batch.

    ``readers``: processes that parse the next batches while one is being stored; without them each is parsed here.
    """
    async for outcomes, drafts in _read(ctx, calendar, cut(data), readers):
        if drafts:
            outcomes += await _store(ctx, owner, calendar, drafts)
        yield outcomes


async def _read(
    ctx: Context, calendar: Calendar, pieces: Iterator[Piece], readers: ProcessPoolExecutor | None
) -> AsyncIterator[tuple[list[Outcome], list[Draft]]]:
    """The batches in the file's order, some of them read ahead where there are processes to do so."""
    ahead: deque[asyncio.Future[tuple[list[Outcome], list[Draft]]]] = deque()
    for some in _batches(pieces):
        if readers is None:
            yield _drafts(ctx.rules, ctx.now, calendar, some)
            continue
        loop = asyncio.get_running_loop()
        batch = loop.run_in_executor(readers, _drafts, ctx.rules, ctx.now, calendar, some)
        batch.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may come to fetch it
        ahead.append(batch)
        if len(ahead) > READ_AHEAD:
            yield await ahead.popleft()
    while ahead:
        yield await ahead.popleft()


def _batches(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
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


def _drafts(rules: Rules, now: int, calendar: Calendar, pieces: Iterable[Piece]) -> tuple[list[Outcome], list[Draft]]:
    refused: list[Outcome] = []
    drafts: dict[Uid, Draft] = {}
    for found, text in pieces:
        uid, data = (found, text) if found is not None else with_uid(text)
        try:
            new = objects.draft(rules, now, data, strict=False)
            objects.require_component(calendar, new.index)
        except Refusal as refusal:
            refused.append(_refused(uid, refusal))
        else:
            drafts[new.index.uid] = new
    return refused, list(drafts.values())


def _refused(uid: str, refusal: Refusal) -> Outcome:
    return Outcome(uid, Became.REFUSED, f"{refusal.condition.element}: {refusal.message}")


async def _store(ctx: Context, owner: Principal, calendar: Calendar, drafts: Sequence[Draft]) -> list[Outcome]:
    def work(tx: Transaction) -> tuple[list[Outcome], Seq | None]:
        return _store_batch(tx, ctx, owner, calendar, drafts)

    try:
        outcomes, seq = await objects.write_again(ctx, work)
    except Refusal as refusal:  # no room for them
        return [_refused(each.index.uid, refusal) for each in drafts]
    if seq is not None:
        ctx.announce(calendar.principal_id, calendar.calendar_id, seq)
    return outcomes


def _store_batch(
    tx: Transaction, ctx: Context, owner: Principal, calendar: Calendar, drafts: Sequence[Draft]
) -> tuple[list[Outcome], Seq | None]:
    """One transaction, conditional on what it read: if somebody was faster, all of it once more."""
    place = (calendar.principal_id, calendar.calendar_id)
    known = by_uid(tx, *place, [each.index.uid for each in drafts])
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
    _insert(tx, ctx, calendar, fresh, first)
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


def _insert(tx: Transaction, ctx: Context, calendar: Calendar, fresh: Sequence[Draft], first: int) -> None:
    place = (calendar.principal_id, calendar.calendar_id)
    names = [_name_for(each.index.uid) for each in fresh]
    taken = taken_names(tx, *place, names)
    rows = []
    for number, (each, name) in enumerate(zip(fresh, names, strict=True), first):
        meta = ObjectMeta(
            object_id=ObjectId(new_id()),
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
    stored_occurrences.add_many(
        tx, *place, [(meta.object_id, meta.component, index.entries) for meta, _, index in rows]
    )


def _name_for(uid: Uid) -> str:
    """The name an imported object gets: its UID where that makes a plain name, else a digest of it."""
    if _PLAIN.fullmatch(uid):
        return f"{uid}.ics"
    return f"{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.ics"
