"""DURATION and TRIGGER values with their parts on the wrong side of the ``T``: ``PT2D``, ``-P2DT``, ``P15M``.

Several mobile clients send them (DAVx5 has a preprocessor for it). A duration has no months, so each unit has the same
meaning on either side. The view has the form of RFC 5545 §3.3.6.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, PropertyMap
from protocol.ical.values import is_exact_duration, parse_duration, render_duration


def repair(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Rewrite each duration of the component and its alarms that does not have the exact form of the RFC."""
    repaired = False
    line = props.get("DURATION")
    if line is not None and (value := canonical(line)) is not None:
        props["DURATION"] = made = Property.make("DURATION", value, line.params)
        component.properties = [made if item is line else item for item in component.properties]
        repaired = True
    for alarm in component.components:
        for number, line in enumerate(alarm.properties):
            if line.name in ("TRIGGER", "DURATION") and (value := canonical(line)) is not None:
                alarm.properties[number] = Property.make(line.name, value, line.params)
                repaired = True
    return repaired


def canonical(line: Property) -> str | None:
    """The RFC's form of a duration value; ``None`` when it has that form already, or is not a duration."""
    value = line.value
    if "P" not in value.upper() or is_exact_duration(value):
        return None
    try:
        return render_duration(parse_duration(value))
    except ValueError:
        return None
