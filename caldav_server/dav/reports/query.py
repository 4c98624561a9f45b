"""calendar-query (RFC 4791 §7.8): the objects that match a filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from caldav_server.calendaring import queries
from caldav_server.calendaring.opening import OpenCalendar
from caldav_server.calendaring.work_budget import RequestBudget, document_of
from caldav_server.dav.answers import Data, DataError, PropertyRequest, Texts, adaptive
from caldav_server.dav.caches.rendering_cache import escaped, is_short
from caldav_server.dav.call import Call
from caldav_server.dav.members import MemberWriter, writer_for
from caldav_server.dav.resources import (
    CalendarResource,
    CollectionResource,
    HomeResource,
    InboxResource,
    ObjectResource,
    collections,
    parent_of,
)
from caldav_server.http.messages import Response
from protocol.dav import reports
from protocol.dav.headers import Depth
from protocol.errors import Condition, Refusal
from protocol.ical import calendar_timezone, rendering, timezones
from protocol.ical.document import Document
from protocol.model import CalendarObject

STREAM_FROM = queries.BATCH
"""Answers of at most one batch are sent whole, with a Content-Length."""


WithObjects = CollectionResource | HomeResource | ObjectResource
"""What answers reports about calendar objects."""


async def query(call: Call, resource: WithObjects, body: reports.CalendarQuery) -> Response:
    """The objects that match, below the resource or the resource itself."""
    wanted = PropertyRequest(body.wanted, call.view, call.minimal)
    selected: list[tuple[CollectionResource, queries.Query, queries.Selection]] = []
    for collection in await _collections(call, resource):
        asked = _query_for(collection.opened, body)
        found = await queries.select(call.ctx, collection.opened, asked)
        if isinstance(resource, ObjectResource):
            found = found.only(resource.meta.object_id)
        selected.append((collection, asked, found))
    budget = RequestBudget()

    async def chunks() -> AsyncIterator[Texts]:
        for collection, asked, found in selected:
            write = await writer_for(call, wanted, collection)
            render = renderer(wanted, collection.opened, body.calendar_data, asked.zone, budget)
            decide = queries.decider(asked, budget)
            for ids, check in ((found.certain, None), (found.doubtful, decide)):
                work = _member_work(write, render, check)
                async for texts in queries.in_batches(call.ctx, collection.opened, ids, work):
                    if texts:
                        yield texts

    few = sum(len(found) for _, _, found in selected) <= STREAM_FROM
    return await adaptive(chunks(), resource.href, few=few)


def _query_for(opened: OpenCalendar, body: reports.CalendarQuery) -> queries.Query:
    if body.timezone is not None:
        zone, _ = calendar_timezone.parse(body.timezone)
    elif body.timezone_id is not None:
        found = timezones.resolve(body.timezone_id, None)
        if found is None:
            raise Refusal(Condition.VALID_TIMEZONE, "The server does not know this time zone.")
        zone = found
    else:
        zone = queries.zone_of(opened)
    return queries.Query(body.filter, zone)


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
    wanted: PropertyRequest,
    opened: OpenCalendar,
    asked: rendering.CalendarDataRequest | None,
    zone: timezones.Zone,
    budget: RequestBudget,
) -> Renderer:
    """What makes the calendar-data of a request out of objects of a calendar."""
    if not wanted.wants_data:
        return lambda _found, _document: None
    if asked is None or asked.is_verbatim:
        return lambda found, _document: escaped(found.data)
    question = (asked, zone)
    remembers = is_short(question)

    def render(found: CalendarObject, document: Document | None) -> Data:
        def make() -> str:
            with budget.for_object() as granted:
                text = rendering.render(found.data, lambda: document or document_of(found.data), asked, zone, granted)
            return escaped(text)

        try:
            if not remembers:
                return make()
            return wanted.view.renderings.get(opened.lens, found.meta.etag, question, make)
        except Refusal as refusal:
            if refusal.condition is Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS:
                raise  # the request has used up what it may cost, not this object
            return DataError(refusal)

    return render


async def _collections(call: Call, resource: WithObjects) -> list[CollectionResource]:
    """The calendars a report on this resource reaches, by its Depth (RFC 4791 §7.8: 0 is the default).

    Depth 0 on a calendar would ask about the collection itself, which is no calendar object: nothing matches.
    """
    if isinstance(resource, ObjectResource):
        return [parent_of(call.paths, resource)]
    if isinstance(resource, CalendarResource | InboxResource):
        return [resource] if call.depth is not Depth.ZERO else []
    if call.depth is not Depth.INFINITY or not isinstance(resource, HomeResource):
        return []
    return [each for each in await collections(call.ctx, call.paths, resource) if isinstance(each, CalendarResource)]
