"""Reduced objects: only the overrides or the FREEBUSY periods that a range concerns (RFC 4791 §9.6.6, §9.6.7).

Rules of this module: components and values are left out; the others stay as they were sent.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.instants import instant, period_of
from protocol.ical.lines import with_value
from protocol.ical.recurrence import Budget
from protocol.ical.time_range import effective_span, range_matches
from protocol.ical.timezones import Zone
from protocol.model import TimeRange


def limit_recurrence_set(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> Component:
    """The VCALENDAR of a document without the overrides that a window does not concern.

    A window concerns an override when it meets the override's occurrence, or the occurrence that the override replaced.
    """
    calendar = document.calendar
    if document.master is None or not document.overrides:
        return calendar
    concerned = {id(item.component) for item in range_matches(document, window, zone, budget)}
    concerned.update(id(item) for item in _replacing_overrides(document, window, zone, budget))
    dropped = {id(item) for item in calendar.components if item.first("RECURRENCE-ID") is not None} - concerned
    return Component(
        calendar.name, calendar.properties, [item for item in calendar.components if id(item) not in dropped]
    )


def _replacing_overrides(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[Component]:
    """The overrides that replaced an occurrence that would meet the window."""
    plain = Document(document.calendar, document.uid, document.component, document.master, (), document.timezones)
    starts = set()
    for item in range_matches(plain, window, zone, budget):
        times = effective_span(item, plain, zone)
        if times is not None:
            starts.add(times[0])
    latest = max(starts, default=None)
    found = []
    for override in document.overrides:
        line = override.first("RECURRENCE-ID")
        at = instant(line, document.timezones, zone)
        if at is None or line is None or latest is None:
            continue
        following = (line.param("RANGE") or "").upper() == "THISANDFUTURE"
        if at[0] in starts or (following and at[0] <= latest):
            found.append(override)
    return found


def limit_freebusy_set(calendar: Component, window: TimeRange, zone: Zone | None) -> Component:
    """A VCALENDAR whose VFREEBUSY components have only the FREEBUSY values that meet a window."""
    if all(item.name != "VFREEBUSY" for item in calendar.components):
        return calendar
    components = []
    for component in calendar.components:
        if component.name != "VFREEBUSY":
            components.append(component)
            continue
        lines = (_limited(line, window, zone) for line in component.properties)
        components.append(Component(component.name, [line for line in lines if line is not None], component.components))
    return Component(calendar.name, calendar.properties, components)


def _limited(line: Property, window: TimeRange, zone: Zone | None) -> Property | None:
    if line.name != "FREEBUSY":
        return line
    texts = line.value.split(",")
    kept = [text for text in texts if (period := period_of(text, zone)) is not None and window.overlaps(*period)]
    if len(kept) == len(texts):
        return line
    return with_value(line, ",".join(kept), drop=frozenset()) if kept else None
