"""COPY and MOVE of calendar objects and of calendars (RFC 4918 §9.8 and §9.9)."""

from __future__ import annotations

from caldav_server.calendaring import calendars, copy_move
from caldav_server.calendaring.opening import Slot
from caldav_server.dav.call import Call
from caldav_server.dav.paths import Location, Place
from caldav_server.dav.preconditions import precondition_for
from caldav_server.dav.resources import CalendarResource, ObjectResource, Resource, open_home, open_slot
from caldav_server.http.messages import Response
from protocol.dav.headers import Depth, parse_depth, parse_destination, parse_overwrite
from protocol.errors import Condition, Refusal


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
        goal = call.paths.parse(raw)
    except Refusal as refusal:
        if refusal.condition is not Condition.NOT_FOUND:
            raise
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "Nothing can be put at the destination.") from None
    source = await call.open()
    href = call.paths.href(goal)
    if href == source.href:
        raise Refusal(Condition.FORBIDDEN, "Source and destination are the same.")
    if isinstance(source, ObjectResource):
        created = await _transfer_object(call, source, goal, move=move, overwrite=overwrite)
    else:
        created = await _transfer_calendar(call, source, goal, move=move, overwrite=overwrite)
    return Response(201 if created else 204, {"Location": href} if created else {})


async def _transfer_object(call: Call, source: ObjectResource, goal: Location, *, move: bool, overwrite: bool) -> bool:
    if goal.place is not Place.OBJECT:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar object goes into a calendar.")
    destination = await open_slot(call.ctx, call.paths, goal)
    origin = Slot(source.opened.parent, source.meta.name, source.meta)
    check = await precondition_for(call, origin)
    return await copy_move.copy_object(
        call.ctx, origin, destination, move=move, overwrite=overwrite, precondition=check
    )


async def _transfer_calendar(call: Call, source: Resource, goal: Location, *, move: bool, overwrite: bool) -> bool:
    if not isinstance(source, CalendarResource):
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "This collection can neither be copied nor moved.")
    if goal.place is not Place.COLLECTION:
        raise Refusal(Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar lives directly in a calendar home.")
    depth = parse_depth(call.request.headers.get("Depth"), Depth.INFINITY)
    if depth is Depth.ONE or (move and depth is not Depth.INFINITY):
        raise Refusal(Condition.BAD_REQUEST, "This Depth makes no sense for a calendar.")
    check = await precondition_for(call, None, source)
    check(None)
    home = await open_home(call.ctx, call.paths, goal.principal)
    place = calendars.Destination(home, goal.collection)
    if move:
        return await calendars.move(call.ctx, source.opened, place, overwrite=overwrite)
    return await copy_move.copy_calendar(
        call.ctx, source.opened, place, overwrite=overwrite, with_members=depth is Depth.INFINITY
    )
