"""Partial retrieval: only the components and properties asked for (RFC 4791 §9.6.1 to §9.6.4).

Rules of this module: components lose lines, but no line is rewritten, except for ``novalue``.
"""

from __future__ import annotations

import re

from protocol.ical.components import Component, Property
from protocol.ical.rendering.request import CompRequest, PropRequest

_NAME = re.compile("[;:]")


def prune(calendar: Component, request: CompRequest) -> Component:
    """The VCALENDAR with only what the request names; a client that wants VTIMEZONEs names them (as in §7.8.1)."""
    return prune_component(calendar, request) if request.name == calendar.name else Component(calendar.name)


def component_request(calendar: CompRequest, name: str) -> CompRequest | None:
    """The part of a VCALENDAR request for components of one name; ``None`` when it does not ask for them."""
    if calendar.name != "VCALENDAR":
        return None
    if calendar.comps is None:
        return CompRequest(name)
    return next((comp for comp in reversed(calendar.comps) if comp.name == name), None)


def prune_lines(lines: list[str], request: CompRequest) -> list[str]:
    """Content lines of times, already written, without those that were not asked for."""
    if request.props is None:
        return lines
    wanted = {prop.name: prop for prop in request.props}
    kept = [(line, wanted[name]) for line in lines if (name := _NAME.split(line, 1)[0]) in wanted]
    # a time has no colon, so novalue keeps everything up to the last one
    return [line[: line.rindex(":") + 1] if prop.novalue else line for line, prop in kept]


def prune_component(component: Component, request: CompRequest) -> Component:
    """A component with only what the request names."""
    properties = component.properties
    if request.props is not None:
        wanted = {prop.name: prop for prop in request.props}
        properties = [_line(line, wanted[line.name]) for line in properties if line.name in wanted]
    components = component.components
    if request.comps is not None:
        requests = {comp.name: comp for comp in request.comps}
        components = [prune_component(item, requests[item.name]) for item in components if item.name in requests]
    return Component(component.name, properties, components)


def _line(line: Property, request: PropRequest) -> Property:
    if not request.novalue:
        return line
    head = line.raw[: len(line.raw) - len(line.value)]
    return Property(line.name, "", line.params, head)
