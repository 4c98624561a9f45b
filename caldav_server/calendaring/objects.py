"""Writing one calendar object: what is checked before ``changes.apply`` (RFC 4791 §5.3.2, §5.3.4; RFC 4918 §9.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caldav_server.calendaring import access
from caldav_server.calendaring.changes import Applied, Conflict, Save, apply, remove_alone, retry_on_conflict, write
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.drafts import Draft, draft
from caldav_server.calendaring.opening import OpenCalendar, Slot
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarKind, CalendarObject, ETag, ObjectIndex, ObjectMeta, Uid
from storage import calendars as stored_calendars
from storage import objects as stored
from storage.database import Batch, Transaction
from storage.errors import Duplicate, ParentGone, RowChanged
from storage.ids import new_id

Precondition = Callable[[ObjectMeta | None], None]
"""Refuses (``PRECONDITION_FAILED``) when what is stored is not what the client said it should be."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a write."""

    etag: ETag
    created: bool
    altered: bool = False
    repairs: tuple[str, ...] = ()


class UidConflict(Refusal):
    """A UID would be there twice, or an object would change its own (RFC 4791 §5.3.2.1)."""

    def __init__(
        self,
        parent: OpenCalendar | None,
        name: str,
        message: str = "This calendar already has an object with the same UID.",
    ) -> None:
        super().__init__(Condition.NO_UID_CONFLICT, message)
        self.parent = parent
        self.name = name
        """The name of the object in the calendar ``parent`` that has the UID."""


async def put(
    ctx: Context, slot: Slot, data: bytes, *, precondition: Precondition, strict: bool, repeatable: bool = True
) -> Stored:
    """Store a body under a name, new or over what is there.

    The same bytes again change nothing. When ``repeatable``, they succeed whatever the precondition says: a client that
    never saw the answer to its first try must be able to repeat it. RFC 9110 allows that for If-Match (§13.1.1), not
    for If-None-Match (§13.1.2).
    """
    require_calendar(slot)
    new = draft(ctx.rules, ctx.now, data, strict=strict)
    require_component(slot.calendar, new.index)

    async def attempt(number: int) -> Stored:
        existing = slot.meta if number == 0 else await _read_again(ctx, slot)
        same = existing is not None and existing.etag == new.etag
        if not (same and repeatable):
            precondition(existing)
        access.require(slot.parent, Access.BIND if existing is None else Access.WRITE_CONTENT, slot.name)
        if not same:
            await _save(ctx, slot, new, existing)
        return Stored(new.etag, existing is None, new.altered, new.repairs)

    return await retry_on_conflict(attempt)


async def _save(ctx: Context, slot: Slot, new: Draft, existing: ObjectMeta | None) -> None:
    require_same_uid(slot, new, existing)

    def work(tx: Transaction) -> tuple[None, list[Applied]]:
        return None, [apply(tx, ctx, slot.calendar, [Save(slot.name, new, existing)])]

    try:
        await write(ctx, work)
    except Duplicate as taken:
        raise await explain_duplicate(ctx, slot.parent, new.index.uid, taken) from None
    except ParentGone:
        raise Refusal(Condition.MISSING_PARENT, "The calendar was removed meanwhile.") from None


async def remove(ctx: Context, slot: Slot, *, precondition: Precondition) -> None:
    """Remove an object; its text stays among the versions, its name as a tombstone (RFC 6578 §3.5.2)."""
    access.require(slot.parent, Access.UNBIND, slot.name)

    async def attempt(number: int) -> None:
        existing = slot.meta if number == 0 else await _read_again(ctx, slot)
        if existing is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
        precondition(existing)
        try:
            await write(ctx, Batch(lambda tx: (None, [remove_alone(tx, ctx, slot.calendar, existing)])))
        except RowChanged:
            raise Conflict from None

    await retry_on_conflict(attempt)


async def _read_again(ctx: Context, slot: Slot) -> ObjectMeta | None:
    """What is under the name now; nothing, when the calendar is gone."""
    place = (slot.calendar.principal_id, slot.calendar.calendar_id)

    def read(tx: Transaction) -> ObjectMeta | None:
        return stored.find_meta(tx, *place, slot.name) if stored_calendars.get(tx, *place) else None

    return await ctx.db.point(read)


def new_slot(parent: OpenCalendar) -> Slot:
    """A free name in a calendar, which nobody else has."""
    return Slot(parent, f"{new_id().hex()}.ics")


async def find(ctx: Context, slot: Slot) -> CalendarObject | None:
    """What is stored under the name now."""
    access.require(slot.parent, Access.READ, slot.name)
    place = (slot.calendar.principal_id, slot.calendar.calendar_id)
    return await ctx.db.point(lambda tx: stored.find(tx, *place, slot.name))


def require_calendar(slot: Slot) -> None:
    """Refuse to write to a collection of a home that is no calendar."""
    if slot.calendar.kind is not CalendarKind.CALENDAR:
        raise Refusal(Condition.NEED_PRIVILEGES, "Calendar objects are stored in calendars only.")


def require_component(calendar: Calendar, index: ObjectIndex) -> None:
    """Refuse ``supported-calendar-component`` for a type the calendar does not take (RFC 4791 §5.2.3)."""
    if index.component not in calendar.components:
        raise Refusal(
            Condition.SUPPORTED_CALENDAR_COMPONENT, f"This calendar does not take {index.component.name} components."
        )


def require_same_uid(slot: Slot, new: Draft, existing: ObjectMeta | None) -> None:
    """Refuse ``no-uid-conflict`` for a text with another UID than the object that it would replace."""
    if existing is not None and existing.uid != new.index.uid:
        raise UidConflict(
            slot.parent, existing.name, "An object keeps its UID for life; another UID is another object."
        )


async def explain_duplicate(ctx: Context, parent: OpenCalendar, uid: Uid, taken: Duplicate) -> UidConflict | Conflict:
    """What a unique key that is taken means: another object has the UID, or whoever had it is gone by now."""
    if taken.key != "objects.uid":
        return Conflict()
    calendar = parent.calendar
    other = await ctx.db.point(lambda tx: stored.find_by_uid(tx, calendar.principal_id, calendar.calendar_id, uid))
    return Conflict() if other is None else UidConflict(parent, other.name)
