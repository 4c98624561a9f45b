"""Calendars themselves: list, make, change, remove and rename them (RFC 4791 §5.3.1, RFC 4918 §9); copies:
``copy_move``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from caldav_server.calendaring import access, homes
from caldav_server.calendaring.changes import write_retried
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar, OpenHome, open_calendar
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarId, DeadProperty
from storage import calendars as stored
from storage.calendars import CalendarFields
from storage.database import Transaction
from storage.ids import new_id
from storage.properties import dead_properties, remove_dead, set_dead

__all__ = ["CalendarFields", "Destination", "PropertyChanges"]


@dataclass(frozen=True, slots=True)
class PropertyChanges:
    """What a client wants different about a calendar, or about anything that keeps dead properties."""

    fields: CalendarFields = field(default_factory=lambda: CalendarFields())
    """Fields of ``Calendar`` that the server interprets."""
    keep: tuple[DeadProperty, ...] = ()
    """Elements stored verbatim: dead properties, and the client's own spelling of the interpreted ones."""
    drop: tuple[str, ...] = ()
    """The names of those whose stored element goes away."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A name in a home: where a calendar is copied or moved to."""

    home: OpenHome
    name: str


async def counts(ctx: Context, home: OpenHome) -> list[tuple[OpenCalendar, int]]:
    """The collections of a home that exist, each with the number of its objects."""
    access.require(home, Access.READ)
    found = await ctx.db.read(lambda tx: stored.of_home_with_counts(tx, home.owner.principal_id))
    return [(open_calendar(home, each), count) for each, count in found]


async def create(ctx: Context, home: OpenHome, name: str, changes: PropertyChanges) -> Calendar:
    """Make a calendar with all its properties, or nothing at all (RFC 4791 §5.3.1, RFC 5689 §3)."""
    access.require(home, Access.BIND)
    owner = home.owner
    made = replace(
        Calendar(owner.principal_id, CalendarId(new_id()), name, created_at=ctx.now),
        **changes.fields,
    )

    def work(tx: Transaction) -> Calendar:
        if stored.find(tx, owner.principal_id, name) is not None:
            raise Refusal(Condition.RESOURCE_MUST_BE_NULL, "There is already something at this address.")
        require_place(tx, ctx, home)
        stored.create(tx, made)
        apply_dead(tx, ctx, home, made.calendar_id, changes)
        return made

    return await write_retried(ctx, work)


async def update(ctx: Context, opened: OpenCalendar, changes: PropertyChanges) -> None:
    """Apply a PROPPATCH to a calendar, all of it in one transaction (RFC 4918 §9.2)."""
    access.require(opened, Access.WRITE_PROPERTIES)
    calendar = opened.calendar

    def work(tx: Transaction) -> None:
        apply_dead(tx, ctx, opened, calendar.calendar_id, changes)
        stored.update(tx, calendar.principal_id, calendar.calendar_id, **changes.fields)

    await ctx.db.write(work)


async def update_dead(ctx: Context, opened: access.Opened, resource_id: bytes, changes: PropertyChanges) -> None:
    """Apply a PROPPATCH to what keeps nothing but dead properties."""
    access.require(opened, Access.WRITE_PROPERTIES)
    await ctx.db.write(lambda tx: apply_dead(tx, ctx, opened, resource_id, changes))


def apply_dead(
    tx: Transaction, ctx: Context, opened: access.Opened, resource_id: bytes, changes: PropertyChanges
) -> None:
    """Store and drop dead properties inside the caller's transaction; refuses more than a resource may keep."""
    owner_id = opened.owner.principal_id
    for name in changes.drop:
        remove_dead(tx, owner_id, resource_id, name)
    for prop in changes.keep:
        set_dead(tx, owner_id, resource_id, prop)
    if changes.keep and len(dead_properties(tx, owner_id, resource_id)) > ctx.rules.dead_properties:
        raise Refusal(
            Condition.QUOTA_NOT_EXCEEDED, f"A resource keeps at most {ctx.rules.dead_properties} such properties."
        )


def require_place(tx: Transaction, ctx: Context, home: OpenHome) -> None:
    """Refuse one collection more than a home may hold."""
    if len(stored.of_home(tx, home.owner.principal_id)) >= ctx.rules.calendars_per_home:
        raise Refusal(Condition.QUOTA_NOT_EXCEEDED, f"A home holds at most {ctx.rules.calendars_per_home} collections.")


async def remove(ctx: Context, opened: OpenCalendar) -> None:
    """Remove a calendar; what it held stays in the database until it is pruned."""
    access.require(opened, Access.UNBIND)
    calendar = opened.calendar
    if not await ctx.db.write(lambda tx: stored.remove(tx, calendar.principal_id, calendar.calendar_id, now=ctx.now)):
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")


async def move(ctx: Context, opened: OpenCalendar, goal: Destination, *, overwrite: bool) -> bool:
    """Rename a calendar within its home (RFC 4918 §9.9.2); returns whether the destination is new."""
    access.require(opened, Access.UNBIND)
    access.require(goal.home, Access.BIND, goal.name)
    calendar = opened.calendar
    if goal.home.owner.principal_id != calendar.principal_id:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar cannot be moved to another home.")

    def work(tx: Transaction) -> bool:
        created = replace_destination(tx, ctx, goal, overwrite=overwrite)
        stored.rename(tx, calendar.principal_id, calendar.calendar_id, goal.name, now=ctx.now)
        return created

    return await write_retried(ctx, work)


def replace_destination(tx: Transaction, ctx: Context, goal: Destination, *, overwrite: bool) -> bool:
    """Remove what is at the destination; answers whether there was nothing.

    Collections that are always there are made first, so that the answer does not depend on who asked before.
    """
    owner = goal.home.owner
    if goal.name in homes.ALWAYS_THERE:
        homes.ensure(tx, owner, ctx.now)
    there = stored.find(tx, owner.principal_id, goal.name)
    if there is None:
        return True
    if not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    if goal.name in homes.ALWAYS_THERE:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "This collection cannot be replaced.")
    access.require(goal.home, Access.UNBIND, goal.name)
    stored.remove(tx, there.principal_id, there.calendar_id, now=ctx.now)
    return False
