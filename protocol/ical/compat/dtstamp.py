"""A component without DTSTAMP (RFC 5545 §3.8.7.2 requires one).

Feeds, scripts and iCloud exports send it. The view gets the latest time that the component has (LAST-MODIFIED,
CREATED), else the beginning of the epoch, so that generated answers are valid. The text does not change.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, PropertyMap

_NO_TIME = "19700101T000000Z"


def repair(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Add a DTSTAMP to the view of a component that has none."""
    if "DTSTAMP" in props:
        return False
    known = props.get("LAST-MODIFIED") or props.get("CREATED")
    stamp = Property.make("DTSTAMP", known.value if known and len(known.value) == 16 else _NO_TIME)
    component.properties.append(stamp)
    props["DTSTAMP"] = stamp
    return True
