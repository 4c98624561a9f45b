"""PUT, POST (add-member) and DELETE (RFC 4791 §5.3.2, RFC 5995, RFC 4918 §9.6)."""

from __future__ import annotations

from dataclasses import replace

from caldav_server.calendaring import calendars, objects
from caldav_server.calendaring.opening import Slot
from caldav_server.dav.call import Call
from caldav_server.dav.paths import Place
from caldav_server.dav.preconditions import precondition_for
from caldav_server.dav.resources import CalendarResource, CollectionResource, open_slot
from caldav_server.http.messages import Response
from protocol.dav.headers import Depth, parse_content_type, parse_depth
from protocol.errors import Condition, Refusal
from protocol.ical.compat.charsets import transcode
from protocol.model import CalendarKind, CalendarObject


async def put(call: Call) -> Response:
    """Create or replace a calendar object (RFC 4791 §5.3.2)."""
    slot = await open_slot(call.ctx, call.paths, call.location)
    try:
        return await _store(call, slot, await precondition_for(call, slot))
    except Refusal as refusal:
        if refusal.condition is Condition.PRECONDITION_FAILED and call.prefer.representation:
            current = await objects.find(call.ctx, slot)
            if current is not None:
                return Response(412, _describe(call, slot, current), current.data)
        raise


async def post(call: Call) -> Response:
    """Add a member under a name the server picks (RFC 5995 §3)."""
    resource = await call.open()
    if not isinstance(resource, CalendarResource):
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "Nothing can be posted here.")
    slot = objects.new_slot(resource.opened)
    answer = await _store(call, slot, lambda _existing: None)
    answer.headers["Location"] = _href(call, slot)
    return answer


def _href(call: Call, slot: Slot) -> str:
    return call.paths.href_of(slot.parent, slot.name)


async def _store(call: Call, slot: Slot, precondition: objects.Precondition) -> Response:
    if slot.calendar.kind is not CalendarKind.CALENDAR:
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "Calendar objects are stored in calendars only.")
    if "Content-Range" in call.request.headers:
        raise Refusal(Condition.BAD_REQUEST, "A part of an object cannot be stored (RFC 9110 §14.5).")
    media = parse_content_type(call.request.headers.get("Content-Type"))
    if media is not None and media.media_type != "text/calendar":
        raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, "Calendars take text/calendar only.")
    body = await call.request.read(call.ctx.rules.limits.size)
    data, transcoded = transcode(body, media.charset if media is not None else None)
    result = await objects.put(
        call.ctx,
        slot,
        data,
        precondition=precondition,
        strict=call.prefer.strict,
        repeatable="If-None-Match" not in call.request.headers,
    )
    result = replace(result, altered=result.altered or data is not body, repairs=(*transcoded, *result.repairs))
    return await _stored_response(call, slot, result)


async def _stored_response(call: Call, slot: Slot, result: objects.Stored) -> Response:
    headers: dict[str, str] = {}
    if result.repairs:
        headers["X-Calendar-Repairs"] = ", ".join(result.repairs)
        call.request.log["repairs"] = result.repairs
    if call.prefer.strict:
        call.applied.append("handling=strict")
    if call.prefer.representation:
        stored = await objects.find(call.ctx, slot)
        if stored is not None:
            headers |= _describe(call, slot, stored)
            return Response(201 if result.created else 200, headers, stored.data)
    if not result.altered:
        headers["ETag"] = f'"{result.etag}"'
    return Response(201 if result.created else 204, headers)


def _describe(call: Call, slot: Slot, stored: CalendarObject) -> dict[str, str]:
    """The headers of an answer that carries what is stored now (RFC 7240 §4.2, RFC 8144 §3)."""
    call.applied.append("return=representation")
    return {
        "ETag": f'"{stored.meta.etag}"',
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Location": _href(call, slot),
    }


async def delete(call: Call) -> Response:
    """Remove an object or a calendar; the collections that are always there are emptied (RFC 4918 §9.6)."""
    if call.location.place is Place.OBJECT:
        slot = await open_slot(call.ctx, call.paths, call.location, removing=True)
        await objects.remove(call.ctx, slot, precondition=await precondition_for(call, slot))
        return Response(204)
    resource = await call.open()
    if parse_depth(call.request.headers.get("Depth"), Depth.INFINITY) is not Depth.INFINITY:
        raise Refusal(Condition.BAD_REQUEST, "A calendar is deleted with Depth infinity only.")
    if not isinstance(resource, CollectionResource):
        raise Refusal(Condition.METHOD_NOT_ALLOWED, "This collection cannot be deleted.")
    (await precondition_for(call, None, resource))(None)
    await calendars.remove(call.ctx, resource.opened)
    return Response(204)
