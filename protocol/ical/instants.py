"""Instants of time properties: wall time, TZID and floating time made epoch seconds (RFC 5545 §3.3.4, §3.3.5, §3.8).

Rules of this module: one property or pair of times, no recurrence. A value that cannot be read is left out: what a
query or an answer does then is the caller's. ``zone`` is where floating and all-day values are at home; ``None``: UTC.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.ical.components import Component, Property
from protocol.ical.timezones import UTC, Zone, clock_of, to_epoch, zone_of_tzid
from protocol.ical.values import Duration, Form, parse_period, parse_when, wall_seconds
from protocol.model import TimeRange

Timezones = Mapping[str, Component]


def zone_of(line: Property, timezones: Timezones) -> Zone | None:
    """The zone that a line's TZID names; ``None`` when it has none or nobody knows it."""
    tzid = line.param("TZID") if "TZID" in line.raw else None
    return None if tzid is None else zone_of_tzid(tzid, timezones)


def instants(line: Property, timezones: Timezones, zone: Zone | None) -> list[tuple[int, Form]]:
    """Every DATE or DATE-TIME of a line (they are separated by commas) with its form; unreadable ones are left out."""
    own = zone_of(line, timezones)
    found: list[tuple[int, Form]] = []
    for text in line.value.split(","):
        try:
            wall, form = parse_when(text)
        except ValueError:
            continue
        if form is Form.UTC:
            found.append((wall_seconds(wall), form))
        elif form is Form.DATE or own is None:
            found.append((to_epoch(wall, zone or UTC), form))
        else:
            found.append((to_epoch(wall, own), form))
    return found


def instant(line: Property | None, timezones: Timezones, zone: Zone | None) -> tuple[int, Form] | None:
    """The first value of ``instants``."""
    if line is None:
        return None
    found = instants(line, timezones, zone)
    return found[0] if found else None


def periods(line: Property, timezones: Timezones, zone: Zone | None) -> list[tuple[int, int]]:
    """Every PERIOD of a line as start and end; unreadable ones are left out (RFC 5545 §3.3.9)."""
    home = zone_of(line, timezones) or zone
    return [period for text in line.value.split(",") if (period := period_of(text, home)) is not None]


def period_of(text: str, zone: Zone | None) -> tuple[int, int] | None:
    """Start and end of one PERIOD, its local times in ``zone``; ``None`` when it cannot be read."""
    try:
        start, form, rest = parse_period(text)
    except ValueError:
        return None
    home = UTC if form is Form.UTC else zone or UTC
    begins = to_epoch(start, home)
    return begins, begins + rest.total if isinstance(rest, Duration) else to_epoch(rest, home)


def absolute(start: int, end: int, floating: bool, zone: Zone | None) -> tuple[int, int]:
    """Start and end as instants; floating time, wall seconds read as UTC, is taken in ``zone`` (``None``: UTC)."""
    if not floating or zone is None:
        return start, end
    clock = clock_of(zone)
    return clock.to_epoch(start), clock.to_epoch(end)


def wall_range(window: TimeRange, zone: Zone | None) -> TimeRange:
    """A range as the wall clock of ``zone`` shows it, read as UTC: what floating entries of the index compare with."""
    if zone is None:
        return window
    clock = clock_of(zone)
    start, end = window.start, window.end
    return TimeRange(None if start is None else clock.to_wall(start), None if end is None else clock.to_wall(end))
