"""expand-property (RFC 3253 §3.8): properties whose values are hrefs, answered with the resources behind them."""

from __future__ import annotations

import re

from caldav_server.dav.answers import Plan, whole
from caldav_server.dav.call import Call
from caldav_server.dav.resources import Resource, fill, open_resource
from caldav_server.http.messages import Response
from protocol.dav import multistatus, names, reports
from protocol.dav.requests import PropFind, PropKind
from protocol.errors import Refusal

MAX_DEPTH = 4
"""How deep properties may nest: Apple's clients use two levels."""
_HREF = re.compile(r"<D:href>([^<]*)</D:href>")


async def answer(call: Call, resource: Resource, body: reports.ExpandProperty) -> Response:
    """One response for the resource; each href inside an expanded property becomes a response of its own."""
    return whole([await _response(call, resource, body.properties, MAX_DEPTH)])


async def _response(call: Call, resource: Resource, wanted: tuple[reports.ExpandedProperty, ...], depth: int) -> str:
    found: list[str] = []
    missing: list[str] = []
    for each in wanted:
        plan = Plan(PropFind(PropKind.PROP, (each.name,)), call.view, call.minimal)
        await fill(call.ctx, [resource], plan.needs())
        have, lack = plan.propstats(resource)
        missing += lack
        if have and each.children and depth:
            found.append(await _expanded(call, each, have[0], depth))
        else:
            found += have
    groups = [(200, "".join(found))] if found or not missing else []
    if missing and not call.minimal:
        groups.append((404, "".join(missing)))
    return multistatus.response(resource.href, groups)


async def _expanded(call: Call, each: reports.ExpandedProperty, element: str, depth: int) -> str:
    parts = []
    for href in _HREF.findall(element):
        try:
            place = call.path_of(href)
            target = await open_resource(call.ctx, place)
        except Refusal as refusal:
            parts.append(multistatus.response_status(href, refusal.condition.status))
        else:
            parts.append(await _response(call, target, each.children, depth - 1))
    return names.element(each.name, "".join(parts))
