"""sync-collection (RFC 6578): what changed below a collection since a token, in the order of its changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from caldav_server.calendaring import access, queries
from caldav_server.dav import paths
from caldav_server.dav.answers import Plan, Texts, streamed, whole
from caldav_server.dav.call import Call
from caldav_server.dav.members import dead_names, member_chunks
from caldav_server.dav.remembered import state_of
from caldav_server.dav.resources import Kind, Resource, children, collection_resource, fill
from caldav_server.dav.tokens import SyncToken, parse_token, render_token
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.headers import Depth
from protocol.dav.hrefs import encode_segment
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, Seq
from storage import calendars as stored_calendars
from storage import changes as stored_changes
from storage import principals as stored_principals
from storage.changes import ChangeRow
from storage.database import Transaction


async def collection(call: Call, resource: Resource, body: reports.SyncCollection) -> Response:
    """RFC 6578 §3.2; "infinite" is taken on a calendar, where it means the same, and refused on a home (§3.3)."""
    access.require(resource.access, Access.READ, resource.href)
    if call.depth is Depth.INFINITY and body.level is not None:
        raise Refusal(Condition.BAD_REQUEST, "sync-collection is asked with Depth 0; sync-level says how deep it goes.")
    limit = min(call.sync_page, body.limit or call.sync_page)
    level = body.level if body.level is not None else call.depth
    if resource.kind is Kind.HOME:
        if level is Depth.INFINITY:
            raise Refusal(Condition.SUPPORTED_REPORT, "A home is synchronised one level at a time.")
        return await _home(call, resource, body, limit)
    return await _calendar(call, resource, body, limit)


async def _calendar(call: Call, resource: Resource, body: reports.SyncCollection, limit: int) -> Response:
    calendar = resource.calendar
    assert calendar is not None  # noqa: S101 - the table lets only calendars in
    pid, cid = calendar.principal_id, calendar.calendar_id

    def work(tx: Transaction) -> tuple[Calendar, SyncToken, list[ChangeRow]]:
        """Token, rows and limit in one snapshot."""
        now = stored_calendars.get(tx, pid, cid)
        if now is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")
        token = parse_token(
            body.token, epoch=call.view.epoch, collection_id=cid, seq=now.seq, min_valid_seq=now.min_valid_seq
        )
        return now, token, stored_changes.rows(tx, pid, cid, token.seq, limit + 1, token.floor)

    now, token, changed = await call.ctx.db.read(work)
    more = len(changed) > limit
    changed = changed[:limit]
    reached = changed[-1][1] if more else now.seq
    floor = token.floor if more and token.floor > reached else Seq(0)
    tail = _tail(resource, more, render_token(call.view.epoch, cid, reached, floor))
    plan = Plan(body.wanted, call.view, call.minimal)
    if dead_names(plan) == []:
        call.depends_on = state_of(now, resource.accounts_version)
    chunks = _changes(call, plan, resource, changed)
    if len(changed) <= queries.BATCH:
        return whole([text async for texts in chunks for text in texts], tail)
    return streamed(chunks, tail)


async def _changes(call: Call, plan: Plan, resource: Resource, changed: Sequence[ChangeRow]) -> AsyncIterator[Texts]:
    base = resource.href
    gone = [multistatus.response_status(f"{base}{encode_segment(row[0])}", 404) for row in changed if row[2] is None]
    if gone:
        yield gone
    live = [row for row in changed if row[2] is not None]
    async for texts in member_chunks(call, plan, resource, live):
        yield texts


def _tail(resource: Resource, more: bool, token: str) -> str:
    truncated = ""
    if more:
        truncated = multistatus.response_status(resource.href, 507, Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS)
    return truncated + multistatus.sync_token(token)


async def _home(call: Call, resource: Resource, body: reports.SyncCollection, limit: int) -> Response:
    """The collections of a home that were made, changed or removed; changes inside a calendar are the calendar's."""
    owner = resource.owner
    assert owner is not None  # noqa: S101 - a home always has an owner
    await children(call.ctx, resource)  # makes what must always be there, before the token is read

    def work(tx: Transaction) -> tuple[Seq, SyncToken, list[tuple[str, Seq, bool]], list[Calendar]]:
        """Token, changes and what is there now, in one snapshot."""
        now = stored_principals.get(tx, owner.principal_id)
        if now is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such principal.")
        token = parse_token(
            body.token,
            epoch=call.view.epoch,
            collection_id=owner.principal_id,
            seq=now.home_seq,
            min_valid_seq=stored_principals.min_valid_home_seq(tx, owner.principal_id),
        )
        changes = stored_changes.home_since(tx, owner.principal_id, token.seq, limit + 1, token.floor)
        return now.home_seq, token, changes, stored_calendars.of_home(tx, owner.principal_id)

    seq, token, changed, there = await call.ctx.db.read(work)
    more = len(changed) > limit
    changed = changed[:limit]
    reached = changed[-1][1] if more else seq
    floor = token.floor if more and token.floor > reached else Seq(0)
    plan = Plan(body.wanted, call.view, call.minimal)
    by_name = {each.name: collection_resource(owner, each, resource.access) for each in there}
    present = [by_name[name] for name, _, removed in changed if not removed]
    await fill(call.ctx, present, plan.needs())
    gone = [
        multistatus.response_status(paths.collection_href(owner.name, name), 404)
        for name, _, removed in changed
        if removed
    ]
    tail = _tail(resource, more, render_token(call.view.epoch, owner.principal_id, reached, floor))
    return whole([*gone, *(plan.response(each) for each in present)], tail)
