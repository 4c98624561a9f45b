"""DTEND (in a VTODO: DUE) that contradicts DTSTART or DURATION.

Zimbra sends DTEND together with DURATION; DTEND wins (RFC 5545 §3.6.1 allows only one). Evolution and feeds send a
DTEND that is not after DTSTART: it is ignored, so a timed event takes no time and an all-day event takes its day. Old
Apple clients send a DATE start with a DATE-TIME end, or a TZID on one of them: the end gets DTSTART's type and zone.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, PropertyMap
from protocol.ical.names import END_NAMES
from protocol.ical.values import Form, parse_when, render_when

NAMES = frozenset(END_NAMES)


def repair_both(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Drop DURATION when there is a DTEND, or a DUE beside DTSTART."""
    if "DURATION" not in props or component.name == "VFREEBUSY":
        return False
    component.properties = [line for line in component.properties if line.name != "DURATION"]
    del props["DURATION"]
    return True


def repair_type(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Give DTEND or DUE the type of DTSTART, and the zone when only one of them has it."""
    start = props.get("DTSTART")
    repaired = False
    for name in NAMES:
        end = props.get(name)
        if start is None or end is None or component.name == "VFREEBUSY":
            continue
        changed = coerced(start, end)
        if changed is not None:
            _replace(component, props, end, changed)
            repaired = True
    return repaired


def coerced(start: Property, end: Property) -> Property | None:
    """``end`` with the type of ``start``; ``None`` when they agree, or a value is unreadable."""
    if len(start.value) == len(end.value) and start.params_text == end.params_text:
        return None
    try:
        _, form = parse_when(start.value)
        last, end_form = parse_when(end.value)
    except ValueError:
        return None
    zone, end_zone = start.param("TZID"), end.param("TZID")
    if (form is Form.DATE) != (end_form is Form.DATE):
        params = (("VALUE", ("DATE",)),) if form is Form.DATE else (("TZID", (zone,)),) if zone else ()
        return Property.make(end.name, render_when(last, form), params)
    if form is Form.LOCAL and end_form is Form.LOCAL and bool(zone) != bool(end_zone):
        params = (("TZID", (zone or end_zone or "",)),)
        return Property.make(end.name, end.value, params if zone else ())
    return None


def repair_order(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Drop a DTEND that is not after DTSTART, or a DUE that is before it (RFC 5545 §3.6.2 allows an equal DUE)."""
    start = props.get("DTSTART")
    repaired = False
    for name in NAMES:
        end = props.get(name)
        if start is None or end is None or component.name == "VFREEBUSY":
            continue
        first, last = start.value, end.value
        if last > first or start.param("TZID") != end.param("TZID"):
            continue
        # With the same type and zone, the order of the texts is the order of time.
        if len(first) == len(last) and (last < first or name == "DTEND"):
            component.properties = [line for line in component.properties if line.name != name]
            del props[name]
            repaired = True
    return repaired


def _replace(component: Component, props: PropertyMap, old: Property, new: Property) -> None:
    component.properties = [new if line is old else line for line in component.properties]
    props[new.name] = new
