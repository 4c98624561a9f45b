"""MKCOL, MKCALENDAR and PROPPATCH (RFC 4918 §9.2 and §9.3, RFC 5689, RFC 4791 §5.3.1)."""

from __future__ import annotations

from caldav_server.calendaring import calendars
from caldav_server.calendaring.access import AccessDenied
from caldav_server.dav import proppatch as instructions
from caldav_server.dav.answers import XML_HEADERS, buffered
from caldav_server.dav.call import Call
from caldav_server.dav.paths import Location, Place
from caldav_server.dav.preconditions import precondition_for
from caldav_server.dav.refusals import at_href
from caldav_server.dav.resources import CollectionResource, Kind, ObjectResource, OwnedResource, Resource, open_home
from caldav_server.http.messages import Response
from protocol.dav import multistatus, names
from protocol.dav.headers import parse_content_type
from protocol.dav.requests import MakeCollection, parse_mkcalendar, parse_mkcol, parse_proppatch
from protocol.errors import Condition, Refusal


async def mkcalendar(call: Call) -> Response:
    """RFC 4791 §5.3.1: make a calendar with its properties, or nothing at all."""
    body = await call.body()
    media = parse_content_type(call.request.headers.get("Content-Type"))
    if body.strip() and media is not None and not media.is_xml and not body.lstrip().startswith(b"<"):
        raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "The body of MKCALENDAR must be XML.")
    return await _make(call, parse_mkcalendar(body), names.caldav("mkcalendar-response"))


async def mkcol(call: Call) -> Response:
    """RFC 5689: only calendars can be made here, so that a plain MKCOL makes one too."""
    media = parse_content_type(call.request.headers.get("Content-Type"))
    wanted = parse_mkcol(await call.body(), media)
    types = wanted.resource_types
    if types is not None and not {names.COLLECTION, names.CALENDAR} >= set(types):
        raise Refusal(Condition.VALID_RESOURCETYPE, "Only calendars can be made here.")
    if types is not None and names.COLLECTION not in types:
        raise Refusal(Condition.VALID_RESOURCETYPE, "A calendar is a collection.")
    return await _make(call, wanted, names.dav("mkcol-response"))


async def _make(call: Call, wanted: MakeCollection, root: str) -> Response:
    place = call.location
    await _require_free(call, place)
    if place.place is not Place.COLLECTION:
        await _require_parent(call, place)
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar lives directly in a calendar home.")
    home = await open_home(call.ctx, call.paths, place.principal)
    (await precondition_for(call, None))(None)
    reading = instructions.read(wanted.properties, Kind.CALENDAR, creating=True, max_bytes=call.dead_property_bytes)
    if reading.refused:
        return Response(
            _worst(reading.statuses),
            dict(XML_HEADERS),
            multistatus.make_collection_response(root, _propstats(reading.statuses)),
        )
    href = call.paths.href(place)
    try:
        await calendars.create(call.ctx, home, place.collection, reading.changes())
    except AccessDenied as denied:
        raise at_href(denied, href) from None
    return Response(201, {"Location": href, "Cache-Control": "no-cache"})


async def _require_free(call: Call, place: Location) -> None:
    try:
        await call.open(place)
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND:
            return
        raise
    if call.request.method == "MKCOL":
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "There is already something at this address.")
    raise Refusal(Condition.RESOURCE_MUST_BE_NULL, "There is already something at this address.")


async def _require_parent(call: Call, place: Location) -> None:
    """RFC 4918 §9.3.1: 409 where the collection above is missing, which outranks what could be made in it."""
    if place.place is not Place.OBJECT:
        return
    try:
        await call.open(Location(Place.COLLECTION, place.principal, place.collection))
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND:
            raise Refusal(Condition.MISSING_PARENT, "There is no collection to make this in.") from None
        raise


async def proppatch(call: Call) -> Response:
    """RFC 4918 §9.2: all instructions or none; each is answered for itself."""
    wanted = parse_proppatch(await call.body())
    resource = await call.open()
    (await precondition_for(call, None, resource))(resource.meta if isinstance(resource, ObjectResource) else None)
    reading = instructions.read(wanted.instructions, resource.kind, creating=False, max_bytes=call.dead_property_bytes)
    if not reading.refused:
        await _store(call, resource, reading.changes())
        if call.prefer.minimal and not call.prefer.brief:
            call.applied.append("return=minimal")
            return Response(204)
    return buffered([multistatus.response_of(resource.href, _propstats(reading.statuses))])


async def _store(call: Call, resource: Resource, changes: calendars.PropertyChanges) -> None:
    if isinstance(resource, CollectionResource):
        await calendars.update(call.ctx, resource.opened, changes)
    elif isinstance(resource, OwnedResource):
        await calendars.update_dead(call.ctx, resource.opened, resource.resource_id, changes)
    else:
        raise Refusal(Condition.NEED_PRIVILEGES, "The properties of this resource cannot be changed.")


def _propstats(statuses: list[instructions.PropertyStatus]) -> str:
    """Refused instructions with their reasons; the others failed with them: 424 (RFC 4918 §9.2.1)."""
    failed = any(each.status != 200 for each in statuses)
    parts: list[str] = []
    fine = "".join(dict.fromkeys(names.empty(each.name) for each in statuses if each.status == 200))
    if fine:
        parts.append(multistatus.propstat(424 if failed else 200, fine))
    parts += [
        multistatus.propstat(each.status, names.empty(each.name), each.condition, each.message)
        for each in statuses
        if each.status != 200
    ]
    return "".join(parts)


def _worst(statuses: list[instructions.PropertyStatus]) -> int:
    """The status of a refused creation: RFC 5689 §3 lets the most severe outcome speak; 424 never does."""
    return max(each.status for each in statuses)
