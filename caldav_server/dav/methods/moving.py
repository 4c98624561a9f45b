"""COPY and MOVE of calendar objects and of calendars (RFC 4918 §9.8 and §9.9)."""

from __future__ import annotations

from caldav_server.calendaring import calendars, copying, objects, transfers
from caldav_server.dav import paths
from caldav_server.dav.call import Call
from caldav_server.dav.methods.writing import home_at, target_at, target_in
from caldav_server.dav.paths import Location, Place
from caldav_server.dav.preconditions import precondition_for
from caldav_server.dav.resources import Kind, Resource, open_resource
from caldav_server.http.messages import Response
from protocol.dav.headers import Depth, parse_depth, parse_destination, parse_overwrite
from protocol.errors import Condition, Detail, Refusal


async def copy(call: Call) -> Response:
    """RFC 4918 §9.8."""
    return await _transfer(call, move=False)


async def move(call: Call) -> Response:
    """RFC 4918 §9.9; inside one home it is one transaction, so that no synchronisation sees half of it."""
    return await _transfer(call, move=True)


async def _transfer(call: Call, *, move: bool) -> Response:
    headers = call.request.headers
    raw = parse_destination(headers.get("Destination"), scheme=call.request.scheme, authority=call.request.authority)
    overwrite = parse_overwrite(headers.get("Overwrite"))
    try:
        goal = paths.parse(raw)
    except Refusal as refusal:
        if refusal.condition is not Condition.NOT_FOUND:
            raise
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "Nothing can be put at the destination.") from None
    source = await open_resource(call.ctx, call.location)
    if paths.href(goal) == source.href:
        raise Refusal(Condition.FORBIDDEN, "Source and destination are the same.")
    if source.kind is Kind.OBJECT:
        created = await _transfer_object(call, source, goal, move=move, overwrite=overwrite)
    else:
        created = await _transfer_calendar(call, source, goal, move=move, overwrite=overwrite)
    return Response(201 if created else 204, {"Location": paths.href(goal)} if created else {})


async def _transfer_object(call: Call, source: Resource, goal: Location, *, move: bool, overwrite: bool) -> bool:
    if goal.place is not Place.OBJECT:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar object goes into a calendar.")
    destination = await target_at(call, goal)
    origin = target_in(source, call.location.name)
    check = await precondition_for(call, origin)
    try:
        return await transfers.transfer(
            call.ctx, origin, destination, move=move, overwrite=overwrite, precondition=check
        )
    except objects.UidConflict as conflict:
        owner, calendar = destination.owner, destination.calendar
        href = paths.object_href(owner.name, calendar.name, conflict.name)
        raise Refusal(conflict.condition, conflict.message, Detail(href)) from None


async def _transfer_calendar(call: Call, source: Resource, goal: Location, *, move: bool, overwrite: bool) -> bool:
    if source.kind is not Kind.CALENDAR or source.calendar is None:
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "This collection can neither be copied nor moved.")
    if goal.place is not Place.COLLECTION:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar lives directly in a calendar home.")
    depth = parse_depth(call.request.headers.get("Depth"), Depth.INFINITY)
    if depth is Depth.ONE or (move and depth is not Depth.INFINITY):
        raise Refusal(Condition.BAD_REQUEST, "This Depth makes no sense for a calendar.")
    check = await precondition_for(call, None, source)
    check(None)
    home = await home_at(call, goal.principal)
    assert home.owner is not None  # noqa: S101 - a home always has an owner
    place = calendars.Place(home.owner, goal.collection, home.access, paths.href(goal))
    if move:
        return await calendars.move(call.ctx, source.calendar, source.access, source.href, place, overwrite=overwrite)
    return await copying.copy(
        call.ctx, source.calendar, source.access, place, overwrite=overwrite, with_members=depth is Depth.INFINITY
    )
