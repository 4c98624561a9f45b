"""A whole calendar file cut into calendar object resources, one per UID (RFC 4791 §4.1).

Rules of this module: import only. Components are written again line by line as they were sent (unfolded and folded
anew); nothing inside a component is changed.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, render_component
from protocol.model import Uid

_KEPT = ("VERSION", "PRODID", "CALSCALE")
_PRODID = "-//caldav-server//import//EN"


def split_by_uid(calendar: Component) -> list[tuple[Uid | None, bytes]]:
    """One resource text per UID, in the file's order, each with the VTIMEZONEs it names.

    Components without a UID come one by one with ``None``: the caller decides what their UID shall be. METHOD and
    the properties that describe the calendar as a whole are left out of the resources.
    """
    timezones: dict[str, Component] = {}
    groups: dict[tuple[str, str | int], list[Component]] = {}
    for number, component in enumerate(calendar.components):
        if component.name == "VTIMEZONE":
            timezones.setdefault((component.value("TZID") or "").strip(), component)
            continue
        uid = component.value("UID")
        groups.setdefault((component.name, uid or number), []).append(component)
    header = _header(calendar)
    return [
        (Uid(uid) if isinstance(uid, str) else None, _resource(header, members, timezones))
        for (_, uid), members in groups.items()
    ]


def _header(calendar: Component) -> list[Property]:
    header = [line for line in calendar.properties if line.name in _KEPT]
    names = {line.name for line in header}
    if "VERSION" not in names:
        header.insert(0, Property.make("VERSION", "2.0"))
    if "PRODID" not in names:
        header.append(Property.make("PRODID", _PRODID))
    return header


def _resource(header: list[Property], members: list[Component], timezones: dict[str, Component]) -> bytes:
    wanted = [timezones[name] for name in used_tzids(members) if name in timezones]
    return render_component(Component("VCALENDAR", header, [*wanted, *members])).encode("utf-8", "replace")


def used_tzids(members: list[Component]) -> list[str]:
    """The TZID parameters that the components and their subcomponents name, in order of appearance."""
    found: dict[str, None] = {}
    pending = list(reversed(members))
    while pending:
        component = pending.pop()
        for line in component.properties:
            if "TZID" in line.raw and (tzid := line.param("TZID")):
                found.setdefault(tzid.strip())
        pending.extend(reversed(component.components))
    return list(found)
