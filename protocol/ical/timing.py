"""When one component is: its start, its zone and its length (RFC 5545 §3.6.1, §3.6.2, §3.6.3, §3.8.2).

Rules of this module: one component's own lines, no recurrence. The end is calculated for each occurrence, because a
DTEND gives every occurrence the same exact length and a DURATION the same nominal one (RFC 5545 §3.8.5.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from protocol.ical.components import Component, Property
from protocol.ical.names import TIME_NAMES
from protocol.ical.timezones.resolution import zone_name, zone_of_tzid
from protocol.ical.timezones.zone import UTC_CLOCK, ZoneClock, clock_of
from protocol.ical.values import Form, parse_duration, parse_when, wall_seconds
from protocol.model import DAY


class Moment(NamedTuple):
    """One DATE or DATE-TIME value: wall seconds, how it was written, and its clock (``None``: floating or DATE)."""

    wall: int
    form: Form
    clock: ZoneClock | None

    @property
    def floating(self) -> bool:
        """Whether no zone makes it an instant: floating time, a DATE, an unknown TZID."""
        return self.clock is None

    @property
    def instant(self) -> int:
        """Epoch seconds; for floating time and a DATE, the wall time read as UTC."""
        return self.wall if self.clock is None else self.clock.to_epoch(self.wall)


class Zones:
    """The TZIDs of one object, each resolved once."""

    __slots__ = ("_definitions", "_known")

    def __init__(self, definitions: Mapping[str, Component]) -> None:
        self._definitions = definitions
        self._known: dict[str, ZoneClock | None] = {}

    def clock(self, tzid: str) -> ZoneClock | None:
        """The clock of a TZID; ``None`` for an unknown one, whose times then float in the zone of the calendar."""
        if tzid not in self._known:
            zone = zone_of_tzid(tzid, self._definitions)
            self._known[tzid] = None if zone is None else clock_of(zone)
        return self._known[tzid]

    def names(self) -> tuple[str, ...]:
        """The IANA keys of the zones seen so far, sorted, without UTC, whose law never changes."""
        found = {zone_name(clock.zone) for clock in self._known.values() if clock is not None}
        return tuple(sorted(name for name in found if name not in (None, "UTC"))) if found else ()


@dataclass(frozen=True, slots=True)
class Timing:
    """When a component is, and how long it lasts."""

    start: Moment
    days: int
    seconds: int
    exact: bool
    """Whether it lasts ``seconds`` of elapsed time; otherwise ``days`` by the clock and then ``seconds``."""

    @property
    def all_day(self) -> bool:
        """Whether it consists of whole days."""
        return self.start.form is Form.DATE

    @property
    def longest(self) -> int:
        """An upper bound for the length of an occurrence, in seconds."""
        total = self.days * DAY + self.seconds
        return total + DAY if self.days and self.start.clock is not None else total

    def end(self, wall: int, instant: int) -> int:
        """The end of the occurrence that starts at ``wall``, at the instant ``instant``; never before its start."""
        clock = self.start.clock
        if self.days and clock is not None and not self.exact:
            return max(clock.to_epoch(wall + self.days * DAY) + self.seconds, instant)
        return instant + self.days * DAY + self.seconds


def moments_of(line: Property, zones: Zones) -> list[Moment]:
    """The values of a date list such as EXDATE; unreadable ones are left out."""
    found = []
    for text in line.value.split(","):
        moment = moment_of(text, line, zones)
        if moment is not None:
            found.append(moment)
    return found


def moment_of(text: str, line: Property, zones: Zones) -> Moment | None:
    """One value of ``line`` in the zone of the line; ``None`` when it is unreadable."""
    try:
        return _moment(text, line, zones)
    except ValueError:
        return None


def read_moment(line: Property, zones: Zones) -> Moment:
    """The only value of ``line``; ``ValueError`` when it is unreadable."""
    return _moment(line.value, line, zones)


def _moment(text: str, line: Property, zones: Zones) -> Moment:
    wall, form = parse_when(text)
    clock = None
    if form is Form.UTC:
        clock = UTC_CLOCK
    elif form is Form.LOCAL:
        tzid = line.param("TZID")
        clock = zones.clock(tzid) if tzid else None
    return Moment(wall_seconds(wall), form, clock)


def timing_of(component: Component, zones: Zones) -> Timing | None:
    """When ``component`` is; ``None`` when it has no readable time of its own.

    Without an end, a DATE lasts its day and a DATE-TIME no time (RFC 5545 §3.6.1). A VTODO with DUE alone is at its
    DUE. An end before the start counts as no end.
    """
    lines: dict[str, Property] = {}
    for line in component.properties:
        if line.name in TIME_NAMES:
            lines.setdefault(line.name, line)
    is_todo = component.name == "VTODO"
    end_line = lines.get("DUE" if is_todo else "DTEND")
    start_line = lines.get("DTSTART")
    if start_line is None:
        due = moment_of(end_line.value, end_line, zones) if is_todo and end_line else None
        return None if due is None else Timing(due, 0, 0, exact=True)
    start = moment_of(start_line.value, start_line, zones)
    if start is None:
        return None
    end = moment_of(end_line.value, end_line, zones) if end_line else None
    if end is not None:
        start, end = _same_kind(start, end)
        length = end.instant - start.instant
        if length > 0 or (length == 0 and start.form is not Form.DATE):
            return Timing(start, 0, length, exact=True)
    elif "DURATION" in lines:
        timing = _of_duration(start, lines["DURATION"].value)
        if timing is not None:
            return timing
    return Timing(start, int(start.form is Form.DATE and not is_todo), 0, exact=False)


def _of_duration(start: Moment, text: str) -> Timing | None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return None
    days, seconds = duration.days, duration.seconds
    if start.form is Form.DATE:
        # A DATE has a nominal length of days only (RFC 5545 §3.6.1); hours round up to days.
        days, seconds = days - (-seconds // DAY), 0
    if duration.total < 0 or (start.form is Form.DATE and days <= 0):
        return None
    return Timing(start, days, seconds, exact=False)


def _same_kind(start: Moment, end: Moment) -> tuple[Moment, Moment]:
    """Start and end with the type of DTSTART; a zone that only one of them has goes to the other."""
    if start.form is Form.DATE and end.form is not Form.DATE:
        return start, Moment(-(-end.wall // DAY) * DAY, Form.DATE, None)
    if start.form is not Form.DATE and end.form is Form.DATE:
        return start, Moment(end.wall, start.form, start.clock)
    if start.clock is None and end.clock is not None:
        return Moment(start.wall, end.form, end.clock), end
    if end.clock is None and start.clock is not None:
        return start, Moment(end.wall, start.form, start.clock)
    return start, end
