"""calendar-multiget (RFC 4791 §7.9): the objects of given hrefs, each answered, in the order asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from caldav_server.calendaring import queries
from caldav_server.calendaring.work_budget import RequestBudget
from caldav_server.dav.answers import DataError, PropertyRequest, Texts, adaptive
from caldav_server.dav.call import Call
from caldav_server.dav.members import MemberWriter, is_all_of_rows, writer_for
from caldav_server.dav.paths import Place
from caldav_server.dav.reports.query import STREAM_FROM, WithObjects, renderer
from caldav_server.dav.resources import CollectionResource, HomeResource, ObjectResource, collections, parent_of
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.hrefs import encode_segment, is_plain
from protocol.errors import Refusal
from protocol.model import CalendarObject, Seq

_Later = Callable[[], Awaitable[str]]
"""Makes the response of an object once all before it are on their way."""


async def multiget(call: Call, resource: WithObjects, body: reports.CalendarMultiget) -> Response:
    """RFC 4791 §7.9; Depth is ignored."""
    places = _places(call, resource, body.hrefs)
    names = {place[0] for place in places.values() if place is not None}
    wanted, budget = PropertyRequest(body.wanted, call.view, call.minimal), RequestBudget()
    sources = {
        each.opened.binding.name: _Source(call, wanted, body, each, budget)
        for each in await _named(call, resource, names)
    }
    return await adaptive(_batches(places, sources), resource.href, few=len(places) <= STREAM_FROM)


async def _batches(places: dict[str, tuple[str, str] | None], sources: dict[str, _Source]) -> AsyncIterator[Texts]:
    items = list(places.items())
    for start in range(0, len(items), queries.BATCH):
        some = items[start : start + queries.BATCH]
        found: dict[str, dict[str, str | _Later]] = {}
        for collection, source in sources.items():
            found[collection] = await source.responses(
                [place[1] for _, place in some if place and place[0] == collection]
            )
        texts: list[str] = []
        for href, place in some:
            text = found.get(place[0], {}).get(place[1]) if place else None
            if text is None:
                text = multistatus.response_status(href, 404)
            elif not isinstance(text, str):
                yield texts
                texts, text = [], await text()
            texts.append(text)
        yield texts


def _places(call: Call, resource: WithObjects, hrefs: Sequence[str]) -> dict[str, tuple[str, str] | None]:
    """The collection and name that each href asks for; ``None``: it is not below the resource.

    Hrefs of one report mostly differ in their last segment alone: what is before it is looked at once.
    """
    places: dict[str, tuple[str, str] | None] = {}
    known: dict[str, str] = {}
    for href in hrefs:
        base, _, name = href.rpartition("/")
        alike = not isinstance(resource, ObjectResource) and is_plain(name) and "?" not in base and "#" not in base
        collection = known.get(base) if alike else None
        place = _inside(call, resource, href) if collection is None else (collection, name)
        if place is not None and alike:
            known[base] = place[0]
        places[href] = place
    return places


def _inside(call: Call, resource: WithObjects, href: str) -> tuple[str, str] | None:
    """The collection and name an href asks for, if it lies below the resource; names compare decoded."""
    try:
        place = call.path_of(href)
    except Refusal:
        return None
    if place.place is not Place.OBJECT or place.principal != resource.owner.name:
        return None
    if isinstance(resource, ObjectResource) and place.name != resource.meta.name:
        return None
    if not isinstance(resource, HomeResource):
        parent = resource.opened.parent if isinstance(resource, ObjectResource) else resource.opened
        if place.collection != parent.binding.name:
            return None
    return place.collection, place.name


async def _named(call: Call, resource: WithObjects, names: set[str]) -> list[CollectionResource]:
    if isinstance(resource, ObjectResource):
        return [parent_of(call.paths, resource)]
    if isinstance(resource, CollectionResource):
        return [resource] if names else []
    return [each for each in await collections(call.ctx, call.paths, resource) if each.opened.binding.name in names]


class _Source:
    """Answers for the objects of one collection."""

    def __init__(
        self,
        call: Call,
        wanted: PropertyRequest,
        body: reports.CalendarMultiget,
        collection: CollectionResource,
        budget: RequestBudget,
    ) -> None:
        self._call = call
        self._wanted = wanted
        self._collection = collection
        self._opened = collection.opened
        asked = body.calendar_data
        self._render = renderer(wanted, self._opened, asked, queries.zone_of(self._opened), budget)
        self._question = (collection.href, wanted.ask.names, wanted.minimal)
        self._remembers = is_all_of_rows(wanted) and (asked is None or asked.is_verbatim)
        """Whether the same question has the same answer while the calendar stays as it is."""

    async def responses(self, names: Sequence[str]) -> dict[str, str | _Later]:
        """The responses of those objects that exist: made at once while they are small together, the others later.

        The small ones are of one snapshot: if the calendar moved on since the remembered ones were made, all are read.
        """
        cache, lens, calendar = self._call.view.object_responses, self._opened.lens, self._opened.calendar
        answers: dict[str, str | _Later] = {}
        if self._remembers:
            known = cache.get(lens, calendar.calendar_id, calendar.seq, self._question)
            answers.update((name, known[name]) for name in names if name in known)
        unknown = [name for name in names if name not in answers] if answers else names
        if not unknown:
            return answers
        made, later, seq = await self._made(unknown)
        if answers and seq != calendar.seq:
            answers = {}
            made, later, seq = await self._made(names)
        if self._remembers:
            cache.keep(lens, calendar.calendar_id, seq, self._question, made)
        return {**answers, **made, **later}

    async def _made(self, names: Sequence[str]) -> tuple[dict[str, str], dict[str, _Later], Seq]:
        write = await writer_for(self._call, self._wanted, self._collection)
        made: dict[str, str] = {}
        later: dict[str, _Later] = {}
        size = 0

        def work(found: CalendarObject) -> None:
            nonlocal size
            if size >= queries.PIECE:
                later[found.meta.name] = partial(self._write_later, write, found)
                return
            text = made[found.meta.name] = self._write(write, found)
            size += len(text)

        _, large, seq = await queries.with_names(self._call.ctx, self._opened, names, work)
        later.update((name, partial(self._fetch_later, write, name)) for name in large)
        return made, later, seq

    def _write(self, write: MemberWriter, found: CalendarObject) -> str:
        try:
            data = self._render(found, None)
        except Refusal as refusal:
            data = DataError(refusal)  # each object that was asked for has its response (RFC 4791 §7.9)
        return write(found.meta, data)

    async def _write_later(self, write: MemberWriter, found: CalendarObject) -> str:
        return await queries.in_thread(self._call.ctx, partial(self._write, write, found))

    async def _fetch_later(self, write: MemberWriter, name: str) -> str:
        text = await queries.with_name(self._call.ctx, self._opened, name, partial(self._write, write))
        if text is None:
            return multistatus.response_status(self._collection.href + encode_segment(name), 404)
        return text
