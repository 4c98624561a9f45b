"""From resources and rows to multistatus text (RFC 4918 §14, RFC 7240 §4.2, RFC 8144).

A ``Plan`` is what one request asks of every resource, worked out once: which rows of PROPERTIES apply to a kind, which
values are the same for all members of a collection, which names do not exist there. Writing a member is then a few
string operations. Rules of this module: text out, no look-ups.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.properties.table import Row
from caldav_server.dav.resources import Kind, Resource
from caldav_server.dav.view import View
from caldav_server.http.messages import Response
from protocol.dav import multistatus
from protocol.dav.hrefs import encode_segment
from protocol.dav.names import CALENDAR_DATA, element, empty, tags
from protocol.dav.requests import PropFind, PropKind
from protocol.model import ObjectMeta

XML_HEADERS = {"Content-Type": multistatus.CONTENT_TYPE}
_LIGHT = frozenset({"{DAV:}getetag", "{DAV:}getcontenttype", "{DAV:}resourcetype"})
"""Member properties that the covering index answers without touching the objects' rows."""

MemberWriter = Callable[[ObjectMeta, str | None], str]
"""Writes the response element of a member: its row, and its calendar-data as escaped text if that was asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one PROPFIND or report wants to know of each resource."""

    ask: PropFind
    view: View
    minimal: bool = False
    """Leave out what does not exist instead of reporting 404 (Prefer: return=minimal, Brief: t)."""

    @property
    def wants_data(self) -> bool:
        """Whether calendar-data is among the names asked for."""
        return CALENDAR_DATA in self.ask.names

    def needs(self) -> frozenset[str]:
        """What ``resources.fill`` must load for this plan."""
        if self.ask.kind is not PropKind.PROP:
            return frozenset({"dead"})
        found: set[str] = set()
        for name in self.ask.names:
            row = PROPERTIES.get(name)
            if (row is None or row.settable) and name != CALENDAR_DATA:
                found.add("dead")
            if row is not None:
                found |= row.needs
        return frozenset(found)

    def members_are_light(self) -> bool:
        """Whether name, ETag and component of each member are enough to write it."""
        return self.ask.kind is PropKind.PROP and all(name in _LIGHT for name in self.ask.names)

    def members_need_dead(self) -> bool:
        """Whether a name was asked for that members could keep as a dead property."""
        if self.ask.kind is not PropKind.PROP:
            return True
        return any(name not in PROPERTIES and name != CALENDAR_DATA for name in self.ask.names)

    # --- single resources ---

    def response(self, resource: Resource, data: str | None = None) -> str:
        """The response element of one resource."""
        found, missing = self.propstats(resource, data)
        return multistatus.response(resource.href, self._groups(found, missing))

    def _groups(self, found: list[str], missing: list[str]) -> list[tuple[int, str]]:
        groups = [(200, "".join(found))] if found or not missing or self.minimal else []
        if missing and not self.minimal:
            groups.append((404, "".join(missing)))
        return groups

    def propstats(self, resource: Resource, data: str | None = None) -> tuple[list[str], list[str]]:
        """The property elements a resource has, and the empty elements of those it has not."""
        names = self._names(resource)
        found: list[str] = []
        missing: list[str] = []
        for name in names:
            value = self._element(resource, name, data)
            if value is None:
                missing.append(empty(name))
            else:
                found.append(empty(name) if self.ask.kind is PropKind.PROPNAME else value)
        return found, missing

    def _names(self, resource: Resource) -> Iterable[str]:
        if self.ask.kind is PropKind.PROP:
            return self.ask.names
        every = self.ask.kind is PropKind.PROPNAME
        live = [
            name
            for name, row in PROPERTIES.items()
            if (every or row.allprop) and (_applies(row, resource.kind)) and self._exists(resource, name)
        ]
        return dict.fromkeys([*live, *resource.dead, *self.ask.include])

    def _exists(self, resource: Resource, name: str) -> bool:
        return self._element(resource, name, None) is not None

    def _element(self, resource: Resource, name: str, data: str | None) -> str | None:
        kept = resource.dead.get(name)
        if kept is not None:
            return kept
        if name == CALENDAR_DATA:
            content = data
        else:
            row = PROPERTIES.get(name)
            if row is None or not _applies(row, resource.kind):
                return None
            content = self._content(row, resource)
        return None if content is None else element(name, content)

    def _content(self, row: Row, resource: Resource) -> str | None:
        if resource.meta is not None:
            return row.member(resource.meta, resource, self.view) if row.member is not None else None
        return row.getter(resource, self.view) if row.getter is not None else None

    # --- members of one collection, many at a time ---

    def member_writer(self, collection: Resource, dead: dict[bytes, dict[str, str]] | None = None) -> MemberWriter:
        """A function that writes the response of one member; ``dead`` holds what members keep, by object id."""
        base = collection.href
        if self.ask.kind is not PropKind.PROP or dead:
            return self._careful_writer(collection, dead or {})
        constant, varying, missing = self._compile(collection)
        with_data = self.wants_data
        opening, closing = tags(CALENDAR_DATA)
        lacking = "" if self.minimal else "".join(missing)
        view = self.view

        def write(meta: ObjectMeta, data: str | None) -> str:
            parts = [constant]
            for before, getter, after in varying:
                value = getter(meta, collection, view)
                parts.append(f"{before}{value}{after}")
            if with_data and data is not None:
                parts.append(f"{opening}{data}{closing}")
            href = base + encode_segment(meta.name)
            if not lacking:
                return multistatus.response_ok(href, "".join(parts))
            return multistatus.response(href, ((200, "".join(parts)), (404, lacking)))

        return write

    def _compile(self, collection: Resource) -> tuple[str, list[tuple[str, Callable[..., str | None], str]], list[str]]:
        constant: list[str] = []
        varying: list[tuple[str, Callable[..., str | None], str]] = []
        missing: list[str] = []
        nobody = ObjectMeta(*([None] * len(ObjectMeta._fields)))  # type: ignore[arg-type]
        for name in self.ask.names:
            if name == CALENDAR_DATA:
                continue
            row = PROPERTIES.get(name)
            if row is None or row.member is None:
                missing.append(empty(name))
            elif row.same_for_members:
                value = row.member(nobody, collection, self.view)
                if value is None:
                    missing.append(empty(name))
                else:
                    constant.append(element(name, value))
            else:
                opening, closing = tags(name)
                varying.append((opening, row.member, closing))
        return "".join(constant), varying, missing

    def _careful_writer(self, collection: Resource, dead: dict[bytes, dict[str, str]]) -> MemberWriter:
        from caldav_server.dav.resources import object_resource

        def write(meta: ObjectMeta, data: str | None) -> str:
            resource = object_resource(collection, meta)
            resource.dead = dead.get(meta.object_id, {})
            return self.response(resource, data)

        return write


def _applies(row: Row, kind: Kind) -> bool:
    return row.member is not None if kind is Kind.OBJECT else kind in row.kinds


def whole(responses: Iterable[str], tail: str = "") -> Response:
    """A multistatus small enough to be sent with a Content-Length."""
    text = "".join((multistatus.OPEN, *responses, tail, multistatus.CLOSE))
    return Response(207, dict(XML_HEADERS), text.encode())


def streamed(chunks: AsyncIterator[str], tail: str = "") -> Response:
    """A multistatus of any length, sent as it is made."""

    async def body() -> AsyncIterator[bytes]:
        yield multistatus.OPEN.encode()
        async for chunk in chunks:
            yield chunk.encode()
        yield (tail + multistatus.CLOSE).encode()

    return Response(207, dict(XML_HEADERS), body())
