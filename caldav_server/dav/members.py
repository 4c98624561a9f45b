"""Writing the members of one collection, thousands at a time (RFC 4918 §9.1, RFC 6578 §3.2, RFC 4791 §7.8).

What is asked of every member is worked out once: which values are the same for all of them, which come from a row,
which do not exist. The lightest source that can answer is used: the covering index where name, ETag and component are
enough, the rows otherwise, the texts only when calendar-data was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from caldav_server.calendaring import properties, queries
from caldav_server.calendaring.properties import DELEGATES
from caldav_server.calendaring.sync import ChangeRow
from caldav_server.dav.answers import Data, DataError, PropertyRequest, Texts
from caldav_server.dav.caches.rendering_cache import escaped
from caldav_server.dav.call import Call
from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.resources import CollectionResource, object_resource, prefetch
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
from protocol.model import CalendarObject, ComponentKind, ETag, Href, ObjectId, ObjectMeta, Seq, Uid

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
    varying: tuple[tuple[str, Callable[[ObjectMeta, CollectionResource, object], str | None], str], ...]
    missing: str


def _shape_of(wanted: PropertyRequest, collection: CollectionResource) -> _Shape:
    constant: list[str] = []
    varying: list[tuple[str, Callable[..., str | None], str]] = []
    missing: list[str] = []
    for name in wanted.ask.names:
        row = PROPERTIES.get(name)
        if name == CALENDAR_DATA:
            continue
        if row is None or row.member is None:
            missing.append(empty(name))
        elif row.same_for_members:
            value = row.member(_indexed("", ETag(""), ComponentKind.VEVENT), collection, wanted.view)
            (missing if value is None else constant).append(empty(name) if value is None else element(name, value))
        else:
            varying.append((tags(name)[0], row.member, tags(name)[1]))
    return _Shape("".join(constant), tuple(varying), "" if wanted.minimal else "".join(missing))


def _indexed(name: str, etag: ETag, component: ComponentKind) -> ObjectMeta:
    """A row with nothing but what the covering index knows."""
    return ObjectMeta(ObjectId(b""), name, Uid(""), component, etag, Seq(0), 0, None, 0, 0)


def _properties(shape: _Shape, wanted: PropertyRequest, collection: CollectionResource, meta: ObjectMeta) -> str:
    view = wanted.view
    return shape.constant + "".join(
        [f"{before}{getter(meta, collection, view)}{after}" for before, getter, after in shape.varying]
    )


def dead_names(wanted: PropertyRequest) -> list[str] | None:
    """The asked-for names that members could keep as a dead property; ``None``: any."""
    if wanted.ask.kind is not PropKind.PROP:
        return None
    return [name for name in wanted.ask.names if name not in PROPERTIES and name != CALENDAR_DATA]


def is_all_of_rows(wanted: PropertyRequest) -> bool:
    """Whether the objects' own rows answer all that is asked: the same through one lens until an object changes."""
    return wanted.ask.kind is PropKind.PROP and _FROM_ROW.issuperset(wanted.ask.names)


async def writer_for(call: Call, wanted: PropertyRequest, collection: CollectionResource) -> MemberWriter:
    """A function that writes one member, with the members' dead properties at hand when the request could meet one."""
    await prefetch(call.ctx, [collection], wanted.needs() & {DELEGATES})
    dead: dict[bytes, dict[str, str]] = {}
    names = dead_names(wanted)
    if names != []:
        kept = await properties.dead_of_members(call.ctx, collection.opened, names)
        dead = {each: {prop.name: prop.xml for prop in found} for each, found in kept.items()}
    if wanted.ask.kind is not PropKind.PROP or dead:
        return _careful_writer(wanted, collection, dead)
    return _quick_writer(wanted, collection)


def _quick_writer(wanted: PropertyRequest, collection: CollectionResource) -> MemberWriter:
    shape, base = _shape_of(wanted, collection), collection.href
    opening, closing = tags(CALENDAR_DATA)

    def write(meta: ObjectMeta, data: Data) -> str:
        xml = _properties(shape, wanted, collection, meta)
        href = base + encode_segment(meta.name)
        if data is not None:
            if isinstance(data, DataError):
                return data.response(href, ((200, xml), (404, shape.missing)))
            xml = f"{xml}{opening}{data}{closing}"
        if not shape.missing:
            return multistatus.response_ok(href, xml)
        return multistatus.response(href, ((200, xml), (404, shape.missing)))

    return write


def _careful_writer(
    wanted: PropertyRequest, collection: CollectionResource, dead: dict[bytes, dict[str, str]]
) -> MemberWriter:
    """For allprop, propname and dead properties: each member as a resource of its own."""

    def write(meta: ObjectMeta, data: Data) -> str:
        resource = object_resource(collection, Href(collection.href + encode_segment(meta.name)), meta)
        resource.extras.dead = dead.get(meta.object_id, {})
        return wanted.response(resource, data)

    return write


def _pattern_writer(wanted: PropertyRequest, collection: CollectionResource) -> Callable[[Sequence[ChangeRow]], str]:
    """Writes rows of the covering index: all that differs between members is name, ETag and component."""
    shape, base = _shape_of(wanted, collection), collection.href
    after_name: dict[int, list[str]] = {}
    before = ""
    for kind in ComponentKind:
        xml = _properties(shape, wanted, collection, _indexed(_MARK, ETag(_MARK), kind))
        text = multistatus.response(base + "NAME", ((200, xml), (404, shape.missing)))
        before, _, rest = text.partition(base + "NAME")
        after_name[int(kind)] = rest.split(_MARK)
    before += base

    def write(rows: Sequence[ChangeRow]) -> str:
        return "".join([f"{before}{encode_segment(row[0])}{(row[2] or '').join(after_name[row[3]])}" for row in rows])

    return write


async def member_chunks(
    call: Call, wanted: PropertyRequest, collection: CollectionResource, rows: Sequence[ChangeRow]
) -> AsyncIterator[Texts]:
    """The response elements of the members that these rows name, all of them live."""
    if wanted.ask.kind is PropKind.PROP and all(name in _FROM_INDEX for name in wanted.ask.names):
        write_rows = _pattern_writer(wanted, collection)
        for start in range(0, len(rows), _CHUNK):
            yield [write_rows(rows[start : start + _CHUNK])]
        return
    write = await writer_for(call, wanted, collection)
    opened = collection.opened

    def with_data(found: CalendarObject) -> str:
        return write(found.meta, escaped(found.data))

    for start in range(0, len(rows), queries.BATCH):
        some = [row[0] for row in rows[start : start + queries.BATCH]]
        if wanted.wants_data:
            texts, large, _ = await queries.with_names(call.ctx, opened, some, with_data)
            yield texts
            for name in large:
                text = await queries.with_name(call.ctx, opened, name, with_data)
                if text is not None:
                    yield [text]
        else:
            yield [write(meta, None) for meta in await queries.metas(call.ctx, opened, some)]
