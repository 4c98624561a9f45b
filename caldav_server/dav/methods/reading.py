"""OPTIONS, GET, HEAD, PROPFIND and REPORT (RFC 9110 §9.3, RFC 4918 §9.1 and §9.4, RFC 3253 §3.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import lru_cache

from caldav_server.calendaring import queries
from caldav_server.calendaring.exporting import export_calendar
from caldav_server.calendaring.polling import state_of
from caldav_server.calendaring.properties import DEAD
from caldav_server.dav import reports
from caldav_server.dav.answers import PropertyRequest, Texts, adaptive, buffered, streaming
from caldav_server.dav.call import Call
from caldav_server.dav.members import member_chunks
from caldav_server.dav.methods import capabilities
from caldav_server.dav.resources import (
    CalendarResource,
    CollectionResource,
    ObjectResource,
    Resource,
    children,
    open_resource,
    prefetch,
)
from caldav_server.http.messages import Response
from protocol.dav import values
from protocol.dav.conditions import parse_if_headers
from protocol.dav.headers import Depth, parse_depth
from protocol.dav.reports import parse_report
from protocol.dav.requests import parse_propfind
from protocol.errors import Condition, Refusal
from protocol.model import Access, ComponentKind

_CONTENT_TYPES = {kind: f"text/calendar; charset=utf-8; component={kind.name.lower()}" for kind in ComponentKind}


_COMMON = 4096
"""Clients ask the same few questions again and again: short bodies are read once (results are immutable)."""
_propfind_of = lru_cache(maxsize=512)(parse_propfind)
_report_of = lru_cache(maxsize=512)(parse_report)


async def options(call: Call) -> Response:
    """What can be done here; never refused for what does not exist yet, so that clients can probe (RFC 9110 §9.3.7)."""
    return Response(200, capabilities.headers_for(call.location))


async def get(call: Call) -> Response:
    """A calendar object as the bytes that were put; a calendar as one .ics of everything in it."""
    resource = await open_resource(call.ctx, call.paths, call.location, with_text=True)
    if isinstance(resource, CollectionResource):
        pieces = export_calendar(call.ctx, resource.opened)
        return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, (text async for text, _ in pieces))
    if not isinstance(resource, ObjectResource) or resource.opened.text is None:
        return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, _welcome(resource).encode())
    meta = resource.meta
    headers = {
        "ETag": f'"{meta.etag}"',
        "Last-Modified": values.render_http_date(meta.modified_at),
        "Content-Type": _CONTENT_TYPES[meta.component],
    }
    conditions = parse_if_headers(call.request.headers)
    conditions.check_match(meta.etag, modified_at=meta.modified_at)
    if conditions.not_modified(meta.etag):
        return Response(304, headers)
    return Response(200, headers, resource.opened.text)


def _welcome(resource: Resource) -> str:
    return f"This is a {resource.kind.value} of a CalDAV server; open it with a calendar client.\n"


async def propfind(call: Call) -> Response:
    """RFC 4918 §9.1; Depth infinity is refused on collections, as the RFC provides."""
    depth = parse_depth(call.request.headers.get("Depth"), Depth.INFINITY)
    resource = await call.open()
    body = await call.body()
    if depth is Depth.INFINITY and not isinstance(resource, ObjectResource):
        raise Refusal(Condition.PROPFIND_FINITE_DEPTH, "Ask with Depth 0 or 1.")
    ask = _propfind_of(body) if len(body) <= _COMMON else parse_propfind(body)
    wanted = PropertyRequest(ask, call.view, call.minimal)
    if depth is Depth.ZERO or isinstance(resource, ObjectResource):
        needs = wanted.needs()
        await prefetch(call.ctx, [resource], needs)
        if isinstance(resource, CalendarResource) and needs <= {DEAD}:
            call.depends_on = state_of(resource.opened)
        return buffered([wanted.response(resource)])
    if call.prefer.depth_noroot:
        call.applied.append("depth-noroot")
    if isinstance(resource, CollectionResource):
        return await _members(call, wanted, resource)
    return await adaptive(_children(call, wanted, resource), resource.href, few=True)


async def _children(call: Call, wanted: PropertyRequest, resource: Resource) -> AsyncIterator[Texts]:
    first = [] if call.prefer.depth_noroot else [resource]
    async for page in children(call.ctx, call.paths, resource):
        yield await _responses(call, wanted, [*first, *page])
        first = []
    if first:
        yield await _responses(call, wanted, first)


async def _responses(call: Call, wanted: PropertyRequest, resources: Sequence[Resource]) -> list[str]:
    await prefetch(call.ctx, resources, wanted.needs())
    return [wanted.response(each) for each in resources]


async def _members(call: Call, wanted: PropertyRequest, resource: CollectionResource) -> Response:
    """A calendar and its members as one snapshot saw them; their rows are small, what is written of them streams."""
    head = [] if call.prefer.depth_noroot else await _responses(call, wanted, [resource])
    rows = await queries.listing(call.ctx, resource.opened)

    async def chunks() -> AsyncIterator[Texts]:
        yield head
        async for texts in member_chunks(call, wanted, resource, rows):
            yield texts

    if len(rows) <= queries.BATCH:
        return buffered([text async for texts in chunks() for text in texts])
    return streaming(chunks())


async def report(call: Call) -> Response:
    """RFC 3253 §3.6: REPORTS decides who answers, and what the actor must be allowed to."""
    body = await call.body()
    try:
        resource = await call.open(needed=Access.READ_FREE_BUSY)
    except Refusal as refusal:
        if refusal.condition is Condition.NEED_PRIVILEGES:  # say what this report needs, not the least that any needs
            await call.open(needed=reports.access_for(parse_report(body)))
        raise
    parsed = _report_of(body) if len(body) <= _COMMON else parse_report(body)
    return await reports.require(parsed, resource).answer(call, resource, parsed)
