"""RECURRENCE-ID and EXDATE of another type than the series' DTSTART (RFC 5545 §3.8.4.4 requires the same type).

calcurse, Lightning and Outlook bridges send a DATE in a timed series, a DATE-TIME in an all-day one, or floating time
in a series with a zone. DTSTART decides: a DATE takes its time of day and zone, a DATE-TIME in an all-day series
becomes its date, and floating time is read in DTSTART's zone.
"""

from __future__ import annotations

from protocol.ical.components import Component, Params, Property, PropertyMap
from protocol.ical.values import Form, parse_when, render_when

NAMES = frozenset({"RECURRENCE-ID", "EXDATE"})


def repair(component: Component, props: PropertyMap, series: PropertyMap) -> bool:
    """Give RECURRENCE-ID and EXDATE the type and zone of the series' DTSTART."""
    start = series.get("DTSTART")
    if start is None or "DTSTART" not in series:
        return False
    repaired = False
    for number, line in enumerate(component.properties):
        if line.name in NAMES:
            changed = coerced(start, line)
            if changed is not None:
                component.properties[number] = changed
                props[line.name] = changed
                repaired = True
    return repaired


def coerced(start: Property, line: Property) -> Property | None:
    """``line`` with the type and zone of ``start``; ``None`` when they agree, or a value is unreadable."""
    first = parse_when(start.value)
    zone = start.param("TZID") if first[1] is Form.LOCAL else None
    own_zone = line.param("TZID")
    try:
        values = [parse_when(value) for value in line.value.split(",") if value]
    except ValueError:
        return None
    day = first[1] is Form.DATE
    mismatch = any((form is Form.DATE) != day for _, form in values)
    floating = bool(zone) and not own_zone and any(form is Form.LOCAL for _, form in values)
    if (not mismatch and not floating) or (mismatch and not day and line.name == "EXDATE"):
        return None
    kept: Params = tuple(item for item in line.params if item[0] not in ("TZID", "VALUE"))
    if day:
        text = ",".join(render_when(wall, Form.DATE) for wall, _ in values)
        return Property.make(line.name, text, (("VALUE", ("DATE",)), *kept))
    time = first[0].time()
    forms = (
        render_when(wall.replace(hour=time.hour, minute=time.minute, second=time.second), first[1])
        if form is Form.DATE
        else render_when(wall, form)
        for wall, form in values
    )
    text = ",".join(forms)
    tzid = own_zone or zone
    return Property.make(line.name, text, (("TZID", (tzid,)), *kept) if tzid else kept)
