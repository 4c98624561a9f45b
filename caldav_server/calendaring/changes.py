"""The one write path: every change of calendar objects ends in ``apply``.

One call is one short piece of a transaction: it numbers the changes (which locks the calendar, and so orders all
changes of it), keeps the previous texts, saves or removes, writes the index, and queues what is owed to others. Whoever
calls it has parsed, indexed and checked before. A change is conditional on what its caller read: ``Conflict`` means
that somebody else was faster, and ``retry_on_conflict`` starts again from the read. ``write`` announces after the
commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from caldav_server.calendaring.context import Context
from caldav_server.calendaring.drafts import Draft
from protocol.errors import Condition, Refusal
from protocol.model import (
    Calendar,
    CalendarId,
    ObjectId,
    ObjectMeta,
    PrincipalId,
    Seq,
)
from storage import calendars as stored_calendars
from storage import jobs as stored_jobs
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage import versions as stored_versions
from storage.database import Receipt, Transaction
from storage.errors import Duplicate
from storage.ids import new_id

ATTEMPTS = 20
T = TypeVar("T")


class Conflict(Exception):
    """What was read is no longer what is stored."""


# --- what is written ---


@dataclass(frozen=True, slots=True)
class Save:
    """A text is stored under a name: as a new object, or in place of the text of ``existing``."""

    name: str
    draft: Draft
    existing: ObjectMeta | None = None
    object_id: ObjectId | None = None
    """The id of a new object, where the caller has made it already."""


@dataclass(frozen=True, slots=True)
class Remove:
    """An object becomes a tombstone."""

    existing: ObjectMeta


Change = Save | Remove


@dataclass(frozen=True, slots=True)
class Owed:
    """Work that a change makes for somebody else: a job does it after the commit (``caldav_server.jobs``)."""

    principal_id: PrincipalId
    kind: str
    key: str
    """Makes it idempotent: work with the key of a job that is not done is not queued. A job that runs may have read its
    input already, so the key names the change (by its ``seq``, for example), not only what was changed."""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """A calendar that was changed; ``seq`` is there when the transaction has been committed."""

    calendar: Calendar
    number: Seq | Receipt
    owes: bool = False
    """Jobs were queued with it."""

    @property
    def seq(self) -> Seq:
        """The number of the last change."""
        return Seq(self.number.row[0]) if isinstance(self.number, Receipt) else self.number


# --- the write path ---


def apply(
    tx: Transaction,
    ctx: Context,
    calendar: Calendar,
    changes: Sequence[Change],
    *,
    owed: Sequence[Owed] = (),
    index_rows: Sequence[stored_occurrences.ObjectRow] | None = None,
) -> Applied:
    """Carry out changes of one calendar, in their order; ``apply_all`` does it for several calendars of one home."""
    return apply_all(tx, ctx, [(calendar, changes)], owed=owed, index_rows=index_rows)[0]


def apply_all(
    tx: Transaction,
    ctx: Context,
    changes: Iterable[tuple[Calendar, Sequence[Change]]],
    *,
    owed: Sequence[Owed] = (),
    index_rows: Sequence[stored_occurrences.ObjectRow] | None = None,
) -> list[Applied]:
    """Carry out changes of calendars of one home, each calendar once, and queue what is owed to others for them.

    ``index_rows``: the index rows of all new objects in the order of the index, where the caller has them already. The
    calendars are locked in the order of their ids, so that two moves in opposite directions cannot wait for each other.
    Raises ``Conflict``, ``Duplicate``, ``ParentGone``; refuses ``quota-not-exceeded``.
    """
    ordered = sorted(changes, key=_calendar_id)
    applied: list[Applied] = []
    more = 0
    for calendar, some in ordered:
        members, size = _growth(some)
        more += size
        place = (calendar.principal_id, calendar.calendar_id)
        last = stored_calendars.next_seq(tx, *place, len(some), members=members, size=size)
        applied.append(Applied(calendar, last, bool(owed)))
    ctx.rules.quota.require(tx, ordered[0][0].principal_id, more, ctx.now)
    for (calendar, some), each in zip(ordered, applied, strict=True):
        _carry_out(tx, ctx, calendar, some, each.seq - len(some) + 1, index_rows)
    _queue(tx, ctx, owed)
    return applied


def _queue(tx: Transaction, ctx: Context, owed: Sequence[Owed]) -> None:
    for work in owed:
        stored_jobs.enqueue(tx, work.principal_id, work.kind, work.key, now=ctx.now, payload=work.payload)


def _calendar_id(item: tuple[Calendar, Sequence[Change]]) -> CalendarId:
    return item[0].calendar_id


def _growth(changes: Iterable[Change]) -> tuple[int, int]:
    """How many more objects a calendar will hold, and how many more octets."""
    members = size = 0
    for each in changes:
        if isinstance(each, Save):
            size += len(each.draft.data)
        members += isinstance(each, Save) - (each.existing is not None)
        size -= each.existing.size if each.existing is not None else 0
    return members, size


def _carry_out(
    tx: Transaction,
    ctx: Context,
    calendar: Calendar,
    changes: Sequence[Change],
    first: int,
    index_rows: Sequence[stored_occurrences.ObjectRow] | None,
) -> None:
    new: list[tuple[ObjectMeta, Draft]] = []
    for number, each in enumerate(changes, first):
        if isinstance(each, Remove):
            _tombstone(tx, ctx, calendar, each.existing, Seq(number))
        elif each.existing is None:
            new.append((_meta_of(ctx, each, Seq(number)), each.draft))
        else:
            _replace(tx, ctx, calendar, each, each.existing, Seq(number))
    _insert(tx, calendar, new, index_rows)


def _meta_of(ctx: Context, change: Save, seq: Seq) -> ObjectMeta:
    new, existing = change.draft, change.existing
    return ObjectMeta(
        object_id=existing.object_id if existing else change.object_id or ObjectId(new_id()),
        name=change.name,
        uid=new.index.uid,
        component=new.index.component,
        etag=new.etag,
        seq=seq,
        size=len(new.data),
        schedule_tag=None,
        created_at=existing.created_at if existing else ctx.now,
        modified_at=ctx.now,
    )


def _insert(
    tx: Transaction,
    calendar: Calendar,
    new: Sequence[tuple[ObjectMeta, Draft]],
    index_rows: Sequence[stored_occurrences.ObjectRow] | None,
) -> None:
    place = (calendar.principal_id, calendar.calendar_id)
    if len(new) == 1 and index_rows is None:
        ((meta, each),) = new
        if not stored.insert(tx, *place, meta, each.data, each.index, calendar.kind):
            raise Conflict
        stored_occurrences.add(tx, *place, meta.object_id, each.rows)
    elif new:
        if stored.insert_many(tx, *place, [(meta, each.data, each.index) for meta, each in new], calendar.kind) != len(
            new
        ):
            raise Conflict
        if index_rows is None:
            index_rows = stored_occurrences.in_order((meta.object_id, each.rows) for meta, each in new)
        stored_occurrences.add_rows(tx, *place, index_rows, {meta.object_id for meta, _ in new})


def _replace(tx: Transaction, ctx: Context, calendar: Calendar, change: Save, existing: ObjectMeta, seq: Seq) -> None:
    _keep_version(tx, ctx, calendar, existing, "update")
    place, new = (calendar.principal_id, calendar.calendar_id), change.draft
    meta = _meta_of(ctx, change, seq)
    if not stored.update(tx, *place, meta, new.data, new.index, expected=existing.etag):
        raise Conflict
    stored_occurrences.replace(tx, *place, meta.object_id, new.rows)


def _tombstone(tx: Transaction, ctx: Context, calendar: Calendar, existing: ObjectMeta, seq: Seq) -> None:
    _keep_version(tx, ctx, calendar, existing, "remove")
    place = (calendar.principal_id, calendar.calendar_id, existing.object_id)
    if not stored.tombstone(tx, *place, seq=seq, now=ctx.now, expected=existing.etag):
        raise Conflict
    stored_occurrences.drop(tx, *place)


def remove_alone(
    tx: Transaction, ctx: Context, calendar: Calendar, existing: ObjectMeta, *, owed: Sequence[Owed] = ()
) -> Applied:
    """``apply`` for one removal and nothing else: the same steps, none of which waits for an answer (``Batch``).

    A calendar or object that is gone, or an object with another ETag, undoes the transaction with ``RowChanged``.
    """
    place = (calendar.principal_id, calendar.calendar_id)
    stored_calendars.advance(tx, *place, members=-1, size=-existing.size)
    _keep_version(tx, ctx, calendar, existing, "remove")
    receipt = stored.tombstone_at_current_seq(tx, *place, existing.object_id, now=ctx.now, expected=existing.etag)
    stored_occurrences.drop(tx, *place, existing.object_id)
    _queue(tx, ctx, owed)
    return Applied(calendar, receipt, bool(owed))


def _keep_version(tx: Transaction, ctx: Context, calendar: Calendar, existing: ObjectMeta, action: str) -> None:
    stored_versions.keep(
        tx,
        calendar.principal_id,
        calendar.calendar_id,
        existing.object_id,
        replaced_at=ctx.now,
        action=action,
        author_id=ctx.actor.principal.principal_id,
        request_id=ctx.request_id,
    )


# --- around the transaction ---


async def write(ctx: Context, work: Callable[[Transaction], tuple[T, Sequence[Applied]]]) -> T:
    """Commit a unit of work, then announce every calendar it changed and wake the jobs; what the work answers."""
    answer, applied = await ctx.db.write(work)
    if any(each.owes for each in applied):
        ctx.wake_jobs()
    for each in applied:
        ctx.announce(each.calendar.principal_id, each.calendar.calendar_id, each.seq)
    return answer


async def retry_on_conflict(attempt: Callable[[int], Awaitable[T]]) -> T:
    """Run ``attempt`` with 0, 1, 2... until no other writer is faster or takes a calendar's name at the same time."""
    for number in range(ATTEMPTS):
        try:
            return await attempt(number)
        except Conflict:
            continue
        except Duplicate as taken:
            if taken.key != "calendars.name":
                raise
    raise Refusal(Condition.UNAVAILABLE, "This is being changed by too many others at once; try again.")


async def write_retried(ctx: Context, work: Callable[[Transaction], T]) -> T:
    """Commit a unit of work that reads what it needs itself, again when another writer is faster."""
    return await retry_on_conflict(lambda _: ctx.db.write(work))
