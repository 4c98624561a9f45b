"""Which occurrences of an object meet a time range (RFC 4791 §9.9).

Rules of this module: ``recurrence`` gives the occurrences, ``overlap`` the tables. The occurrence index decides in the
same way, so filters, rendering and the index cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from protocol.ical import overlap
from protocol.ical.components import Component, property_map
from protocol.ical.document import Document
from protocol.ical.instants import WallRange, to_instants, wall_range_of, widened
from protocol.ical.names import RULE_NAMES
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.ical.timezones import Zone
from protocol.ical.timing import Zones, read_moment
from protocol.ical.values import Form
from protocol.model import DAY, IndexEntry, TimeRange


class RangeMatch(NamedTuple):
    """One occurrence in a range, and its interval by the table of its component.

    ``occurrence`` is ``None`` when the object does not recur: then the component is the occurrence.
    """

    component: Component
    entry: IndexEntry
    occurrence: Occurrence | None = None


def recurs(document: Document) -> bool:
    """Whether the object is a recurrence set, of its master and its overrides."""
    master = document.master
    return master is not None and overlap.is_series(master, property_map(master), document.overrides)


def range_matches(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[RangeMatch]:
    """Every occurrence of an object that meets a window by its component's table, in order of start.

    ``zone`` is the zone of floating and all-day data (``None``: UTC). Refuses with ``max-instances`` when the budget is
    used up.
    """
    walls = wall_range_of(window, zone)
    found = [
        item for item in candidate_matches(document, window, zone, budget) if meets(item, document, window, walls, zone)
    ]
    found.sort(key=lambda item: item.entry.start)
    return found


def meets(item: RangeMatch, document: Document, window: TimeRange, walls: WallRange, zone: Zone | None) -> bool:
    """Whether an occurrence meets ``window``; ``walls`` is ``wall_range_of`` the window in the same zone."""
    entry = item.entry
    if not entry.floating:
        return window.overlaps(entry.start, entry.end)
    if walls.sure.overlaps(entry.start, entry.end):
        return True
    return (
        not walls.exact
        and walls.wide.overlaps(entry.start, entry.end)
        and _meets_floating(item, document, window, zone)
    )


def _meets_floating(item: RangeMatch, document: Document, window: TimeRange, zone: Zone | None) -> bool:
    """Whether a floating occurrence meets a range, decided by the instants of its times (RFC 5545 §3.3.5)."""
    component = item.component
    times = effective_span(item, document, zone)
    if component.name in _TIMED_BY_START_AND_END and times is not None:
        master = None if item.occurrence is None else document.master
        props = overlap.series_property_map(component, master)
        entry = overlap.interval_of(component.name, props)(*times, False)
        return window.overlaps(entry.start, entry.end)
    start, end = to_instants(item.entry.start, item.entry.end, True, zone) if times is None else times
    return window.overlaps(start, max(end, start + 1))


_TIMED_BY_START_AND_END = frozenset({"VEVENT", "VTODO"})


def candidate_matches(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> Iterator[RangeMatch]:
    """Every occurrence that may meet a window; a component that does not recur always comes."""
    if recurs(document):
        yield from _series(document, window, zone, budget)
        return
    zones = Zones(document.timezones)
    for member in document.members:
        try:
            entries = overlap.intervals_of(member, property_map(member), zones)
        except (ValueError, OverflowError):
            continue  # without a readable time it meets no time range
        for entry in entries:
            yield RangeMatch(member, entry)


def override_matches(document: Document, zone: Zone | None, budget: Budget) -> dict[int, RangeMatch]:
    """The occurrence that each override describes itself, wherever it is, by the ``id`` of the override.

    Only for an object that ``recurs``; the rules of its series are not expanded.
    """
    master = document.master
    if master is not None:
        lines = [line for line in master.properties if line.name not in RULE_NAMES]
        master = Component(master.name, lines, master.components)
    alone = Document(
        document.calendar, document.uid, document.component, master, document.overrides, document.timezones
    )
    found = _series(alone, TimeRange(), zone, budget)
    # The first occurrence of a range override is its own.
    own: dict[int, RangeMatch] = {}
    for item in found:
        if item.occurrence is not None and item.occurrence.is_override:
            own.setdefault(id(item.component), item)
    return own


def _series(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> Iterator[RangeMatch]:
    # A second wider, because a table may include an occurrence that only touches the range.
    wider = widened(window, zone)
    intervals: dict[int, overlap.IntervalOf] = {}
    for occurrence in occurrences(document, wider, zone_floating=zone, budget=budget):
        component = occurrence.component
        interval = intervals.get(id(component))
        if interval is None:
            props = overlap.series_property_map(component, document.master)
            interval = intervals[id(component)] = overlap.interval_of(component.name, props)
        yield RangeMatch(component, interval(occurrence.start, occurrence.end, occurrence.floating), occurrence)


def effective_span(item: RangeMatch, document: Document, zone: Zone | None) -> tuple[int, int] | None:
    """Effective start and end of an occurrence as instants, in the sense of DTSTART and of DTEND or DUE.

    ``None`` for a component without DTSTART and DUE; with DUE alone both are the DUE.
    """
    if item.occurrence is not None:
        return to_instants(item.occurrence.start, item.occurrence.end, item.occurrence.floating, zone)
    return own_span(item.component, document, zone)


def own_span(component: Component, document: Document, zone: Zone | None) -> tuple[int, int] | None:
    """``effective_span`` of the occurrence that a component's own DTSTART, DTEND, DUE and DURATION describe."""
    props = property_map(component)
    zones = Zones(document.timezones)
    end_name = "DUE" if component.name == "VTODO" else "DTEND"
    try:
        if "DTSTART" not in props:
            if end_name not in props:
                return None
            only = read_moment(props[end_name], zones)
            return to_instants(only.instant, only.instant, only.floating, zone)
        start = read_moment(props["DTSTART"], zones)
        end = overlap.end_of(props, start, zones, end_name)
        if end is None:
            whole_day = start.form is Form.DATE and component.name != "VTODO"
            end = start.instant + (DAY if whole_day else 0)
        return to_instants(start.instant, end, start.floating, zone)
    except (ValueError, OverflowError):
        return None
