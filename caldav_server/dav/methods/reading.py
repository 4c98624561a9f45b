"""OPTIONS, GET, HEAD, PROPFIND and REPORT (RFC 9110 §9.3, RFC 4918 §9.1 and §9.4, RFC 3253 §3.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache

from caldav_server.calendaring import access, queries
from caldav_server.dav import reports
from caldav_server.dav.answers import Plan, Texts, streamed, whole
from caldav_server.dav.call import Call
from caldav_server.dav.members import member_chunks
from caldav_server.dav.methods import descriptions
from caldav_server.dav.paths import Place
from caldav_server.dav.remembered import state_of
from caldav_server.dav.resources import Kind, Resource, children, fill, open_resource
from caldav_server.http.messages import Response
from protocol.dav import values
from protocol.dav.conditions import parse_if_headers
from protocol.dav.headers import Depth, parse_depth
from protocol.dav.reports import parse_report
from protocol.dav.requests import parse_propfind
from protocol.errors import Condition, Refusal
from protocol.ical.join import Joiner
from protocol.model import FOREVER, Access, Calendar, CalendarObject, ComponentKind
from storage import changes as stored_changes
from storage import objects as stored_objects

_CONTENT_TYPES = {kind: f"text/calendar; charset=utf-8; component={kind.name.lower()}" for kind in ComponentKind}


_COMMON = 4096
"""Clients ask the same few questions again and again: short bodies are read once (results are immutable)."""
_propfind_of = lru_cache(maxsize=512)(parse_propfind)
_report_of = lru_cache(maxsize=512)(parse_report)


async def options(call: Call) -> Response:
    """What can be done here; never refused for what does not exist yet, so that clients can probe (RFC 9110 §9.3.7)."""
    return Response(200, descriptions.headers_for(call.location))


async def get(call: Call) -> Response:
    """A calendar object as the bytes that were put; a calendar as one .ics of everything in it."""
    if call.location.place is Place.COLLECTION:
        return await _get_calendar(call)
    resource = await open_resource(call.ctx, call.location, with_text=True)
    meta = resource.meta
    if meta is None or resource.text is None:
        return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, _welcome(resource).encode())
    headers = {
        "ETag": f'"{meta.etag}"',
        "Last-Modified": values.render_http_date(meta.modified_at),
        "Content-Type": _CONTENT_TYPES[meta.component],
    }
    conditions = parse_if_headers(call.request.headers)
    conditions.check_match(meta.etag, modified_at=meta.modified_at)
    if conditions.not_modified(meta.etag):
        return Response(304, headers)
    return Response(200, headers, resource.text)


def _welcome(resource: Resource) -> str:
    return f"This is a {resource.kind.value} of a CalDAV server; open it with a calendar client.\n"


async def _get_calendar(call: Call) -> Response:
    resource = await open_resource(call.ctx, call.location)
    calendar = resource.calendar
    assert calendar is not None  # noqa: S101 - a collection always has its row
    joiner = Joiner(calendar.display_name or calendar.name)

    async def body() -> AsyncIterator[bytes]:
        yield joiner.begin()
        after = 0
        seen: set[bytes] = set()  # what changes meanwhile comes by again under its new number
        while page := await _page(call, calendar, after):
            yield b"".join(joiner.add(each.data) for each in page if each.meta.object_id not in seen)
            seen.update(each.meta.object_id for each in page)
            after = page[-1].meta.seq
        yield joiner.end()

    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, body())


async def _page(call: Call, calendar: Calendar, after: int) -> list[CalendarObject]:
    return await call.ctx.db.read(
        lambda tx: stored_objects.page(tx, calendar.principal_id, calendar.calendar_id, after=after)
    )


async def propfind(call: Call) -> Response:
    """RFC 4918 §9.1; Depth infinity is refused on collections, as the RFC provides."""
    depth = parse_depth(call.request.headers.get("Depth"), Depth.INFINITY)
    resource = await open_resource(call.ctx, call.location)
    body = await call.body()
    if depth is Depth.INFINITY and resource.kind is not Kind.OBJECT:
        raise Refusal(Condition.PROPFIND_FINITE_DEPTH, "Ask with Depth 0 or 1.")
    plan = Plan(_propfind_of(body) if len(body) <= _COMMON else parse_propfind(body), call.view, call.minimal)
    if depth is Depth.ZERO or resource.kind is Kind.OBJECT:
        needs = plan.needs()
        await fill(call.ctx, [resource], needs)
        if resource.kind is Kind.CALENDAR and resource.calendar is not None and needs <= {"dead"}:
            call.depends_on = state_of(resource.calendar, resource.accounts_version)
        return whole([plan.response(resource)])
    if call.prefer.depth_noroot:
        call.applied.append("depth-noroot")
    below = await children(call.ctx, resource)
    listed = below if call.prefer.depth_noroot else [resource, *below]
    await fill(call.ctx, listed, plan.needs())
    head = [plan.response(each) for each in listed]
    if resource.calendar is None:
        return whole(head)
    return await _listing(call, plan, resource, resource.calendar, head)


async def _listing(call: Call, plan: Plan, resource: Resource, calendar: Calendar, head: list[str]) -> Response:
    """The members of a calendar as one snapshot saw them; their rows are small, what is written of them streams."""
    rows = await call.ctx.db.read(
        lambda tx: stored_changes.rows(tx, calendar.principal_id, calendar.calendar_id, 0, floor=FOREVER)
    )

    async def chunks() -> AsyncIterator[Texts]:
        yield head
        async for texts in member_chunks(call, plan, resource, rows):
            yield texts

    if len(rows) <= queries.BATCH:
        return whole([text async for texts in chunks() for text in texts])
    return streamed(chunks())


async def report(call: Call) -> Response:
    """RFC 3253 §3.6: REPORTS decides who answers."""
    body = await call.body()
    resource = await open_resource(call.ctx, call.location)
    access.require(resource.access, Access.FREE_BUSY, resource.href)
    parsed = _report_of(body) if len(body) <= _COMMON else parse_report(body)
    row = reports.require_supported(parsed, resource.kind)
    return await row.answer(call, resource, parsed)
