"""calendar-query, calendar-multiget and free-busy-query (RFC 4791 §7.8, §7.9, §7.10)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from caldav_server.calendaring import access, homes, queries
from caldav_server.calendaring.texts import Allowance, document_of
from caldav_server.dav import paths
from caldav_server.dav.answers import Data, Plan, Texts, Withheld, answered
from caldav_server.dav.call import Call
from caldav_server.dav.members import MemberWriter, writer_for
from caldav_server.dav.paths import Place
from caldav_server.dav.renderings import stored
from caldav_server.dav.resources import Kind, Resource, children
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.headers import Depth
from protocol.dav.hrefs import encode_segment, is_plain
from protocol.errors import Condition, Refusal
from protocol.ical import freebusy, rendering, timezones
from protocol.ical.components import PRODID
from protocol.ical.document import Document
from protocol.model import Access, CalendarObject
from storage.database import Transaction

_STREAM_FROM = queries.BATCH
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
        zone, _ = timezones.zone_of_timezone_text(body.timezone)
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
            render = _renderer(plan, job.body.calendar_data, job.query.zone, allowance)
            decide = queries.decider(job.query, allowance)
            for ids, check in ((found.certain, None), (found.doubtful, decide)):
                work = _member_work(write, render, check)
                assert job.collection.calendar is not None  # noqa: S101 - a collection always has its row
                async for texts in queries.in_batches(call.ctx, job.collection.calendar, ids, work):
                    if texts:
                        yield texts

    few = sum(len(found) for _, found in selected) <= _STREAM_FROM
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


def _renderer(
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


# --- calendar-multiget ---


async def multiget(call: Call, resource: Resource, body: reports.CalendarMultiget) -> Response:
    """RFC 4791 §7.9: the objects of given hrefs, each answered, in the order asked for; Depth is ignored."""
    plan = Plan(body.wanted, call.view, call.minimal)
    access.require(resource.access, Access.READ, resource.href)
    wanted = _places(call, resource, body.hrefs)
    by_collection: dict[str, list[str]] = {}
    for place in wanted.values():
        if place is not None:
            by_collection.setdefault(place[0], []).append(place[1])
    collections = {each.calendar.name: each for each in await _named(call, resource, by_collection) if each.calendar}

    chunks = _multiget_batches(call, plan, body, wanted, collections)
    return await answered(chunks, resource.href, few=len(wanted) <= _STREAM_FROM)


async def _multiget_batches(
    call: Call,
    plan: Plan,
    body: reports.CalendarMultiget,
    wanted: dict[str, tuple[str, str] | None],
    collections: dict[str, Resource],
) -> AsyncIterator[Texts]:
    items, allowance = list(wanted.items()), Allowance()
    for start in range(0, len(items), queries.BATCH):
        some = items[start : start + queries.BATCH]
        found: dict[tuple[str, str], str | _Later] = {}
        for name, collection in collections.items():
            of_this = [place[1] for _, place in some if place is not None and place[0] == name]
            if of_this:
                found.update(await _get_all(call, plan, body, collection, of_this, allowance))
        texts: list[str] = []
        for href, place in some:
            text = found.get(place) if place is not None else None
            if text is None:
                text = multistatus.response_status(href, 404)
            elif not isinstance(text, str):
                yield texts
                texts, text = [], await call.ctx.db.read(text)
            texts.append(text)
        yield texts


_Later = Callable[[Transaction], str]
"""Makes the response of an object in a storage thread, once all before it are on their way."""


def _places(call: Call, resource: Resource, hrefs: Sequence[str]) -> dict[str, tuple[str, str] | None]:
    """The collection and name that each href asks for; ``None``: it is not below the resource.

    Hrefs of one report mostly differ in their last segment alone: what is before it is looked at once.
    """
    places: dict[str, tuple[str, str] | None] = {}
    known: dict[str, str] = {}
    for href in hrefs:
        base, _, name = href.rpartition("/")
        alike = resource.meta is None and is_plain(name) and "?" not in base and "#" not in base
        collection = known.get(base) if alike else None
        place = _inside(call, resource, href) if collection is None else (collection, name)
        if place is not None and alike:
            known[base] = place[0]
        places[href] = place
    return places


def _inside(call: Call, resource: Resource, href: str) -> tuple[str, str] | None:
    """The collection and name an href asks for, if it lies below the resource; names compare decoded."""
    try:
        place = call.path_of(href)
    except Refusal:
        return None
    owner = resource.owner
    if place.place is not Place.OBJECT or owner is None or place.principal != owner.name:
        return None
    if resource.calendar is not None and place.collection != resource.calendar.name:
        return None
    if resource.meta is not None and place.name != resource.meta.name:
        return None
    return place.collection, place.name


async def _named(call: Call, resource: Resource, names: dict[str, list[str]]) -> list[Resource]:
    if resource.kind in (Kind.CALENDAR, Kind.INBOX):
        return [resource] if names else []
    if resource.kind is Kind.OBJECT:
        return [parent_of(resource)]
    return [each for each in await children(call.ctx, resource) if each.calendar and each.calendar.name in names]


async def _get_all(
    call: Call,
    plan: Plan,
    body: reports.CalendarMultiget,
    collection: Resource,
    names: list[str],
    allowance: Allowance,
) -> list[tuple[tuple[str, str], str | _Later]]:
    """The responses of those objects that exist: made at once while they are small together, the others later."""
    owner, calendar = collection.owner, collection.calendar
    assert owner is not None and calendar is not None  # noqa: S101 - a collection always has both
    writer = await writer_for(call, plan, collection)
    zone = queries.zone_of(call.ctx, calendar, owner.time_zone)
    render = _renderer(plan, body.calendar_data, zone, allowance)
    size = 0

    def write(found: CalendarObject, _tx: Transaction | None = None) -> str:
        try:
            data = render(found, None)
        except Refusal as refusal:
            data = Withheld(refusal)  # each object that was asked for has its response (RFC 4791 §7.9)
        return writer(found.meta, data)

    def work(found: CalendarObject) -> tuple[tuple[str, str], str | _Later]:
        nonlocal size
        place = (calendar.name, found.meta.name)
        if size >= queries.PIECE:
            return place, partial(write, found)
        text = write(found)
        size += len(text)
        return place, text

    def later(tx: Transaction, name: str) -> str:
        found = queries.named(tx, calendar, name)
        return (
            multistatus.response_status(collection.href + encode_segment(name), 404) if found is None else write(found)
        )

    made, large = await queries.with_names(call.ctx, calendar, names, work)
    return [*made, *(((calendar.name, name), partial(later, name=name)) for name in large)]


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
