"""sync-collection (RFC 6578): what changed below a collection since a token, in the order of its changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from caldav_server.calendaring import queries, sync
from caldav_server.calendaring.polling import state_of
from caldav_server.calendaring.sync import ChangeRow
from caldav_server.dav.answers import PropertyRequest, Texts, buffered, streaming
from caldav_server.dav.call import Call
from caldav_server.dav.members import dead_names, member_chunks
from caldav_server.dav.resources import CalendarResource, HomeResource, collection_resource, prefetch
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.headers import Depth
from protocol.dav.hrefs import encode_segment
from protocol.errors import Condition, Refusal


async def collection(call: Call, resource: CalendarResource | HomeResource, body: reports.SyncCollection) -> Response:
    """RFC 6578 §3.2; "infinite" is taken on a calendar, where it means the same, and refused on a home (§3.3)."""
    if call.depth is Depth.INFINITY and body.level is not None:
        raise Refusal(Condition.BAD_REQUEST, "sync-collection is asked with Depth 0; sync-level says how deep it goes.")
    limit = min(call.sync_page, body.limit or call.sync_page)
    level = body.level if body.level is not None else call.depth
    if isinstance(resource, CalendarResource):
        return await _calendar(call, resource, body, limit)
    if level is Depth.INFINITY:
        raise Refusal(Condition.SUPPORTED_REPORT, "A home is synchronised one level at a time.")
    return await _home(call, resource, body, limit)


async def _calendar(call: Call, resource: CalendarResource, body: reports.SyncCollection, limit: int) -> Response:
    changes = await sync.changes_of_calendar(call.ctx, resource.opened, body.token, limit)
    wanted = PropertyRequest(body.wanted, call.view, call.minimal)
    if dead_names(wanted) == []:
        call.depends_on = state_of(resource.opened, changes.calendar)
    chunks = _changes(call, wanted, resource, changes.rows)
    tail = _tail(resource.href, changes.token, more=changes.more)
    if len(changes.rows) <= queries.BATCH:
        return buffered([text async for texts in chunks for text in texts], tail)
    return streaming(chunks, tail)


async def _changes(
    call: Call, wanted: PropertyRequest, resource: CalendarResource, changed: Sequence[ChangeRow]
) -> AsyncIterator[Texts]:
    gone = [
        multistatus.response_status(f"{resource.href}{encode_segment(row[0])}", 404)
        for row in changed
        if row[2] is None
    ]
    if gone:
        yield gone
    live = [row for row in changed if row[2] is not None]
    async for texts in member_chunks(call, wanted, resource, live):
        yield texts


def _tail(href: str, token: str, *, more: bool) -> str:
    truncated = ""
    if more:
        truncated = multistatus.response_status(href, 507, Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS)
    return truncated + multistatus.sync_token(token)


async def _home(call: Call, resource: HomeResource, body: reports.SyncCollection, limit: int) -> Response:
    changes = await sync.changes_of_home(call.ctx, resource.opened, body.token, limit)
    wanted = PropertyRequest(body.wanted, call.view, call.minimal)
    present = [collection_resource(call.paths, each) for each in changes.present]
    await prefetch(call.ctx, present, wanted.needs())
    owner = resource.owner.name
    gone = [multistatus.response_status(call.paths.collection(owner, name), 404) for name in changes.removed]
    tail = _tail(resource.href, changes.token, more=changes.more)
    return buffered([*gone, *(wanted.response(each) for each in present)], tail)
