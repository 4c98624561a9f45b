"""From resources and rows to multistatus text (RFC 4918 §14, RFC 7240 §4.2, RFC 8144).

A ``PropertyRequest`` is what one request asks of every resource, worked out once: which rows of PROPERTIES apply to a
kind, which values have to be loaded first. ``members`` writes the members of calendars, thousands at a time. Rules of
this module: text out, no look-ups.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from caldav_server.calendaring.properties import DEAD
from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.properties.table import Row
from caldav_server.dav.resources import Kind, ObjectResource, Resource
from caldav_server.dav.view import View
from caldav_server.http.messages import Response
from protocol.dav import multistatus
from protocol.dav.names import CALENDAR_DATA, element, empty
from protocol.dav.requests import PropFind, PropKind
from protocol.errors import Refusal

_PIECE = 256 * 1024
"""Characters that are encoded and handed on at a time."""
_BUFFERED_MOST = 1024 * 1024
"""Up to so many characters, an answer of few resources is sent with a Content-Length."""
XML_HEADERS = {"Content-Type": multistatus.CONTENT_TYPE}


@dataclass(frozen=True, slots=True)
class DataError:
    """Why calendar-data of an object was not made; all else of the object, and all other objects, are answered.

    RFC 4918 §13 and §14.22: the status and the condition stand in the propstat of the property they concern.
    """

    refusal: Refusal

    def response(self, href: str, propstats: Iterable[tuple[int, str]]) -> str:
        """The response element of the object, with its other properties by status."""
        condition = self.refusal.condition
        others = [multistatus.propstat(code, xml) for code, xml in propstats if xml]
        data = multistatus.propstat(condition.status, empty(CALENDAR_DATA), condition, self.refusal.message)
        return multistatus.response_of(href, "".join([*others, data]))


Data = str | DataError | None
"""Calendar-data as escaped text, where it was asked for."""


@dataclass(frozen=True, slots=True)
class PropertyRequest:
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
        """What ``resources.prefetch`` must load for it."""
        if self.ask.kind is not PropKind.PROP:
            return frozenset({DEAD})
        found: set[str] = set()
        for name in self.ask.names:
            row = PROPERTIES.get(name)
            if (row is None or row.settable) and name != CALENDAR_DATA:
                found.add(DEAD)
            if row is not None:
                found |= row.needs
        return frozenset(found)

    def response(self, resource: Resource, data: Data = None) -> str:
        """The response element of one resource."""
        found, missing = self.propstats(resource, data)
        if isinstance(data, DataError):
            return data.response(resource.href, self._groups(found, missing))
        return multistatus.response(resource.href, self._groups(found, missing))

    def _groups(self, found: list[str], missing: list[str]) -> list[tuple[int, str]]:
        groups = [(200, "".join(found))] if found or not missing or self.minimal else []
        if missing and not self.minimal:
            groups.append((404, "".join(missing)))
        return groups

    def propstats(self, resource: Resource, data: Data = None) -> tuple[list[str], list[str]]:
        """The elements of properties a resource has, and empty ones of those it has not; without calendar-data that
        could not be made."""
        names = self._names(resource)
        if isinstance(data, DataError):
            names, data = [name for name in names if name != CALENDAR_DATA], None
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
        return dict.fromkeys([*live, *resource.extras.dead, *self.ask.include])

    def _exists(self, resource: Resource, name: str) -> bool:
        return self._element(resource, name, None) is not None

    def _element(self, resource: Resource, name: str, data: str | None) -> str | None:
        kept = resource.extras.dead.get(name)
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
        if isinstance(resource, ObjectResource):
            return row.member(resource.meta, resource, self.view) if row.member is not None else None
        return row.getter(resource, self.view) if row.getter is not None else None


def _applies(row: Row, kind: Kind) -> bool:
    return row.member is not None if kind is Kind.OBJECT else kind in row.kinds


Texts = Sequence[str]
"""Response elements, in the order of the answer. They are never joined as text: one wide character would widen all."""


def buffered(responses: Iterable[str], tail: str = "") -> Response:
    """A multistatus small enough to be sent with a Content-Length."""
    return Response(207, dict(XML_HEADERS), _encoded((multistatus.OPEN, *responses, tail, multistatus.CLOSE)))


def streaming(chunks: AsyncIterator[Texts], tail: str = "") -> Response:
    """A multistatus of any length, sent as it is made."""

    async def body() -> AsyncIterator[bytes]:
        yield multistatus.OPEN.encode()
        async for texts in chunks:
            for piece in _pieces(texts):
                yield piece
        yield (tail + multistatus.CLOSE).encode()

    return Response(207, dict(XML_HEADERS), body())


def _pieces(texts: Texts) -> Iterator[bytes]:
    some: list[str] = []
    size = 0
    for text in texts:
        for start in range(0, len(text), _PIECE):
            some.append(text[start : start + _PIECE])
            size += len(some[-1])
            if size >= _PIECE:
                yield _encoded(some)
                some, size = [], 0
    yield _encoded(some)


def _encoded(texts: Iterable[str]) -> bytes:
    return b"".join([text.encode() for text in texts])


async def adaptive(chunks: AsyncIterator[Texts], href: str, *, few: bool) -> Response:
    """A multistatus that may be refused while it is made: buffered while it is small, streaming from then on.

    ``href``: the request's own; ``few``: a small answer is expected. A refusal before streaming begins refuses the
    whole request. Later the answer ends early but well formed: its last response gives the href the status and the
    condition (RFC 6578 §3.6, RFC 4791 §7.8).
    """
    held: list[str] = []
    size = 0
    async for texts in chunks:
        held.extend(texts)
        size += sum(map(len, texts))
        if not few or size > _BUFFERED_MOST:
            return streaming(_to_the_end(held, chunks, href))
    return buffered(held)


async def _to_the_end(held: list[str], rest: AsyncIterator[Texts], href: str) -> AsyncIterator[Texts]:
    yield held
    held.clear()
    try:
        async for texts in rest:
            yield texts
    except Refusal as refusal:
        condition = refusal.condition
        yield [multistatus.response_status(href, condition.status, condition, refusal.message)]
