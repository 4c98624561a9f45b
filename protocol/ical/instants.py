"""Instants of time properties: wall time, TZID and floating time as epoch seconds (RFC 5545 §3.3.4, §3.3.5, §3.8).

Rules of this module: one property or pair of times, no recurrence. Unreadable values are left out, and the caller
decides what that means. ``zone`` is the zone of floating and all-day values; ``None``: UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from protocol.ical.components import Component, Property
from protocol.ical.timezones import UTC, Zone, clock_of, to_epoch, zone_of_tzid
from protocol.ical.values import Duration, Form, parse_period, parse_when, wall_seconds
from protocol.model import TimeRange

Timezones = Mapping[str, Component]


def zone_of(line: Property, timezones: Timezones) -> Zone | None:
    """The zone that a line's TZID names; ``None`` when it has no TZID or an unknown one."""
    tzid = line.param("TZID") if "TZID" in line.raw else None
    return None if tzid is None else zone_of_tzid(tzid, timezones)


def instants(line: Property, timezones: Timezones, zone: Zone | None) -> list[tuple[int, Form]]:
    """Every DATE or DATE-TIME of a line, with its form; unreadable ones are left out."""
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
    """Start and end of one PERIOD, with local times in ``zone``; ``None`` when it is unreadable."""
    try:
        start, form, rest = parse_period(text)
    except ValueError:
        return None
    home = UTC if form is Form.UTC else zone or UTC
    begins = to_epoch(start, home)
    return begins, begins + rest.total if isinstance(rest, Duration) else to_epoch(rest, home)


def to_instants(start: int, end: int, floating: bool, zone: Zone | None) -> tuple[int, int]:
    """Start and end as instants; floating time (wall seconds read as UTC) is taken in ``zone`` (``None``: UTC).

    A time that begins in a DST gap and ends soon after it has no length (RFC 5545 §3.3.5).
    """
    if not floating or zone is None:
        return start, end
    clock = clock_of(zone)
    begins = clock.to_epoch(start)
    return begins, max(clock.to_epoch(end), begins)


class WallRange(NamedTuple):
    """A range in the wall time of a zone, read as UTC: floating entries of the index are compared with it.

    An entry outside ``wide`` is not in the range, an entry that meets ``sure`` is. The two differ only when an end of
    the range is at a transition; an entry between them has to be decided by its own times (RFC 5545 §3.3.5).
    """

    wide: TimeRange
    sure: TimeRange

    @property
    def exact(self) -> bool:
        """Whether wall time alone decides."""
        return self.wide is self.sure


@lru_cache(maxsize=1024)
def wall_range_of(window: TimeRange, zone: Zone | None) -> WallRange:
    """The wall times of a range in ``zone`` (``None``: UTC)."""
    if zone is None:
        return WallRange(window, window)
    clock = clock_of(zone)
    start, end = window.start, window.end
    first = (0, 0) if start is None else clock.offsets_around(start)
    last = (0, 0) if end is None else clock.offsets_around(end)
    wide = TimeRange(None if start is None else start + first[0], None if end is None else end + last[1])
    if first[0] == first[1] and last[0] == last[1]:
        return WallRange(wide, wide)
    return WallRange(
        wide, TimeRange(None if start is None else start + first[1], None if end is None else end + last[0])
    )


def widened(window: TimeRange, zone: Zone | None) -> TimeRange:
    """A range with a second more at each end, and enough at a transition to include every floating time in it."""
    wide, sure = wall_range_of(window, zone)
    start, end = window.start, window.end
    if start is not None and wide.start is not None and sure.start is not None:
        start -= 1 + 2 * (sure.start - wide.start)
    if end is not None and wide.end is not None and sure.end is not None:
        end += 1 + 2 * (wide.end - sure.end)
    return TimeRange(start, end)
