"""An overridden occurrence with an RRULE, RDATE, EXDATE or EXRULE of its series.

Simple Calendar sends it, and Etar through DAVx5: they copy the whole master into each override. RFC 5545 §3.8.4.4 gives
an override exactly one occurrence, so the view drops these lines. The text keeps them.
"""

from __future__ import annotations

from protocol.ical.components import Component, PropertyMap
from protocol.ical.names import RECURRENCE_NAMES


def repair(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Drop the recurrence properties of an override."""
    if "RECURRENCE-ID" not in props:
        return False
    component.properties = [line for line in component.properties if line.name not in RECURRENCE_NAMES]
    for name in RECURRENCE_NAMES:
        props.pop(name, None)
    return True
