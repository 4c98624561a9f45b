"""Calendar homes: every principal has one, with the collections that are always there (RFC 4791 §6.2.1).

The default calendar, when deleted, comes back empty at the next need; so do the special collections.
"""

from __future__ import annotations

from caldav_server.calendaring.changes import write_retried
from caldav_server.calendaring.context import Context
from protocol.model import Calendar, CalendarId, CalendarKind, Principal
from storage import calendars as stored
from storage.database import Transaction
from storage.ids import new_id

DEFAULT_CALENDAR = "calendar"
ALWAYS_THERE: dict[str, CalendarKind] = {
    DEFAULT_CALENDAR: CalendarKind.CALENDAR,
    "inbox": CalendarKind.INBOX,
    "outbox": CalendarKind.OUTBOX,
    "notification": CalendarKind.NOTIFICATION,
}


async def collections(ctx: Context, owner: Principal) -> list[Calendar]:
    """All collections of a home, by name; those that must always be there are made."""
    found = await ctx.db.point(lambda tx: stored.of_home(tx, owner.principal_id))
    if {each.name for each in found} >= ALWAYS_THERE.keys():
        return found
    return await write_retried(ctx, lambda tx: ensure(tx, owner, ctx.now))


async def find_collection(ctx: Context, owner: Principal, name: str) -> Calendar | None:
    """The collection of that name, made on the spot when it is one that must always be there."""
    found = await ctx.db.point(lambda tx: stored.find(tx, owner.principal_id, name))
    if found is None and name in ALWAYS_THERE:
        made = await write_retried(ctx, lambda tx: ensure(tx, owner, ctx.now))
        return next(each for each in made if each.name == name)
    return found


def ensure(tx: Transaction, owner: Principal, now: int) -> list[Calendar]:
    """Make what is missing of a home, inside the caller's transaction, and return all of it."""
    found = stored.of_home(tx, owner.principal_id)
    present = {each.name for each in found}
    for name, kind in ALWAYS_THERE.items():
        if name in present:
            continue
        title = "Calendar" if kind is CalendarKind.CALENDAR else None
        made = Calendar(owner.principal_id, CalendarId(new_id()), name, kind=kind, display_name=title, created_at=now)
        stored.create(tx, made)
    return stored.of_home(tx, owner.principal_id)
