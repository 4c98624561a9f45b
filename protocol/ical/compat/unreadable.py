"""DTEND, DUE, DURATION, EXDATE and RDATE values that are not a time.

Broken exporters send empty values, or dates like 20240230. The view leaves such values out. DTSTART and RECURRENCE-ID
are not in this list: without them an object has no place in time and is refused.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, PropertyMap
from protocol.ical.names import DATE_LIST_NAMES, EXTENT_NAMES
from protocol.ical.values import parse_duration, parse_period, parse_when

NAMES = EXTENT_NAMES | {*DATE_LIST_NAMES}


def repair(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Leave these values out of the view when they are unreadable."""
    changed: dict[int, Property | None] = {}
    for number, line in enumerate(component.properties):
        if line.name in NAMES:
            kept = readable(line)
            if kept is not line:
                changed[number] = kept
    if not changed:
        return False
    replaced = (changed.get(number, line) for number, line in enumerate(component.properties))
    component.properties = [line for line in replaced if line is not None]
    for name in NAMES & props.keys():
        rest = component.first(name)
        if rest is None:
            del props[name]
        else:
            props[name] = rest
    return True


def readable(line: Property) -> Property | None:
    """The line itself when every value is a time, a line with those that are, or ``None`` when none is."""
    values = line.value.split(",") if line.name in DATE_LIST_NAMES else [line.value]
    kept = [value for value in values if _is_time(line.name, value)]
    if len(kept) == len(values):
        return line
    return Property.make(line.name, ",".join(kept), line.params) if kept else None


def _is_time(name: str, value: str) -> bool:
    try:
        if name == "DURATION":
            parse_duration(value)
        elif "/" in value and name == "RDATE":
            parse_period(value)
        else:
            parse_when(value)
    except ValueError:
        return False
    return True
