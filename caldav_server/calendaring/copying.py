"""Copies of whole calendars (RFC 4918 §9.8.3).

A copy is made out of sight, a few objects at a time, so that no other writer waits for more than a moment, and comes to
light in one short transaction: whole, or not at all. What changes in the source meanwhile is copied as it was or as it
is; each object is whole.
"""

from __future__ import annotations

from dataclasses import replace

from caldav_server.calendaring import access
from caldav_server.calendaring.calendars import Place, make_way, require_place
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.objects import Draft, draft, write_again
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarId, CalendarKind, CalendarObject, ObjectId, Seq
from storage import calendars as stored
from storage import objects as stored_objects
from storage import occurrences as stored_occurrences
from storage import pruning
from storage.database import Transaction
from storage.ids import new_id
from storage.properties import dead_properties, set_dead

_PAGE = 50
"""Objects per transaction: about ten milliseconds of writing."""


async def copy(
    ctx: Context, calendar: Calendar, granted: Access, goal: Place, *, overwrite: bool, with_members: bool
) -> bool:
    """Copy a calendar with its properties, and with its objects unless Depth was 0; whether the destination is new."""
    access.require(granted, Access.READ, goal.href)
    access.require(goal.access, Access.BIND, goal.href)
    made = replace(
        calendar,
        principal_id=goal.owner.principal_id,
        calendar_id=CalendarId(new_id()),
        name=goal.name,
        kind=CalendarKind.CALENDAR,
        created_at=ctx.now,
        seq=Seq(0),
        min_valid_seq=Seq(0),
    )
    await ctx.db.write(lambda tx: _begin(tx, ctx, made, goal, overwrite=overwrite))
    try:
        count, size = await _copy_members(ctx, calendar, made) if with_members else (0, 0)

        def finish(tx: Transaction) -> bool:
            created = make_way(tx, ctx, goal, overwrite=overwrite)
            require_place(tx, ctx, goal.owner)
            stored.publish(tx, made, seq=Seq(count), members=count, size=size)
            ctx.rules.quota.require(tx, made.principal_id, size, ctx.now)
            for prop in dead_properties(tx, calendar.principal_id, calendar.calendar_id):
                set_dead(tx, made.principal_id, made.calendar_id, prop)
            return created

        return await write_again(ctx, finish)
    except BaseException:
        await ctx.db.write(lambda tx: pruning.purge(tx, made.principal_id, made.calendar_id))
        raise


def _begin(tx: Transaction, ctx: Context, made: Calendar, goal: Place, *, overwrite: bool) -> None:
    """Refuse at once what would be refused in the end, and make the calendar that nobody sees yet."""
    if stored.find(tx, goal.owner.principal_id, goal.name) is None:
        require_place(tx, ctx, goal.owner)
    elif not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    stored.stage(tx, made)


async def _copy_members(ctx: Context, source: Calendar, made: Calendar) -> tuple[int, int]:
    """Every object under its own name, indexed afresh; how many, and the octets of their texts."""
    names: set[str] = set()
    after = size = 0

    def read(tx: Transaction) -> list[tuple[CalendarObject, Draft]]:
        page = stored_objects.page(tx, source.principal_id, source.calendar_id, after=after, limit=_PAGE)
        return [(each, draft(ctx.rules, ctx.now, each.data, strict=False)) for each in page]

    while page := await ctx.db.read(read):
        after = page[-1][0].meta.seq
        fresh = [each for each in page if each[0].meta.name not in names]  # what changed meanwhile comes by again
        first = len(names) + 1
        await ctx.db.write(lambda tx, first=first, fresh=fresh: _insert(tx, ctx, made, fresh, first))  # type: ignore[misc]
        names.update(each.meta.name for each, _ in fresh)
        size += sum(each.meta.size for each, _ in fresh)
        ctx.rules.quota.require_size(size)
    return len(names), size


def _insert(
    tx: Transaction, ctx: Context, made: Calendar, page: list[tuple[CalendarObject, Draft]], first: int
) -> None:
    place = (made.principal_id, made.calendar_id)
    metas = [
        each.meta._replace(object_id=ObjectId(new_id()), seq=Seq(number), created_at=ctx.now, modified_at=ctx.now)
        for number, (each, _) in enumerate(page, first)
    ]
    both = list(zip(metas, page, strict=True))
    stored_objects.insert_many(tx, *place, [(meta, each.data, new.index) for meta, (each, new) in both])
    rows = stored_occurrences.in_order((meta.object_id, new.rows) for meta, (_, new) in both)
    stored_occurrences.add_rows(tx, *place, rows, {meta.object_id for meta in metas})
