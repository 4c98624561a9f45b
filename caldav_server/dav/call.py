"""One request on its way through the DAV face: what every method and report is handed."""

from __future__ import annotations

from dataclasses import dataclass, field

from caldav_server.calendaring.context import Context
from caldav_server.calendaring.polling import CalendarState
from caldav_server.dav.paths import Location, Paths
from caldav_server.dav.resources import Resource, open_resource
from caldav_server.dav.view import View
from caldav_server.http.messages import Request
from protocol.dav.headers import Depth, Prefer, parse_depth
from protocol.dav.hrefs import path_of_href
from protocol.model import Access


@dataclass(slots=True)
class Call:
    """The request, who asks, and where; ``applied`` collects the preferences that were honoured (RFC 7240 §3)."""

    request: Request
    ctx: Context
    view: View
    location: Location
    prefer: Prefer
    xml_limit: int
    dead_property_bytes: int
    sync_page: int
    """How many changes one answer holds when the client sets no limit; the rest follows with the next token."""
    applied: list[str] = field(default_factory=list)
    depends_on: CalendarState | None = None
    """Set by a handler whose answer is the same for the same question while this state lasts."""

    @property
    def paths(self) -> Paths:
        """The map of URLs as this client sees it."""
        return self.view.paths

    @property
    def minimal(self) -> bool:
        """Whether the client wants 404 properties left out (RFC 8144 §2.1, and Apple's older ``Brief: t``)."""
        return self.prefer.minimal

    @property
    def depth(self) -> Depth:
        """The Depth of a report: 0 when the client says nothing (RFC 3253 §3.6)."""
        return parse_depth(self.request.headers.get("Depth"), Depth.ZERO)

    def path_of(self, href: str) -> Location:
        """The location an href in a body speaks of; refuses hrefs of other hosts and what is not on the map."""
        return self.paths.parse(path_of_href(href, scheme=self.request.scheme, authority=self.request.authority))

    async def open(self, location: Location | None = None, needed: Access = Access.READ) -> Resource:
        """The resource at a location, by default the one that the request is about."""
        return await open_resource(self.ctx, self.paths, location or self.location, needed=needed)

    async def body(self) -> bytes:
        """The XML body, within the limit for XML."""
        return await self.request.read(self.xml_limit)
