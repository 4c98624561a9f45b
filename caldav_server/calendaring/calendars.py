"""Calendars themselves: make, change, remove and move them (RFC 4791 §5.3.1, RFC 4918 §9); copies are ``copying``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from caldav_server.calendaring import access, homes
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.objects import write_again
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarId, DeadProperty, Principal
from storage import calendars as stored
from storage.database import Transaction
from storage.ids import new_id
from storage.properties import dead_properties, remove_dead, set_dead


@dataclass(frozen=True, slots=True)
class Changes:
    """What a client wants different about a calendar, or about anything that keeps dead properties."""

    fields: stored.CalendarFields = field(default_factory=lambda: stored.CalendarFields())
    """Fields of ``Calendar`` the server interprets."""
    keep: tuple[DeadProperty, ...] = ()
    """Elements stored verbatim: dead properties, and the client's own spelling of the interpreted ones."""
    drop: tuple[str, ...] = ()
    """Clark names whose stored element goes away."""


async def create(ctx: Context, owner: Principal, name: str, granted: Access, href: str, changes: Changes) -> Calendar:
    """Make a calendar with all its properties, or nothing at all (RFC 4791 §5.3.1, RFC 5689 §3)."""
    access.require(granted, Access.BIND, href)
    made = replace(
        Calendar(owner.principal_id, CalendarId(new_id()), name, created_at=ctx.now),
        **changes.fields,
    )

    def work(tx: Transaction) -> Calendar:
        if stored.find(tx, owner.principal_id, name) is not None:
            raise Refusal(Condition.RESOURCE_MUST_BE_NULL, "There is already something at this address.")
        require_place(tx, ctx, owner)
        stored.create(tx, made)
        _apply_dead(tx, ctx, owner, made.calendar_id, changes)
        return made

    return await write_again(ctx, work)


async def update(ctx: Context, calendar: Calendar, granted: Access, href: str, changes: Changes) -> None:
    """Apply a PROPPATCH to a calendar, all of it in one transaction (RFC 4918 §9.2)."""
    access.require(granted, Access.WRITE_PROPERTIES, href)

    def work(tx: Transaction) -> None:
        _apply_dead(tx, ctx, calendar, calendar.calendar_id, changes)
        stored.update(tx, calendar.principal_id, calendar.calendar_id, **changes.fields)

    await ctx.db.write(work)


async def update_dead(
    ctx: Context, owner: Principal, resource_id: bytes, granted: Access, href: str, changes: Changes
) -> None:
    """Apply a PROPPATCH to a resource that keeps nothing but dead properties."""
    access.require(granted, Access.WRITE_PROPERTIES, href)
    await ctx.db.write(lambda tx: _apply_dead(tx, ctx, owner, resource_id, changes))


def _apply_dead(
    tx: Transaction, ctx: Context, owner: Principal | Calendar, resource_id: bytes, changes: Changes
) -> None:
    for name in changes.drop:
        remove_dead(tx, owner.principal_id, resource_id, name)
    for prop in changes.keep:
        set_dead(tx, owner.principal_id, resource_id, prop)
    if changes.keep and len(dead_properties(tx, owner.principal_id, resource_id)) > ctx.rules.dead_properties:
        raise Refusal(
            Condition.QUOTA_NOT_EXCEEDED, f"A resource keeps at most {ctx.rules.dead_properties} such properties."
        )


def require_place(tx: Transaction, ctx: Context, owner: Principal) -> None:
    """Refuse one collection more than a home may hold."""
    if len(stored.of_home(tx, owner.principal_id)) >= ctx.rules.calendars_per_home:
        raise Refusal(Condition.QUOTA_NOT_EXCEEDED, f"A home holds at most {ctx.rules.calendars_per_home} collections.")


async def remove(ctx: Context, calendar: Calendar, granted: Access, href: str) -> None:
    """Remove a calendar; what it held stays in the database until upkeep purges it."""
    access.require(granted, Access.UNBIND, href)
    if not await ctx.db.write(lambda tx: stored.remove(tx, calendar.principal_id, calendar.calendar_id, now=ctx.now)):
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a calendar is to go: a name in a home."""

    owner: Principal
    name: str
    access: Access
    href: str


async def move(ctx: Context, calendar: Calendar, granted: Access, href: str, goal: Place, *, overwrite: bool) -> bool:
    """Rename a calendar within its home (RFC 4918 §9.9.2); returns whether the destination is new."""
    access.require(granted, Access.UNBIND, href)
    access.require(goal.access, Access.BIND, goal.href)
    if goal.owner.principal_id != calendar.principal_id:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar cannot be moved to another home.")

    def work(tx: Transaction) -> bool:
        created = make_way(tx, ctx, goal, overwrite=overwrite)
        stored.rename(tx, calendar.principal_id, calendar.calendar_id, goal.name, now=ctx.now)
        return created

    return await write_again(ctx, work)


def make_way(tx: Transaction, ctx: Context, goal: Place, *, overwrite: bool) -> bool:
    """Remove what the destination replaces; whether there was nothing. What is always there is there now as well."""
    if goal.name in homes.ALWAYS_THERE:
        homes.ensure(tx, goal.owner, ctx.now)
    there = stored.find(tx, goal.owner.principal_id, goal.name)
    if there is None:
        return True
    if not overwrite:
        raise Refusal(Condition.PRECONDITION_FAILED, "There is already something at the destination.")
    if goal.name in homes.ALWAYS_THERE:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "This collection cannot be replaced.")
    access.require(goal.access, Access.UNBIND, goal.href)
    stored.remove(tx, there.principal_id, there.calendar_id, now=ctx.now)
    return False
