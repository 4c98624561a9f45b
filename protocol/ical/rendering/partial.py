"""Partial retrieval: only the components and properties asked for (RFC 4791 §9.6.1 to §9.6.4).

Rules of this module: it takes components apart and puts the same content lines together again; no line is rewritten
but for ``novalue``.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.rendering.request import CompRequest, PropRequest


def prune(calendar: Component, request: CompRequest) -> Component:
    """The VCALENDAR with what the request names and nothing else; who wants VTIMEZONEs names them (§7.8.1 does)."""
    return _prune(calendar, request) if request.name == calendar.name else Component(calendar.name)


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
