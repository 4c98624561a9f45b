"""From resources and rows to multistatus text (RFC 4918 §14, RFC 7240 §4.2, RFC 8144).

A ``Plan`` is what one request asks of every resource, worked out once: which rows of PROPERTIES apply to a kind, which
values have to be loaded first. Members of calendars, thousands at a time, are written by ``members``. Rules of this
module: text out, no look-ups.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.properties.table import Row
from caldav_server.dav.resources import Kind, Resource
from caldav_server.dav.view import View
from caldav_server.http.messages import Response
from protocol.dav import multistatus
from protocol.dav.names import CALENDAR_DATA, element, empty
from protocol.dav.requests import PropFind, PropKind

XML_HEADERS = {"Content-Type": multistatus.CONTENT_TYPE}


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
