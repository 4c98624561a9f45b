"""Partial retrieval: only the components and properties asked for (RFC 4791 §9.6.1 to §9.6.4).

Rules of this module: it takes components apart and puts the same content lines together again; no line is rewritten
but for ``novalue``.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.rendering.request import CompRequest, PropRequest
from protocol.ical.splitting import used_tzids


def prune(calendar: Component, request: CompRequest) -> Component:
    """The VCALENDAR with what the request names; the VTIMEZONEs that remaining lines refer to stay with them."""
    if request.name != calendar.name:
        return Component(calendar.name)
    pruned = _prune(calendar, request)
    if request.comps is None:
        return pruned
    present = {(item.value("TZID") or "").strip() for item in pruned.components if item.name == "VTIMEZONE"}
    used = set(used_tzids([item for item in pruned.components if item.name != "VTIMEZONE"]))
    missing = [
        item
        for item in calendar.components
        if item.name == "VTIMEZONE" and (tzid := (item.value("TZID") or "").strip()) in used and tzid not in present
    ]
    return Component(pruned.name, pruned.properties, [*missing, *pruned.components])


def _prune(component: Component, request: CompRequest) -> Component:
    properties = component.properties
    if request.props is not None:
        wanted = {prop.name: prop for prop in request.props}
        properties = [_line(line, wanted[line.name]) for line in properties if line.name in wanted]
    components = component.components
    if request.comps is not None:
        requests = {comp.name: comp for comp in request.comps}
        components = [_prune(item, requests[item.name]) for item in components if item.name in requests]
    return Component(component.name, properties, components)


def _line(line: Property, request: PropRequest) -> Property:
    if not request.novalue:
        return line
    head = line.raw[: len(line.raw) - len(line.value)]
    return Property(line.name, "", line.params, head)
