"""COPY and MOVE of objects, and COPY of whole calendars (RFC 4918 §9.8 and §9.9).

Objects: within one home both ends are one transaction, so that no synchronisation sees half of a move. Across homes the
copy is committed before the original goes, so that nothing is lost whatever happens in between.

Calendars: a copy is made out of sight, a few objects at a time, so that no other writer waits for more than a moment.
One short transaction then shows it: whole, or not at all. What changes in the source meanwhile is copied as it was or
as it is; each object is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from caldav_server.calendaring import access, objects
from caldav_server.calendaring.calendars import Destination, replace_destination, require_place
from caldav_server.calendaring.changes import (
    Applied,
    Change,
    Conflict,
    Remove,
    Save,
    apply,
    apply_all,
    retry_on_conflict,
    write,
    write_retried,
)
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.drafts import Draft, draft
from caldav_server.calendaring.objects import Precondition
from caldav_server.calendaring.opening import OpenCalendar, Slot
from protocol.errors import Condition, Refusal
from protocol.model import (
    Access,
    Calendar,
    CalendarId,
    CalendarKind,
    CalendarObject,
    DeadProperty,
    ETag,
    ObjectMeta,
    Seq,
)
from storage import calendars as stored_calendars
from storage import objects as stored
from storage import pruning
from storage.database import Transaction
from storage.errors import Duplicate
from storage.ids import new_id
from storage.properties import dead_properties, set_all_dead, set_dead

_PAGE = 50
"""Objects of a calendar copied per transaction: about ten milliseconds of writing."""


# --- objects ---


@dataclass(frozen=True, slots=True)
class _Original:
    """What is copied: the object, its dead properties, and its text read anew."""

    found: CalendarObject
    dead: list[DeadProperty]
    new: Draft


async def copy_object(
    ctx: Context, source: Slot, goal: Slot, *, move: bool, overwrite: bool, precondition: Precondition
) -> bool:
    """COPY or MOVE one object; answers whether the destination is new."""
    objects.require_calendar(goal)
    if move:
        access.require(source.parent, Access.UNBIND, source.name)
    one_home = source.calendar.principal_id == goal.calendar.principal_id

    async def attempt(_number: int) -> tuple[bool, ETag]:
        found, dead = await ctx.db.point(lambda tx: _read_original(tx, source))
        precondition(found.meta)
        new = draft(ctx.rules, ctx.now, found.data, strict=False)
        objects.require_component(goal.calendar, new.index)
        original = _Original(found, dead, new)

        def work(tx: Transaction) -> tuple[bool, list[Applied]]:
            return _copy(tx, ctx, source, goal, original, move=move and one_home, overwrite=overwrite)

        try:
            return await write(ctx, work), found.meta.etag
        except Duplicate as taken:
            raise await objects.explain_duplicate(ctx, goal.parent, new.index.uid, taken) from None

    created, etag = await retry_on_conflict(attempt)
    if move and not one_home:
        await objects.remove(ctx, source, precondition=lambda meta: _require_same(meta, etag))
    return created


def _read_original(tx: Transaction, source: Slot) -> tuple[CalendarObject, list[DeadProperty]]:
    calendar = source.calendar
    found = stored.find(tx, calendar.principal_id, calendar.calendar_id, source.name)
    if found is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
    return found, dead_properties(tx, calendar.principal_id, found.meta.object_id)


def _copy(
    tx: Transaction, ctx: Context, source: Slot, goal: Slot, original: _Original, *, move: bool, overwrite: bool
) -> tuple[bool, list[Applied]]:
    place = (goal.calendar.principal_id, goal.calendar.calendar_id)
    existing = stored.find_meta(tx, *place, goal.name)
    if existing is not None and not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    access.require(goal.parent, Access.BIND if existing is None else Access.WRITE_CONTENT, goal.name)
    applied = apply_all(tx, ctx, _changes(source, goal, original, existing, move=move))
    arrived = stored.find_meta(tx, *place, goal.name)
    if arrived is None:
        raise Conflict
    set_all_dead(tx, goal.calendar.principal_id, arrived.object_id, original.dead)
    return existing is None, applied


def _changes(
    source: Slot, goal: Slot, original: _Original, existing: ObjectMeta | None, *, move: bool
) -> list[tuple[Calendar, Sequence[Change]]]:
    gone: list[Change] = [Remove(original.found.meta)] if move else []
    come: list[Change] = []
    if existing is not None and existing.uid != original.new.index.uid:
        # Overwriting replaces the resource that was there, it does not edit it (RFC 4918 §9.8.4).
        come.append(Remove(existing))
        existing = None
    come.append(Save(goal.name, original.new, existing))
    if source.calendar.calendar_id == goal.calendar.calendar_id:
        return [(goal.calendar, gone + come)]
    return [(goal.calendar, come), (source.calendar, gone)] if gone else [(goal.calendar, come)]


def _require_same(meta: ObjectMeta | None, etag: ETag) -> None:
    if meta is None or meta.etag != etag:
        raise Refusal(Condition.PRECONDITION_FAILED, "The original changed while it was being moved; both were kept.")


# --- calendars ---


async def copy_calendar(
    ctx: Context, opened: OpenCalendar, goal: Destination, *, overwrite: bool, with_members: bool
) -> bool:
    """Copy a calendar with its properties, and with its objects unless Depth was 0; whether the destination is new."""
    access.require(opened, Access.READ)
    access.require(goal.home, Access.BIND, goal.name)
    calendar = opened.calendar
    made = replace(
        calendar,
        principal_id=goal.home.owner.principal_id,
        calendar_id=CalendarId(new_id()),
        name=goal.name,
        kind=CalendarKind.CALENDAR,
        created_at=ctx.now,
        seq=Seq(0),
        min_valid_seq=Seq(0),
    )
    await ctx.db.write(lambda tx: _begin(tx, ctx, made, goal, overwrite=overwrite))
    try:
        size = await _copy_members(ctx, calendar, made) if with_members else 0

        def finish(tx: Transaction) -> bool:
            created = replace_destination(tx, ctx, goal, overwrite=overwrite)
            require_place(tx, ctx, goal.home)
            stored_calendars.publish(tx, made)
            ctx.rules.quota.require(tx, made.principal_id, size, ctx.now)
            for prop in dead_properties(tx, calendar.principal_id, calendar.calendar_id):
                set_dead(tx, made.principal_id, made.calendar_id, prop)
            return created

        return await write_retried(ctx, finish)
    except BaseException:
        await ctx.db.write(lambda tx: pruning.purge(tx, made.principal_id, made.calendar_id))
        raise


def _begin(tx: Transaction, ctx: Context, made: Calendar, goal: Destination, *, overwrite: bool) -> None:
    """Refuse at once what would be refused in the end, and make the calendar that nobody sees yet."""
    if stored_calendars.find(tx, made.principal_id, goal.name) is None:
        require_place(tx, ctx, goal.home)
    elif not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    stored_calendars.stage(tx, made)


async def _copy_members(ctx: Context, source: Calendar, made: Calendar) -> int:
    """Copy every object byte for byte under its own name, indexed afresh; the octets of all of them."""
    names: set[str] = set()
    uids: set[str] = set()
    after = size = 0

    def read(tx: Transaction) -> list[tuple[ObjectMeta, Draft]]:
        page = stored.page(tx, source.principal_id, source.calendar_id, after=after, limit=_PAGE)
        drafts = (draft(ctx.rules, ctx.now, each.data, strict=False) for each in page)
        return [
            (each.meta, replace(new, data=each.data, etag=each.meta.etag))
            for each, new in zip(page, drafts, strict=True)
        ]

    while page := await ctx.db.read(read):
        after = page[-1][0].seq
        # What changed or moved meanwhile comes by a second time.
        some = [(meta, new) for meta, new in page if meta.name not in names and meta.uid not in uids]
        changes = [Save(meta.name, new) for meta, new in some]
        if changes:
            await ctx.db.write(partial(apply, ctx=ctx, calendar=made, changes=changes))
        names.update(meta.name for meta, _ in some)
        uids.update(meta.uid for meta, _ in some)
        size += sum(meta.size for meta, _ in some)
        ctx.rules.quota.require_size(size)
    return size
