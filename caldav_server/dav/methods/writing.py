"""PUT, POST (add-member) and DELETE (RFC 4791 §5.3.2, RFC 5995, RFC 4918 §9.6)."""

from __future__ import annotations

from dataclasses import replace

from caldav_server.calendaring import calendars, objects
from caldav_server.dav import paths
from caldav_server.dav.call import Call
from caldav_server.dav.paths import Location, Place
from caldav_server.dav.preconditions import precondition_for
from caldav_server.dav.resources import Kind, Resource, open_resource
from caldav_server.http.messages import Response
from protocol.dav.headers import Depth, parse_content_type, parse_depth
from protocol.errors import Condition, Detail, Refusal
from protocol.ical.compat.charsets import transcode
from protocol.model import CalendarKind, CalendarObject
from storage import objects as stored_objects
from storage.ids import new_id


async def put(call: Call) -> Response:
    """Create or replace a calendar object (RFC 4791 §5.3.2)."""
    target = await target_at(call, call.location)
    try:
        return await _store(call, target, await precondition_for(call, target))
    except Refusal as refusal:
        if refusal.condition is Condition.PRECONDITION_FAILED and call.prefer.representation:
            current = await _current(call, target)
            if current is not None:
                return Response(412, _describe(call, target, current), current.data)
        raise


async def post(call: Call) -> Response:
    """Add a member under a name the server picks (RFC 5995 §3)."""
    resource = await open_resource(call.ctx, call.location)
    if resource.kind is not Kind.CALENDAR:
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "Nothing can be posted here.")
    name = f"{new_id().hex()}.ics"
    target = target_in(resource, name)
    answer = await _store(call, target, lambda _existing: None)
    answer.headers["Location"] = target.href
    return answer


async def _store(call: Call, target: objects.Target, precondition: objects.Precondition) -> Response:
    if target.calendar.kind is not CalendarKind.CALENDAR:
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "Calendar objects are stored in calendars only.")
    if "Content-Range" in call.request.headers:
        raise Refusal(Condition.BAD_REQUEST, "A part of an object cannot be stored (RFC 9110 §14.5).")
    media = parse_content_type(call.request.headers.get("Content-Type"))
    if media is not None and media.media_type != "text/calendar":
        raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, "Calendars take text/calendar only.")
    body = await call.request.read(call.ctx.rules.limits.size)
    data, transcoded = transcode(body, media.charset if media is not None else None)
    try:
        result = await objects.put(
            call.ctx,
            target,
            data,
            precondition=precondition,
            strict=call.prefer.strict,
            repeatable="If-None-Match" not in call.request.headers,
        )
    except objects.UidConflict as conflict:
        owner, calendar = target.owner, target.calendar
        href = paths.object_href(owner.name, calendar.name, conflict.name)
        raise Refusal(conflict.condition, conflict.message, Detail(href)) from None
    result = replace(result, altered=result.altered or data is not body, repairs=(*transcoded, *result.repairs))
    return await _stored_response(call, target, result)


async def _stored_response(call: Call, target: objects.Target, result: objects.Stored) -> Response:
    headers: dict[str, str] = {}
    if result.repairs:
        headers["X-Calendar-Repairs"] = ", ".join(result.repairs)
        call.request.log["repairs"] = result.repairs
    if call.prefer.strict:
        call.applied.append("handling=strict")
    if call.prefer.representation:
        stored = await _current(call, target)
        if stored is not None:
            headers |= _describe(call, target, stored)
            return Response(201 if result.created else 200, headers, stored.data)
    if not result.altered:
        headers["ETag"] = f'"{result.etag}"'
    return Response(201 if result.created else 204, headers)


async def _current(call: Call, target: objects.Target) -> CalendarObject | None:
    return await call.ctx.db.point(
        lambda tx: stored_objects.find(tx, target.calendar.principal_id, target.calendar.calendar_id, target.name)
    )


def _describe(call: Call, target: objects.Target, stored: CalendarObject) -> dict[str, str]:
    """The headers of an answer that carries what is stored now (RFC 7240 §4.2, RFC 8144 §3)."""
    call.applied.append("return=representation")
    return {
        "ETag": f'"{stored.meta.etag}"',
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Location": target.href,
    }


async def delete(call: Call) -> Response:
    """Remove an object or a calendar; the collections that are always there are emptied (RFC 4918 §9.6)."""
    if call.location.place is Place.OBJECT:
        target = await target_at(call, call.location)
        await objects.remove(call.ctx, target, precondition=await precondition_for(call, target))
        return Response(204)
    resource = await open_resource(call.ctx, call.location)
    if parse_depth(call.request.headers.get("Depth"), Depth.INFINITY) is not Depth.INFINITY:
        raise Refusal(Condition.BAD_REQUEST, "A calendar is deleted with Depth infinity only.")
    if resource.calendar is None:
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "This collection cannot be deleted.")
    (await precondition_for(call, None, resource))(None)
    await calendars.remove(call.ctx, resource.calendar, resource.access, resource.href)
    return Response(204)


async def target_at(call: Call, location: Location) -> objects.Target:
    """The name in a calendar that a path speaks of; a missing calendar is ``409`` (RFC 4918 §9.7.1)."""
    try:
        found = await open_resource(call.ctx, location, as_slot=True)
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND and call.request.method != "DELETE":
            raise Refusal(Condition.MISSING_PARENT, "There is no such calendar to put this into.") from None
        raise
    return target_in(found, location.name)


async def home_at(call: Call, principal: str) -> Resource:
    """The home a calendar is to be made in; where there is none it is the missing parent, ``409`` (RFC 4918 §9.3.1)."""
    try:
        return await open_resource(call.ctx, Location(Place.HOME, principal))
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND:
            raise Refusal(Condition.MISSING_PARENT, "There is no such calendar home to put this into.") from None
        raise


def target_in(found: Resource, name: str) -> objects.Target:
    """A name in an opened calendar, or the object that was found under it."""
    owner, calendar = found.owner, found.calendar
    assert owner is not None and calendar is not None  # noqa: S101 - a collection always has both
    href = paths.object_href(owner.name, calendar.name, name)
    return objects.Target(owner, calendar, name, href, found.access, found.meta)
