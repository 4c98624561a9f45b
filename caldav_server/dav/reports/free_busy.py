"""free-busy-query (RFC 4791 §7.10): one VFREEBUSY for everything a calendar or home contains; not a multistatus."""

from __future__ import annotations

from caldav_server.calendaring import freebusy as periods
from caldav_server.calendaring import opening, queries
from caldav_server.calendaring.homes import DEFAULT_CALENDAR
from caldav_server.dav.call import Call
from caldav_server.dav.resources import CalendarResource, HomeResource
from caldav_server.http.messages import Response
from protocol.dav import reports
from protocol.dav.headers import Depth
from protocol.ical import freebusy
from protocol.ical.components import PRODID
from protocol.model import Access


async def free_busy(call: Call, resource: CalendarResource | HomeResource, body: reports.FreeBusyQuery) -> Response:
    """The busy time of a calendar, or with Depth infinity that of all calendars of a home."""
    if isinstance(resource, CalendarResource):
        chosen = [resource.opened]
        zone = queries.zone_of(resource.opened)
    else:
        found = await opening.collections(call.ctx, resource.opened, Access.READ_FREE_BUSY)
        chosen = found if call.depth is Depth.INFINITY else []
        default = next((each for each in found if each.binding.name == DEFAULT_CALENDAR), found[0])
        zone = queries.zone_of(default)
    busy = await periods.free_busy(call.ctx, chosen, body.range, zone)
    text = freebusy.render_freebusy(busy, body.range, now=call.ctx.now, uid=call.request.request_id, prodid=PRODID)
    return Response(200, {"Content-Type": "text/calendar; charset=utf-8"}, text)
