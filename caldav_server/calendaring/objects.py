"""Writing calendar objects: THE write path (RFC 4791 §5.3.2, §5.3.4; RFC 4918 §9.6-9.9).

Whatever changes an object ends in ``put``, ``remove`` or ``transfers.transfer``. Each parses and indexes outside any
transaction and *checks* what was read (the client's preconditions, privileges, conditions); then one short transaction
*numbers* (the calendar's ``seq``, whose row lock orders all changes of a calendar) and *saves*, conditional on the ETag
that was read. If somebody else was faster, once more from the read. ``(calendar, seq)`` is announced after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from caldav_server.calendaring import access
from caldav_server.calendaring.context import Context, Rules
from protocol.errors import Condition, Refusal
from protocol.ical.document import parse_document
from protocol.ical.index import index_document
from protocol.model import (
    MAX_KEY_OCTETS,
    Access,
    Calendar,
    CalendarKind,
    ETag,
    ObjectId,
    ObjectIndex,
    ObjectMeta,
    Principal,
    Seq,
    Uid,
)
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import occurrences as stored_occurrences
from storage import versions as stored_versions
from storage.database import Batch, Receipt, Transaction
from storage.errors import Duplicate, ParentGone, RowChanged
from storage.ids import new_id

ATTEMPTS = 20
T = TypeVar("T")

Precondition = Callable[[ObjectMeta | None], None]
"""Refuses (``PRECONDITION_FAILED``) when what is stored is not what the client said it should be."""


@dataclass(frozen=True, slots=True)
class Target:
    """A name in a calendar, with the href that refusals mention."""

    owner: Principal
    calendar: Calendar
    name: str
    href: str
    access: Access
    seen: ObjectMeta | None = None
    """What was there when the caller looked; a write is conditional on it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that was read, checked and indexed: ready to be saved under any name."""

    data: bytes
    etag: ETag
    index: ObjectIndex
    """Without its entries, which are the rows."""
    rows: list[stored_occurrences.IndexRow]
    repairs: tuple[str, ...]
    altered: bool
    """A repair changed the text, so that the stored bytes are not the sent ones and no ETag is answered."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a write."""

    etag: ETag
    created: bool
    altered: bool = False
    repairs: tuple[str, ...] = ()


class UidConflict(Refusal):
    """A UID would be there twice, or an object would change its own (RFC 4791 §5.3.2.1): ``name`` says which object."""

    def __init__(self, name: str, message: str = "This calendar already has an object with the same UID.") -> None:
        super().__init__(Condition.NO_UID_CONFLICT, message)
        self.name = name


class Overtaken(Exception):
    """What was read is no longer what is stored."""


def etag_of(data: bytes) -> ETag:
    """The strong entity tag of a body: it depends on the bytes alone."""
    return ETag(hashlib.sha256(data).hexdigest()[:32])


def draft(rules: Rules, now: int, data: bytes, *, strict: bool) -> Draft:
    """Read a body as a calendar object resource; refuses with the condition of RFC 4791 §5.3.2.1 that it breaks.

    ``now``: epoch seconds; occurrences are indexed so far ahead of it as the rules say.
    """
    parsed = parse_document(data, limits=rules.limits, strict=strict)
    index = index_document(parsed.document, horizon=now + rules.horizon_seconds, cap=rules.occurrences_cap)
    if len(index.uid.encode("utf-8", "surrogatepass")) > MAX_KEY_OCTETS:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, f"A UID may hold at most {MAX_KEY_OCTETS} octets.")
    rows = stored_occurrences.rows_of(index.component, index.entries)
    index = replace(index, entries=())
    return Draft(parsed.data, etag_of(parsed.data), index, rows, parsed.repairs, parsed.data is not data)


async def put(
    ctx: Context, target: Target, data: bytes, *, precondition: Precondition, strict: bool, repeatable: bool = True
) -> Stored:
    """Store a body under a name, new or over what is there.

    The same bytes again change nothing; when ``repeatable`` they succeed whatever the precondition says, because a
    client that never saw the answer to its first try must be able to repeat it. RFC 9110 allows that for If-Match
    (§13.1.1), not for If-None-Match (§13.1.2).
    """
    require_calendar(target)
    new = draft(ctx.rules, ctx.now, data, strict=strict)
    require_component(target.calendar, new.index)

    async def attempt(existing: ObjectMeta | None) -> tuple[Stored, Seq | None]:
        same = existing is not None and existing.etag == new.etag
        if not (same and repeatable):
            precondition(existing)
        access.require(target.access, Access.BIND if existing is None else Access.WRITE_CONTENT, target.href)
        became = Stored(new.etag, existing is None, new.altered, new.repairs)
        if same:
            return became, None
        try:
            return became, await ctx.db.write(lambda tx: _put(tx, ctx, target, new, existing))
        except Duplicate as taken:
            raise await what_is_taken(ctx, target.calendar, new.index.uid, taken) from None
        except ParentGone:
            raise Refusal(Condition.MISSING_PARENT, "The calendar was removed meanwhile.") from None

    became, seq = await _until_nobody_was_faster(ctx, target, attempt)
    if seq is not None:
        ctx.announce(target.owner.principal_id, target.calendar.calendar_id, seq)
    return became


def _put(tx: Transaction, ctx: Context, target: Target, new: Draft, existing: ObjectMeta | None) -> Seq:
    calendar = target.calendar
    delta = len(new.data) - (existing.size if existing else 0)
    seq = stored_calendars.next_seq(
        tx, calendar.principal_id, calendar.calendar_id, 1, members=int(existing is None), size=delta
    )
    ctx.rules.quota.require(tx, calendar.principal_id, delta, ctx.now)
    save(tx, ctx, target, new, existing, seq)
    return seq


async def _until_nobody_was_faster(
    ctx: Context, target: Target, attempt: Callable[[ObjectMeta | None], Awaitable[T]]
) -> T:
    """Try with what was read; whenever somebody else wrote in between, once more with what is there now."""
    existing, calendar = target.seen, target.calendar
    for _ in range(ATTEMPTS):
        try:
            return await attempt(existing)
        except Overtaken:
            existing = await ctx.db.point(
                lambda tx: stored.find_meta(tx, calendar.principal_id, calendar.calendar_id, target.name)
            )
    raise too_busy()


def save(tx: Transaction, ctx: Context, target: Target, new: Draft, existing: ObjectMeta | None, seq: Seq) -> None:
    """Write one object under a number already taken, which locked the calendar: text, index, previous version.

    Raises ``Overtaken`` when ``existing`` is not what is stored, ``Duplicate`` when the UID is taken.
    """
    calendar = target.calendar
    if existing is not None and existing.uid != new.index.uid:
        raise UidConflict(existing.name, "An object keeps its UID for life; another UID is another object.")
    meta = ObjectMeta(
        object_id=existing.object_id if existing else ObjectId(new_id()),
        name=target.name,
        uid=new.index.uid,
        component=new.index.component,
        etag=new.etag,
        seq=seq,
        size=len(new.data),
        schedule_tag=None,
        created_at=existing.created_at if existing else ctx.now,
        modified_at=ctx.now,
    )
    place = (calendar.principal_id, calendar.calendar_id)
    if existing is None:
        if not stored.insert(tx, *place, meta, new.data, new.index):
            raise Overtaken
    else:
        _keep_version(tx, ctx, calendar, existing, "update")
        if not stored.update(tx, *place, meta, new.data, new.index, expected=existing.etag):
            raise Overtaken
    write_index = stored_occurrences.add if existing is None else stored_occurrences.replace
    write_index(tx, *place, meta.object_id, new.rows)


async def remove(ctx: Context, target: Target, *, precondition: Precondition) -> None:
    """Remove an object; its text stays among the versions, its name as a tombstone (RFC 6578 §3.5.2)."""
    access.require(target.access, Access.UNBIND, target.href)
    calendar = target.calendar

    def work(tx: Transaction, existing: ObjectMeta) -> Receipt:
        place = (calendar.principal_id, calendar.calendar_id)
        stored_calendars.advance(tx, *place, members=-1, size=-existing.size)
        _keep_version(tx, ctx, calendar, existing, "remove")
        receipt = stored.tombstone_at_current_seq(tx, *place, existing.object_id, now=ctx.now, expected=existing.etag)
        stored_occurrences.drop(tx, *place, existing.object_id)
        return receipt

    async def attempt(existing: ObjectMeta | None) -> Seq:
        if existing is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
        precondition(existing)
        try:
            receipt = await ctx.db.write(Batch(lambda tx: work(tx, existing)))
        except RowChanged:
            raise Overtaken from None
        return Seq(receipt.row[0])

    seq = await _until_nobody_was_faster(ctx, target, attempt)
    ctx.announce(target.owner.principal_id, calendar.calendar_id, seq)


def bury(tx: Transaction, ctx: Context, calendar: Calendar, existing: ObjectMeta, seq: Seq) -> None:
    """Turn a live row into a tombstone under a number already taken; its text is kept as a version."""
    _keep_version(tx, ctx, calendar, existing, "remove")
    place = (calendar.principal_id, calendar.calendar_id, existing.object_id)
    if not stored.tombstone(tx, *place, seq=seq, now=ctx.now, expected=existing.etag):
        raise Overtaken
    stored_occurrences.drop(tx, *place)


async def write_again(ctx: Context, work: Callable[[Transaction], T]) -> T:
    """Run a unit of work, once more from the start whenever another writer was faster, or took a calendar's name."""
    for _ in range(ATTEMPTS):
        try:
            return await ctx.db.write(work)
        except Overtaken:
            continue
        except Duplicate as taken:
            if taken.key != "calendars.name":
                raise
    raise too_busy()


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


def require_calendar(target: Target) -> None:
    if target.calendar.kind is not CalendarKind.CALENDAR:
        raise Refusal(Condition.NEED_PRIVILEGES, "Calendar objects are stored in calendars only.")


def require_component(calendar: Calendar, index: ObjectIndex) -> None:
    """Refuse ``supported-calendar-component`` for a type the calendar does not take (RFC 4791 §5.2.3)."""
    if index.component not in calendar.components:
        raise Refusal(
            Condition.SUPPORTED_CALENDAR_COMPONENT, f"This calendar does not take {index.component.name} components."
        )


async def what_is_taken(ctx: Context, calendar: Calendar, uid: Uid, taken: Duplicate) -> UidConflict | Overtaken:
    """What a unique key that was taken means: another object has the UID, or whoever had it is not there (any more)."""
    if taken.key != "objects.uid":
        return Overtaken()
    other = await ctx.db.point(lambda tx: stored.find_by_uid(tx, calendar.principal_id, calendar.calendar_id, uid))
    return Overtaken() if other is None else UidConflict(other.name)


def too_busy() -> Refusal:
    return Refusal(Condition.UNAVAILABLE, "This object is being changed by too many others at once; try again.")
