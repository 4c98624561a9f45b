"""calendar-multiget (RFC 4791 §7.9): the objects of given hrefs, each answered, in the order asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from caldav_server.calendaring import access, queries
from caldav_server.calendaring.texts import Allowance
from caldav_server.dav.answers import Plan, Texts, Withheld, answered
from caldav_server.dav.call import Call
from caldav_server.dav.members import MemberWriter, is_all_of_rows, writer_for
from caldav_server.dav.paths import Place
from caldav_server.dav.reports.calendar import STREAM_FROM, parent_of, renderer
from caldav_server.dav.resources import Kind, Resource, children
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.hrefs import encode_segment, is_plain
from protocol.errors import Refusal
from protocol.model import Access, CalendarObject, Seq
from storage.database import Transaction

_Later = Callable[[Transaction], str]
"""Makes the response of an object in a storage thread, once all before it are on their way."""


async def multiget(call: Call, resource: Resource, body: reports.CalendarMultiget) -> Response:
    """RFC 4791 §7.9; Depth is ignored."""
    access.require(resource.access, Access.READ, resource.href)
    wanted = _places(call, resource, body.hrefs)
    names = {place[0] for place in wanted.values() if place is not None}
    plan, allowance = Plan(body.wanted, call.view, call.minimal), Allowance()
    sources = {
        each.calendar.name: _Source(call, plan, body, each, allowance)
        for each in await _named(call, resource, names)
        if each.calendar
    }
    return await answered(_batches(call, wanted, sources), resource.href, few=len(wanted) <= STREAM_FROM)


async def _batches(
    call: Call, wanted: dict[str, tuple[str, str] | None], sources: dict[str, _Source]
) -> AsyncIterator[Texts]:
    items = list(wanted.items())
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
                texts, text = [], await call.ctx.db.read(text)
            texts.append(text)
        yield texts


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


async def _named(call: Call, resource: Resource, names: set[str]) -> list[Resource]:
    if resource.kind in (Kind.CALENDAR, Kind.INBOX):
        return [resource] if names else []
    if resource.kind is Kind.OBJECT:
        return [parent_of(resource)]
    return [each for each in await children(call.ctx, resource) if each.calendar and each.calendar.name in names]


class _Source:
    """Answers for the objects of one collection."""

    def __init__(
        self, call: Call, plan: Plan, body: reports.CalendarMultiget, collection: Resource, allowance: Allowance
    ) -> None:
        owner, calendar = collection.owner, collection.calendar
        assert owner is not None and calendar is not None  # noqa: S101 - a collection always has both
        self._call = call
        self._plan = plan
        self._collection = collection
        self._calendar = calendar
        self._render = renderer(
            plan, body.calendar_data, queries.zone_of(call.ctx, calendar, owner.time_zone), allowance
        )
        asked = body.calendar_data
        self._question = (collection.href, plan.ask.names, plan.minimal)
        self._remembers = is_all_of_rows(plan) and (asked is None or asked.is_verbatim)
        """Whether the same question has the same answer while the calendar stays as it is."""

    async def responses(self, names: Sequence[str]) -> dict[str, str | _Later]:
        """The responses of those objects that exist: made at once while they are small together, the others later.

        The small ones are of one snapshot: if the calendar moved on since the remembered ones were made, all are read.
        """
        elements, calendar = self._call.view.elements, self._calendar
        answers: dict[str, str | _Later] = {}
        if self._remembers:
            known = elements.of(calendar.calendar_id, calendar.seq, self._question)
            answers.update((name, known[name]) for name in names if name in known)
        unknown = [name for name in names if name not in answers] if answers else names
        if not unknown:
            return answers
        made, later, seq = await self._made(unknown)
        if answers and seq != calendar.seq:
            answers = {}
            made, later, seq = await self._made(names)
        if self._remembers:
            elements.keep(calendar.calendar_id, seq, self._question, made)
        return {**answers, **made, **later}

    async def _made(self, names: Sequence[str]) -> tuple[dict[str, str], dict[str, _Later], Seq]:
        write = await writer_for(self._call, self._plan, self._collection)
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

        _, large, seq = await queries.with_names(self._call.ctx, self._calendar, names, work)
        later.update((name, partial(self._fetch_later, write, name)) for name in large)
        return made, later, seq

    def _write(self, write: MemberWriter, found: CalendarObject) -> str:
        try:
            data = self._render(found, None)
        except Refusal as refusal:
            data = Withheld(refusal)  # each object that was asked for has its response (RFC 4791 §7.9)
        return write(found.meta, data)

    def _write_later(self, write: MemberWriter, found: CalendarObject, _tx: Transaction) -> str:
        return self._write(write, found)

    def _fetch_later(self, write: MemberWriter, name: str, tx: Transaction) -> str:
        found = queries.named(tx, self._calendar, name)
        if found is None:
            return multistatus.response_status(self._collection.href + encode_segment(name), 404)
        return self._write(write, found)
