"""COPY and MOVE of calendar objects (RFC 4918 §9.8 and §9.9): the write path with two ends.

The rules of ``objects`` hold at both of them. Inside one home both ends are one transaction, so that no
synchronisation sees half of a move.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from caldav_server.calendaring import access, objects
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.objects import Draft, Overtaken, Precondition, Target
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarId, CalendarObject, DeadProperty, ETag, ObjectMeta, Seq, Uid
from storage import calendars as stored_calendars
from storage import objects as stored
from storage.database import Transaction
from storage.errors import Duplicate
from storage.properties import dead_properties, set_all_dead

_Transferred = tuple[bool, list[tuple[Calendar, Seq]]]
"""Whether the destination is new, and the calendars that moved on with where to."""


async def transfer(
    ctx: Context,
    source: Target,
    destination: Target,
    *,
    move: bool,
    overwrite: bool,
    precondition: Precondition,
) -> bool:
    """COPY or MOVE one object (RFC 4918 §9.8, §9.9); returns whether the destination is new.

    Inside one home both ends are one transaction. Across homes the copy is committed before the original goes, so that
    whatever happens in between nothing is lost.
    """
    objects.require_calendar(destination)
    if move:
        access.require(source.access, Access.UNBIND, source.href)
    one_home = source.owner.principal_id == destination.owner.principal_id
    for _ in range(objects.ATTEMPTS):
        original, dead = await ctx.db.point(lambda tx: _read_original(tx, source))
        precondition(original.meta)
        new = objects.draft(ctx.rules, ctx.now, original.data, strict=False)
        objects.require_component(destination.calendar, new.index)
        work = partial(
            _transfer,
            ctx=ctx,
            source=source,
            destination=destination,
            original=original,
            dead=dead,
            new=new,
            move=move and one_home,
            overwrite=overwrite,
        )
        try:
            created, moved = await _write(ctx, destination.calendar, new.index.uid, work)
        except Overtaken:
            continue  # the original changed, or what is at the destination: both are read anew
        break
    else:
        raise objects.too_busy()
    for calendar, seq in moved:
        ctx.announce(calendar.principal_id, calendar.calendar_id, seq)
    if move and not one_home:
        etag = original.meta.etag
        await objects.remove(ctx, source, precondition=lambda meta: _require_same(meta, etag))
    return created


async def _write(
    ctx: Context, calendar: Calendar, uid: Uid, work: Callable[[Transaction], _Transferred]
) -> _Transferred:
    try:
        return await ctx.db.write(work)
    except Duplicate as taken:
        raise await objects.what_is_taken(ctx, calendar, uid, taken) from None


def _read_original(tx: Transaction, source: Target) -> tuple[CalendarObject, list[DeadProperty]]:
    calendar = source.calendar
    found = stored.find(tx, calendar.principal_id, calendar.calendar_id, source.name)
    if found is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
    return found, dead_properties(tx, calendar.principal_id, found.meta.object_id)


def _transfer(
    tx: Transaction,
    ctx: Context,
    source: Target,
    destination: Target,
    original: CalendarObject,
    dead: list[DeadProperty],
    new: Draft,
    *,
    move: bool,
    overwrite: bool,
) -> _Transferred:
    origin, goal = source.calendar, destination.calendar
    existing = stored.find_meta(tx, goal.principal_id, goal.calendar_id, destination.name)
    if existing is not None and not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    access.require(destination.access, Access.BIND if existing is None else Access.WRITE_CONTENT, destination.href)
    more = {goal.calendar_id: (int(existing is None), len(new.data) - (existing.size if existing else 0))}
    if move:
        members, size = more.get(origin.calendar_id, (0, 0))
        more[origin.calendar_id] = (members - 1, size - original.meta.size)
    touched = {goal.calendar_id: goal, origin.calendar_id: origin} if move else {goal.calendar_id: goal}
    numbers: dict[CalendarId, Seq] = {}
    # Two rows are locked: always in the order of their ids, so that two opposite moves cannot wait for each other.
    for calendar_id in sorted(touched):
        count = 1 + (move and len(touched) == 1) + (calendar_id == goal.calendar_id and existing is not None)
        members, size = more[calendar_id]
        numbers[calendar_id] = stored_calendars.next_seq(
            tx, goal.principal_id, calendar_id, count, members=members, size=size
        )
        if not move:
            ctx.rules.quota.require(tx, goal.principal_id, size, ctx.now)
    if move:
        last = numbers[origin.calendar_id]
        objects.bury(
            tx, ctx, origin, original.meta, Seq(last - 2 if existing else last - 1) if len(touched) == 1 else last
        )
    if existing is not None and existing.uid != new.index.uid:
        # Overwriting replaces the resource that was there, it does not edit it (RFC 4918 §9.8.4).
        objects.bury(tx, ctx, goal, existing, Seq(numbers[goal.calendar_id] - 1))
        objects.save(tx, ctx, destination, new, None, numbers[goal.calendar_id])
    else:
        objects.save(tx, ctx, destination, new, existing, numbers[goal.calendar_id])
    arrived = stored.find_meta(tx, goal.principal_id, goal.calendar_id, destination.name)
    assert arrived is not None  # noqa: S101 - it was saved a moment ago
    set_all_dead(tx, goal.principal_id, arrived.object_id, dead)
    return existing is None, [(touched[each], seq) for each, seq in numbers.items()]


def _require_same(meta: ObjectMeta | None, etag: ETag) -> None:
    if meta is None or meta.etag != etag:
        raise Refusal(Condition.PRECONDITION_FAILED, "The original changed while it was being moved; both were kept.")
