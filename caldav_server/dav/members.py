"""Writing the members of one collection, thousands at a time (RFC 4918 §9.1, RFC 6578 §3.2, RFC 4791 §7.8).

What is asked of every member is worked out once: which values are the same for all of them, which come from a row,
which do not exist. The lightest source that can answer is used: the covering index where name, ETag and component are
enough, the rows otherwise, the texts only when calendar-data was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from caldav_server.calendaring import queries
from caldav_server.dav.answers import Data, Plan, Texts, Withheld
from caldav_server.dav.call import Call
from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.renderings import stored
from caldav_server.dav.resources import Resource, fill, object_resource
from protocol.dav import multistatus
from protocol.dav.hrefs import encode_segment
from protocol.dav.names import (
    CALENDAR_DATA,
    CREATIONDATE,
    GETCONTENTLENGTH,
    GETCONTENTTYPE,
    GETETAG,
    GETLASTMODIFIED,
    RESOURCETYPE,
    element,
    empty,
    tags,
)
from protocol.dav.requests import PropKind
from protocol.model import CalendarObject, ComponentKind, ETag, ObjectId, ObjectMeta, Seq, Uid
from storage.changes import ChangeRow
from storage.members import metas
from storage.properties import dead_properties_all

MemberWriter = Callable[[ObjectMeta, Data], str]
"""Writes the response element of a member: its row, and its calendar-data if that was asked for."""

_FROM_INDEX = frozenset({GETETAG, GETCONTENTTYPE, RESOURCETYPE})
"""Member properties that the covering index answers without touching the objects' rows."""
_FROM_ROW = _FROM_INDEX | {CREATIONDATE, GETCONTENTLENGTH, GETLASTMODIFIED, CALENDAR_DATA}
"""Those that the object's own row answers, whoever asks."""
_CHUNK = 512
_MARK = "\x00"
"""Stands for an ETag in a pattern; no value that is written can hold it, since XML cannot."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The properties of one request as they concern members of one collection."""

    constant: str
    varying: tuple[tuple[str, Callable[[ObjectMeta, Resource, object], str | None], str], ...]
    missing: str


def _shape_of(plan: Plan, collection: Resource) -> _Shape:
    constant: list[str] = []
    varying: list[tuple[str, Callable[..., str | None], str]] = []
    missing: list[str] = []
    for name in plan.ask.names:
        row = PROPERTIES.get(name)
        if name == CALENDAR_DATA:
            continue
        if row is None or row.member is None:
            missing.append(empty(name))
        elif row.same_for_members:
            value = row.member(_indexed("", ETag(""), ComponentKind.VEVENT), collection, plan.view)
            (missing if value is None else constant).append(empty(name) if value is None else element(name, value))
        else:
            varying.append((tags(name)[0], row.member, tags(name)[1]))
    return _Shape("".join(constant), tuple(varying), "" if plan.minimal else "".join(missing))


def _indexed(name: str, etag: ETag, component: ComponentKind) -> ObjectMeta:
    """A row with nothing but what the covering index knows."""
    return ObjectMeta(ObjectId(b""), name, Uid(""), component, etag, Seq(0), 0, None, 0, 0)


def _properties(shape: _Shape, plan: Plan, collection: Resource, meta: ObjectMeta) -> str:
    view = plan.view
    return shape.constant + "".join(
        [f"{before}{getter(meta, collection, view)}{after}" for before, getter, after in shape.varying]
    )


def dead_names(plan: Plan) -> list[str] | None:
    """The asked-for names that members could keep as a dead property; ``None``: any."""
    if plan.ask.kind is not PropKind.PROP:
        return None
    return [name for name in plan.ask.names if name not in PROPERTIES and name != CALENDAR_DATA]


def is_all_of_rows(plan: Plan) -> bool:
    """Whether the objects' own rows answer all that is asked: the same for everybody until an object changes."""
    return plan.ask.kind is PropKind.PROP and _FROM_ROW.issuperset(plan.ask.names)


async def writer_for(call: Call, plan: Plan, collection: Resource) -> MemberWriter:
    """A function that writes one member, with the members' dead properties at hand when the plan could meet one."""
    await fill(call.ctx, [collection], plan.needs() & {"delegates"})
    dead: dict[bytes, dict[str, str]] = {}
    names = dead_names(plan)
    if names != [] and collection.owner is not None:
        owner_id = collection.owner.principal_id
        kept = await call.ctx.db.read(lambda tx: dead_properties_all(tx, owner_id, names))
        dead = {each: {prop.name: prop.xml for prop in found} for each, found in kept.items()}
    if plan.ask.kind is not PropKind.PROP or dead:
        return _careful_writer(plan, collection, dead)
    return _quick_writer(plan, collection)


def _quick_writer(plan: Plan, collection: Resource) -> MemberWriter:
    shape, base = _shape_of(plan, collection), collection.href
    opening, closing = tags(CALENDAR_DATA)

    def write(meta: ObjectMeta, data: Data) -> str:
        xml = _properties(shape, plan, collection, meta)
        href = base + encode_segment(meta.name)
        if data is not None:
            if isinstance(data, Withheld):
                return data.response(href, ((200, xml), (404, shape.missing)))
            xml = f"{xml}{opening}{data}{closing}"
        if not shape.missing:
            return multistatus.response_ok(href, xml)
        return multistatus.response(href, ((200, xml), (404, shape.missing)))

    return write


def _careful_writer(plan: Plan, collection: Resource, dead: dict[bytes, dict[str, str]]) -> MemberWriter:
    """For allprop, propname and dead properties: each member as a resource of its own."""

    def write(meta: ObjectMeta, data: Data) -> str:
        resource = object_resource(collection, meta)
        resource.dead = dead.get(meta.object_id, {})
        return plan.response(resource, data)

    return write


def _pattern_writer(plan: Plan, collection: Resource) -> Callable[[Sequence[ChangeRow]], str]:
    """Writes rows of the covering index: all that differs between members is name, ETag and component."""
    shape, base = _shape_of(plan, collection), collection.href
    after_name: dict[int, list[str]] = {}
    before = ""
    for kind in ComponentKind:
        xml = _properties(shape, plan, collection, _indexed(_MARK, ETag(_MARK), kind))
        text = multistatus.response(base + "NAME", ((200, xml), (404, shape.missing)))
        before, _, rest = text.partition(base + "NAME")
        after_name[int(kind)] = rest.split(_MARK)
    before += base

    def write(rows: Sequence[ChangeRow]) -> str:
        return "".join([f"{before}{encode_segment(row[0])}{(row[2] or '').join(after_name[row[3]])}" for row in rows])

    return write


async def member_chunks(
    call: Call, plan: Plan, collection: Resource, rows: Sequence[ChangeRow]
) -> AsyncIterator[Texts]:
    """The response elements of the members that these rows name, all of them live."""
    if plan.ask.kind is PropKind.PROP and all(name in _FROM_INDEX for name in plan.ask.names):
        write_rows = _pattern_writer(plan, collection)
        for start in range(0, len(rows), _CHUNK):
            yield [write_rows(rows[start : start + _CHUNK])]
        return
    write = await writer_for(call, plan, collection)
    calendar = collection.calendar
    assert calendar is not None  # noqa: S101 - members live in calendars

    def with_data(found: CalendarObject) -> str:
        return write(found.meta, stored(found.data))

    for start in range(0, len(rows), queries.BATCH):
        some = [row[0] for row in rows[start : start + queries.BATCH]]
        if plan.wants_data:
            texts, large, _ = await queries.with_names(call.ctx, calendar, some, with_data)
            yield texts
            for name in large:
                one = await call.ctx.db.read(partial(queries.named, calendar=calendar, name=name))
                if one is not None:
                    yield [with_data(one)]
        else:
            found = await call.ctx.db.read(
                partial(metas, principal_id=calendar.principal_id, calendar_id=calendar.calendar_id, names=some)
            )
            yield [write(meta, None) for meta in found]
