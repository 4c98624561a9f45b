"""Writing many members of one collection, chosen by name: shared by PROPFIND and sync-collection.

The lightest source that can answer is used: the covering index where name, ETag and component are enough, the rows
otherwise, the texts only when calendar-data was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from caldav_server.calendaring import queries
from caldav_server.dav.answers import MemberWriter, Plan
from caldav_server.dav.call import Call
from caldav_server.dav.resources import Resource
from protocol.dav.xml import escape
from protocol.model import CalendarObject, Change, ComponentKind, ETag, ObjectId, ObjectMeta, Seq, Uid
from storage.members import metas
from storage.properties import dead_properties_all

_NOBODY = ObjectId(b"")
_CHUNK = 512


async def writer_for(call: Call, plan: Plan, collection: Resource) -> MemberWriter:
    """The plan's member writer, with the members' dead properties at hand when the plan could meet one."""
    dead: dict[bytes, dict[str, str]] = {}
    if plan.members_need_dead() and collection.owner is not None:
        owner_id = collection.owner.principal_id
        kept = await call.ctx.db.read(lambda tx: dead_properties_all(tx, owner_id))
        dead = {each: {prop.name: prop.xml for prop in found} for each, found in kept.items()}
    return plan.member_writer(collection, dead)


def light_meta(name: str, etag: ETag, component: ComponentKind) -> ObjectMeta:
    """A row with nothing but what the covering index knows."""
    return ObjectMeta(_NOBODY, name, Uid(""), component, etag, Seq(0), 0, None, 0, 0)


async def member_chunks(call: Call, plan: Plan, collection: Resource, changed: Sequence[Change]) -> AsyncIterator[str]:
    """The response elements of live members, in the order given."""
    write = await writer_for(call, plan, collection)
    calendar = collection.calendar
    assert calendar is not None  # noqa: S101 - members live in calendars
    if plan.members_are_light():
        for start in range(0, len(changed), _CHUNK):
            yield "".join(
                write(light_meta(each.name, each.etag or ETag(""), each.component or ComponentKind.VEVENT), None)
                for each in changed[start : start + _CHUNK]
            )
        return

    def with_data(found: CalendarObject) -> str:
        return write(found.meta, escape(found.data.decode()))

    for start in range(0, len(changed), queries.BATCH):
        some = [each.name for each in changed[start : start + queries.BATCH]]
        if plan.wants_data:
            yield "".join(await queries.with_names(call.ctx, calendar, some, with_data))
        else:
            rows = await call.ctx.db.read(
                partial(metas, principal_id=calendar.principal_id, calendar_id=calendar.calendar_id, names=some)
            )
            yield "".join(write(meta, None) for meta in rows)
