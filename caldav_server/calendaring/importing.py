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
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from caldav_server.calendaring import access, objects
from caldav_server.calendaring.changes import Applied, Change, Save, apply, retry_on_conflict, write
from caldav_server.calendaring.context import Context, Rules
from caldav_server.calendaring.drafts import Draft, draft
from caldav_server.calendaring.opening import OpenCalendar
from protocol.errors import Refusal
from protocol.ical.split import Splitter, components, with_uid
from protocol.model import Access, Calendar, ObjectId, ObjectMeta, Uid
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage.database import Transaction
from storage.errors import CommitUnknown
from storage.ids import new_id
from storage.members import by_uid, taken_names

BATCH = 500
"""Objects per transaction: enough to share a commit, few enough not to keep other writers waiting."""
BATCH_OCTETS = 8_000_000
BATCH_ROWS = 50_000
"""Index rows per transaction: a second's work for PostgreSQL."""
READ_AHEAD = 8
"""Batches that are read at most before the first of them is stored."""
Piece = tuple[Uid | None, bytes]
_PLAIN = re.compile(r"[A-Za-z0-9._@{}-]{1,120}")


class ImportStatus(StrEnum):
    """What an import did with one object."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object of an import: ``message`` says why it was refused, or what was repaired."""

    uid: str
    status: ImportStatus
    message: str = ""


async def import_calendar(
    ctx: Context, opened: OpenCalendar, file: Splitter, readers: ProcessPoolExecutor | None = None
) -> AsyncIterator[list[Outcome]]:
    """Put everything an iCalendar file holds into a calendar; yields the outcomes batch by batch.

    ``readers``: processes that parse the next batches while one is being stored; without them each is parsed here.
    """
    access.require(opened, Access.BIND | Access.WRITE_CONTENT)
    async with aclosing(_read(ctx, opened.calendar, file, readers)) as batches:
        async for some in batches:
            for batch in some:
                yield await _store(ctx, opened.calendar, batch)


async def _read(
    ctx: Context, calendar: Calendar, file: Splitter, readers: ProcessPoolExecutor | None
) -> AsyncGenerator[list[_Batch]]:
    """The batches in the file's order, some of them read ahead where there are processes to do so."""
    ahead: deque[asyncio.Future[list[_Batch]]] = deque()
    loop = asyncio.get_running_loop()
    try:
        for some in _pieces(file):
            if readers is None:
                yield _batches(ctx.rules, ctx.now, calendar, some)
                continue
            ahead.append(loop.run_in_executor(readers, _batches, ctx.rules, ctx.now, calendar, some))
            if len(ahead) > READ_AHEAD:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:  # nobody comes to fetch what is left
        for batch in ahead:
            batch.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


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

    outcomes: list[Outcome] = field(default_factory=list)
    """Of those that are not to be stored."""
    drafts: dict[Uid, Draft] = field(default_factory=dict)
    ids: dict[Uid, ObjectId] = field(default_factory=dict)
    """For those that turn out to be new."""
    rows: list[stored_occurrences.ObjectRow] = field(default_factory=list)
    """Of all of them, in the order of the index."""


def _batches(rules: Rules, now: int, calendar: Calendar, pieces: Iterable[Piece]) -> list[_Batch]:
    """One batch, or several where these objects occur so often that their rows would keep others waiting for long."""
    batch = _Batch()
    batches, rows = [batch], 0
    seen: dict[Uid, Draft] = {}
    for found, text in pieces:
        uid, data = (found, text) if found is not None else with_uid(text)
        try:
            new = replace(draft(rules, now, data, strict=False), document=None)
            objects.require_component(calendar, new.index)
            _require_one(seen.get(new.index.uid), new)
        except Refusal as refusal:
            batch.outcomes.append(_refused(uid, refusal))
            continue
        if new.index.uid in seen:
            batch.outcomes.append(Outcome(new.index.uid, ImportStatus.UNCHANGED))
            continue
        if rows + len(new.rows) > BATCH_ROWS and batch.drafts:
            batch, rows = _Batch(), 0
            batches.append(batch)
        rows += len(new.rows)
        batch.drafts[new.index.uid] = seen[new.index.uid] = new
    for each in batches:
        each.ids = {uid: ObjectId(new_id()) for uid in each.drafts}
        each.rows = stored_occurrences.in_order((each.ids[uid], new.rows) for uid, new in each.drafts.items())
    return batches


def _require_one(earlier: Draft | None, new: Draft) -> None:
    """Refuse a second object of a UID in one file: as an event and as a task, it cannot be both (RFC 4791 §4.1)."""
    if earlier is not None and earlier.etag != new.etag:
        raise objects.UidConflict(None, "", "The file holds another object with the same UID.")


def _refused(uid: str, refusal: Refusal) -> Outcome:
    return Outcome(uid, ImportStatus.REFUSED, f"{refusal.condition.element}: {refusal.message}")


async def _store(ctx: Context, calendar: Calendar, batch: _Batch) -> list[Outcome]:
    if not batch.drafts:
        return batch.outcomes
    work = partial(_store_batch, ctx=ctx, calendar=calendar, batch=batch)
    try:
        try:
            outcomes = await retry_on_conflict(lambda _: write(ctx, work))
        except CommitUnknown:  # what was stored all the same is found by its UID
            outcomes = await retry_on_conflict(lambda _: write(ctx, work))
    except Refusal as refusal:  # no room for them
        return batch.outcomes + [_refused(uid, refusal) for uid in batch.drafts]
    return batch.outcomes + outcomes


def _store_batch(
    tx: Transaction, ctx: Context, calendar: Calendar, batch: _Batch
) -> tuple[list[Outcome], list[Applied]]:
    """One transaction that keeps others out of the calendar; the outcomes are in the order of the drafts."""
    place = (calendar.principal_id, calendar.calendar_id)
    stored_calendars.lock(tx, *place)
    known = by_uid(tx, *place, list(batch.drafts))
    outcomes: dict[Uid, Outcome] = {}
    new: list[Draft] = []
    old: list[Draft] = []
    for uid, each in batch.drafts.items():
        found = known.get(uid)
        if found is not None and found.component is not each.index.component:
            outcomes[uid] = _refused(uid, objects.UidConflict(None, found.name))
            continue
        if found is None or found.object_id == batch.ids[uid]:  # stored by a first try whose end nobody heard of
            outcomes[uid] = Outcome(uid, ImportStatus.CREATED, ", ".join(each.repairs))
        else:
            outcomes[uid] = Outcome(uid, ImportStatus.UNCHANGED)
        (new if found is None else old).append(each)
    changed = _changed(tx, calendar, known, old)
    for each in changed:
        outcomes[each.index.uid] = Outcome(each.index.uid, ImportStatus.UPDATED, ", ".join(each.repairs))
    changes: list[Change] = _saves(tx, calendar, new, batch)
    changes += [Save(known[each.index.uid].name, each, known[each.index.uid]) for each in changed]
    if not changes:
        return list(outcomes.values()), []
    return list(outcomes.values()), [apply(tx, ctx, calendar, changes, index_rows=batch.rows)]


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


def _saves(tx: Transaction, calendar: Calendar, new: Sequence[Draft], batch: _Batch) -> list[Change]:
    """The new objects under their names; one whose name is taken gets another."""
    names = [_name_for(each.index.uid) for each in new]
    taken = set(taken_names(tx, calendar.principal_id, calendar.calendar_id, names))
    saves: list[Change] = []
    for each, name in zip(new, names, strict=True):
        free = name if name not in taken else f"{new_id().hex()}.ics"
        taken.add(free)
        saves.append(Save(free, each, object_id=batch.ids[each.index.uid]))
    return saves


def _name_for(uid: Uid) -> str:
    """The name an imported object gets: its UID where that makes a plain name, else a digest of it."""
    if _PLAIN.fullmatch(uid):
        return f"{uid}.ics"
    return f"{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.ics"
