"""VAVAILABILITY: when a person is available, and so when not (RFC 7953).

Rules of this module: it turns VAVAILABILITY into spans of time and tells which time it makes unavailable (§5);
``periods.merge`` adds events to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from protocol.ical.components import Component, property_map
from protocol.ical.instants import Timezones, to_instants, widened
from protocol.ical.overlap import end_of
from protocol.ical.periods import BusyPeriod, Span, clip, subtract, union
from protocol.ical.recurrence import Budget, occurrences_of
from protocol.ical.timezones import Zone, definitions_of
from protocol.ical.timing import Zones, moment_of
from protocol.model import FOREVER, BusyType, TimeRange

_BUSYTYPES = {"BUSY": BusyType.BUSY, "BUSY-TENTATIVE": BusyType.TENTATIVE}
_LOWEST = 10
"""The rank of a PRIORITY of 0 or none, which is below 9 (RFC 7953 §3.1)."""


@dataclass(frozen=True, slots=True)
class Availability:
    """One VAVAILABILITY in a window: outside ``free`` its owner is ``busytype`` from ``start`` to ``end``."""

    start: int
    end: int
    free: tuple[Span, ...]
    busytype: BusyType = BusyType.UNAVAILABLE
    rank: int = _LOWEST
    """1 overrides 2, and so on."""


def availabilities(calendar: Component, window: TimeRange, zone: Zone | None, budget: Budget) -> list[Availability]:
    """The VAVAILABILITY components of a VCALENDAR that meet a window, with their AVAILABLE occurrences in it.

    ``calendar`` is that of an object, or the value of CALDAV:calendar-availability. Refuses with ``max-instances`` when
    the budget is used up.
    """
    timezones = definitions_of(calendar.components)
    wider = widened(window, zone)
    found = []
    for component in calendar.components:
        if component.name != "VAVAILABILITY":
            continue
        start, end = extent(component, timezones, zone)
        if not window.overlaps(start, end):
            continue
        spans: list[Span] = []
        for master, overrides in series_of(component):
            spans.extend(
                to_instants(item.start, item.end, item.floating, zone)
                for item in occurrences_of(master, overrides, timezones, wider, zone_floating=zone, budget=budget)
            )
        found.append(
            Availability(
                start,
                end,
                tuple(clip(union(spans), TimeRange(start, end))),
                _BUSYTYPES.get((component.value("BUSYTYPE") or "").strip().upper(), BusyType.UNAVAILABLE),
                _rank(component),
            )
        )
    return found


def extent(component: Component, timezones: Timezones, zone: Zone | None) -> Span:
    """Start and end of a VAVAILABILITY; an end that it leaves open is ``FOREVER`` (RFC 7953 §3.1)."""
    props, zones = property_map(component), Zones(timezones)
    lines = (props.get("DTSTART"), props.get("DTEND"))
    begins, ends = (None if line is None else moment_of(line.value, line, zones) for line in lines)
    if begins is None:
        return -FOREVER, FOREVER if ends is None else to_instants(ends.instant, ends.instant, ends.floating, zone)[1]
    try:
        last = end_of(props, begins, zones, "DTEND")
    except ValueError:
        last = None
    start, end = to_instants(begins.instant, begins.instant if last is None else last, begins.floating, zone)
    return start, FOREVER if last is None else end


def unavailable(found: Iterable[Availability], window: TimeRange) -> list[BusyPeriod]:
    """The busy time that VAVAILABILITY makes in a window, disjoint and sorted; a higher priority overrides a lower.

    Components of one priority add up: time that any of them calls available is available.
    """
    spans: dict[BusyType, list[Span]] = {}
    ranked = sorted(found, key=lambda item: -item.rank)
    for _, group in groupby(ranked, key=lambda item: item.rank):
        layer = list(group)
        covered = union((item.start, item.end) for item in layer)
        free = union(span for item in layer for span in item.free)
        spans = {kind: subtract(below, covered) for kind, below in spans.items()}
        for item in layer:
            busy = clip(subtract([(item.start, item.end)], free), window)
            spans[item.busytype] = union([*spans.get(item.busytype, ()), *busy])
    periods: list[BusyPeriod] = []
    above: list[Span] = []
    for kind in sorted(spans, reverse=True):
        periods.extend(BusyPeriod(start, end, kind) for start, end in subtract(spans[kind], above))
        above = union([*above, *spans[kind]])
    return sorted(periods)


def _rank(component: Component) -> int:
    text = (component.value("PRIORITY") or "0").strip()
    number = int(text) if text.isdecimal() and len(text) == 1 else 0
    return number or _LOWEST


def series_of(component: Component) -> Iterator[tuple[Component | None, tuple[Component, ...]]]:
    """The AVAILABLE components of a VAVAILABILITY, UID by UID, as master and overrides: they recur as events do."""
    groups: dict[str, list[Component]] = {}
    for number, item in enumerate(component.components):
        if item.name == "AVAILABLE":
            groups.setdefault(item.value("UID") or str(number), []).append(item)
    for members in groups.values():
        masters = [item for item in members if item.first("RECURRENCE-ID") is None]
        overrides = tuple(item for item in members if item.first("RECURRENCE-ID") is not None)
        # Two blocks that share a UID by mistake are still two blocks of available time.
        for number, master in enumerate(masters):
            yield master, () if number else overrides
        if not masters:
            yield None, overrides
