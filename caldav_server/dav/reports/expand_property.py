"""expand-property (RFC 3253 §3.8): properties whose values are hrefs, answered with the resources behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from caldav_server.dav.answers import PropertyRequest, buffered
from caldav_server.dav.call import Call
from caldav_server.dav.resources import Resource, prefetch
from caldav_server.http.messages import Response
from protocol.dav import multistatus, reports
from protocol.dav.requests import PropFind, PropKind
from protocol.errors import Condition, Refusal

MAX_DEPTH = 4
"""How deep properties may nest: Apple's clients use two levels."""
_HREF = re.compile(r"<D:href>([^<]*)</D:href>")


MAX_RESPONSES = 2000
"""How many hrefs one answer follows: groups of groups multiply."""


@dataclass(slots=True)
class _Left:
    """How many more hrefs may be followed."""

    responses: int = MAX_RESPONSES


async def answer(call: Call, resource: Resource, body: reports.ExpandProperty) -> Response:
    """One response for the resource; each href inside an expanded property becomes a response of its own."""
    return buffered([await _response(call, resource, body.properties, MAX_DEPTH, _Left())])


async def _response(
    call: Call, resource: Resource, wanted: tuple[reports.ExpandedProperty, ...], depth: int, left: _Left
) -> str:
    found: list[str] = []
    missing: list[str] = []
    for each in wanted:
        request = PropertyRequest(PropFind(PropKind.PROP, (each.name,)), call.view, call.minimal)
        await prefetch(call.ctx, [resource], request.needs())
        have, lack = request.propstats(resource)
        missing += lack
        if have and each.children and depth:
            found.append(await _expanded(call, each, have[0], depth, left))
        else:
            found += have
    groups = [(200, "".join(found))] if found or not missing else []
    if missing and not call.minimal:
        groups.append((404, "".join(missing)))
    return multistatus.response(resource.href, groups)


async def _expanded(call: Call, wanted: reports.ExpandedProperty, element: str, depth: int, left: _Left) -> str:
    """The element with responses in the place of its hrefs; what is no href, or of no server's map, stays as it is."""
    parts: list[str] = []
    after = 0
    for found in _HREF.finditer(element):
        href = unescape(found[1])
        try:
            place = call.path_of(href)
        except Refusal:
            continue
        if not left.responses:
            raise Refusal(Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, "These properties lead to too many resources.")
        left.responses -= 1
        try:
            target = await call.open(place)
        except Refusal as refusal:
            response = multistatus.response_status(href, refusal.condition.status)
        else:
            response = await _response(call, target, wanted.children, depth - 1, left)
        parts += (element[after : found.start()], response)
        after = found.end()
    return "".join([*parts, element[after:]])
