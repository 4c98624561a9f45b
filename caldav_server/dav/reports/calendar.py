"""calendar-query and free-busy-query (RFC 4791 §7.8 and §7.10)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from caldav_server.calendaring import access, homes, queries
from caldav_server.calendaring.texts import Allowance, document_of
from caldav_server.dav import paths
from caldav_server.dav.answers import Data, Plan, Texts, Withheld, answered
from caldav_server.dav.call import Call
from caldav_server.dav.members import MemberWriter, writer_for
from caldav_server.dav.renderings import stored
from caldav_server.dav.resources import Kind, Resource, children
from caldav_server.http.messages import Response
from protocol.dav import reports
from protocol.dav.headers import Depth
from protocol.errors import Condition, Refusal
from protocol.ical import calendar_timezone, freebusy, rendering, timezones
from protocol.ical.components import PRODID
from protocol.ical.document import Document
from protocol.model import Access, CalendarObject

STREAM_FROM = queries.BATCH
"""Answers of at most one batch are sent whole, with a Content-Length."""


# --- calendar-query ---


async def query(call: Call, resource: Resource, body: reports.CalendarQuery) -> Response:
    """RFC 4791 §7.8: the objects that match a filter, below the resource or the resource itself."""
    plan = Plan(body.wanted, call.view, call.minimal)
    collections = await _collections(call, resource)
    return await _answer(call, plan, [_Job(each, _query_for(call, each, body), body) for each in collections], resource)


@dataclass(frozen=True, slots=True)
class _Job:
    """The part of a query that concerns one calendar."""

    collection: Resource
    query: queries.Query
    body: reports.CalendarQuery


def _query_for(call: Call, collection: Resource, body: reports.CalendarQuery) -> queries.Query:
    owner, calendar = collection.owner, collection.calendar
    assert owner is not None and calendar is not None  # noqa: S101 - a collection always has both
    if body.timezone is not None:
        zone, _ = calendar_timezone.parse(body.timezone)
    elif body.timezone_id is not None:
        found = timezones.resolve(body.timezone_id, None)
        if found is None:
            raise Refusal(Condition.VALID_TIMEZONE, "The server does not know this time zone.")
        zone = found
    else:
        zone = queries.zone_of(call.ctx, calendar, owner.time_zone)
    return queries.Query(body.filter, zone)


async def _answer(call: Call, plan: Plan, jobs: Sequence[_Job], resource: Resource) -> Response:
    selected: list[tuple[_Job, queries.Selection]] = []
    for job in jobs:
        assert job.collection.calendar is not None  # noqa: S101 - a collection always has its row
        found = await queries.select(call.ctx, job.collection.calendar, job.query)
        selected.append((job, found if resource.meta is None else found.only(resource.meta.object_id)))
    allowance = Allowance()

    async def chunks() -> AsyncIterator[Texts]:
        for job, found in selected:
            write = await writer_for(call, plan, job.collection)
            render = renderer(plan, job.body.calendar_data, job.query.zone, allowance)
            decide = queries.decider(job.query, allowance)
            for ids, check in ((found.certain, None), (found.doubtful, decide)):
                work = _member_work(write, render, check)
                assert job.collection.calendar is not None  # noqa: S101 - a collection always has its row
                async for texts in queries.in_batches(call.ctx, job.collection.calendar, ids, work):
                    if texts:
                        yield texts

    few = sum(len(found) for _, found in selected) <= STREAM_FROM
    return await answered(chunks(), resource.href, few=few)


Renderer = Callable[[CalendarObject, Document | None], Data]
"""Calendar-data of a stored object; its document too, where it was parsed already."""


def _member_work(
    write: MemberWriter, render: Renderer, decide: Callable[[Document], bool] | None
) -> Callable[[CalendarObject], str | None]:
    """What is done to each candidate in the storage thread: decide it if the index could not, render, write."""

    def work(found: CalendarObject) -> str | None:
        document: Document | None = None
        if decide is not None:
            document = document_of(found.data)
            if not decide(document):
                return None
        return write(found.meta, render(found, document))

    return work


def renderer(
    plan: Plan, asked: rendering.CalendarDataRequest | None, zone: timezones.Zone, allowance: Allowance
) -> Renderer:
    if not plan.wants_data:
        return lambda _found, _document: None
    if asked is None or asked.is_verbatim:
        return lambda found, _document: stored(found.data)
    question = (asked, zone)

    def render(found: CalendarObject, document: Document | None) -> Data:
        def make() -> str:
            with allowance.budget() as budget:
                text = rendering.render(found.data, lambda: document or document_of(found.data), asked, zone, budget)
            return stored(text)

        try:
            return plan.view.renderings.get(found.meta.etag, question, make)
        except Refusal as refusal:
            if refusal.condition is Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS:
                raise  # the request has used up what it may cost, not this object
            return Withheld(refusal)

    return render


async def _collections(call: Call, resource: Resource) -> list[Resource]:
    """The calendars a report on this resource reaches, by its Depth (RFC 4791 §7.8: 0 is the default).

    Depth 0 on a calendar would ask about the collection itself, which is no calendar object: nothing matches.
    """
    access.require(resource.access, Access.READ, resource.href)
    if resource.kind in (Kind.CALENDAR, Kind.INBOX):
        return [resource] if call.depth is not Depth.ZERO else []
    if resource.kind is Kind.OBJECT:
        return [parent_of(resource)]
    if call.depth is not Depth.INFINITY:
        return []
    return [each for each in await children(call.ctx, resource) if each.kind is Kind.CALENDAR]


def parent_of(resource: Resource) -> Resource:
    """The calendar that holds an object."""
    owner, calendar = resource.owner, resource.calendar
    assert owner is not None and calendar is not None  # noqa: S101 - an object always has both
    return Resource(Kind.CALENDAR, paths.collection_href(owner.name, calendar.name), resource.access, owner, calendar)


# --- free-busy-query ---


async def free_busy(call: Call, resource: Resource, body: reports.FreeBusyQuery) -> Response:
    """RFC 4791 §7.10: one VFREEBUSY for everything the resource contains; not a multistatus."""
    access.require(resource.access, Access.FREE_BUSY, resource.href)
    owner = resource.owner
    assert owner is not None  # noqa: S101 - the table lets only owned resources in
    if resource.kind is Kind.HOME:
        collections = [each for each in await homes.collections(call.ctx, owner) if call.depth is Depth.INFINITY]
    else:
        collections = [resource.calendar] if resource.calendar is not None else []
    first = resource.calendar or await homes.find_collection(call.ctx, owner, homes.DEFAULT_CALENDAR)
    assert first is not None  # noqa: S101 - the default calendar is always there
    zone = queries.zone_of(call.ctx, first, owner.time_zone)
    periods = await queries.free_busy(call.ctx, collections, body.range, zone)
    text = freebusy.render_freebusy(periods, body.range, now=call.ctx.now, uid=call.request.request_id, prodid=PRODID)
    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, text)
