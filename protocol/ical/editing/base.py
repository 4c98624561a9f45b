"""What every edit asks of a document: the form of its times, and which occurrence an override belongs to.

Rules of this module: it only reads (RFC 5545 §3.8.4.4).
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.edit import start_line, with_lines
from protocol.ical.editing.times import SeriesTime
from protocol.ical.names import EXTENT_NAMES
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.ical.values import Form, parse_when, wall_seconds
from protocol.model import DAY, TimeRange


def series_time(document: Document) -> SeriesTime:
    """The form in which a document writes its original starts; refuses a document without any time."""
    lines: list[Property | None] = []
    if document.master is not None:
        lines = [document.master.first("DTSTART"), document.master.first("DUE")]
    lines.extend(item.first("RECURRENCE-ID") for item in document.overrides)
    for line in lines:
        time = None if line is None else SeriesTime.of(line, document.timezones)
        if time is not None:
            return time
    raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The object has no time that can be edited.")


def original_wall(override: Component, time: SeriesTime) -> int | None:
    """The original start of an override's occurrence, in wall time of the series; ``None`` when it is unreadable."""
    line = override.first("RECURRENCE-ID")
    walls = [] if line is None else time.walls(line)
    return walls[0] if walls else None


def original_key(override: Component, time: SeriesTime) -> int | None:
    """The same as an instant: RECURRENCE-IDs of one instant mean one occurrence (RFC 5545 §3.8.4.4)."""
    line = override.first("RECURRENCE-ID")
    keys = [] if line is None else time.keys(line)
    return keys[0] if keys else None


def override_at(document: Document, time: SeriesTime, key: int) -> Component | None:
    """The override of the occurrence that originally starts at the instant ``key``."""
    return next((item for item in document.overrides if original_key(item, time) == key), None)


def is_range_override(override: Component) -> bool:
    """Whether an override also changes all later occurrences (RANGE=THISANDFUTURE)."""
    line = override.first("RECURRENCE-ID")
    return line is not None and (line.param("RANGE") or "").upper() == "THISANDFUTURE"


def original_line(name: str, time: SeriesTime, wall: int, key: int) -> Property:
    """A RECURRENCE-ID or EXDATE for an original start; in UTC when local time would mean another instant (§3.3.5)."""
    return time.line(name, wall) if time.instant(wall) == key else Property.make(name, utc_text(key))


def master_occurrences(
    document: Document, window: TimeRange, budget: Budget | None = None, limit: int | None = None
) -> list[Occurrence]:
    """The occurrences of the master alone, at their original starts; timed ones have no length, unless a PERIOD's."""
    master = document.master
    if master is None:
        return []
    if master.first("DTSTART") is not None:
        master = with_lines(master, (), EXTENT_NAMES)
    is_only_rule = Document(document.calendar, document.uid, document.component, master, (), document.timezones)
    return occurrences(is_only_rule, window, budget=budget, limit=limit)


def key_of(document: Document, time: SeriesTime, occurrence: Occurrence, budget: Budget | None = None) -> int:
    """The original start of an occurrence as an instant; two occurrences may have the same wall time."""
    if time.clock is None:
        return occurrence.wall
    if not occurrence.is_override:
        return occurrence.start
    override = occurrence.component
    if not is_range_override(override) or original_wall(override, time) == occurrence.wall or document.master is None:
        key = original_key(override, time)
        return time.instant(occurrence.wall) if key is None else key
    return _key_of_shifted(document, time, occurrence, budget)


def _key_of_shifted(document: Document, time: SeriesTime, occurrence: Occurrence, budget: Budget | None) -> int:
    """The original start of an occurrence that a range override moved: its present start does not show it."""
    wall = occurrence.wall
    first = time.instant(wall)
    second = first if time.clock is None else wall - time.clock.offset(first + DAY)
    if time.clock is None or second <= first or time.clock.to_wall(second) != wall:
        return first
    known = {original_key(item, time) for item in document.overrides}
    found = [item for item in master_occurrences(document, TimeRange(first, second + 1), budget) if item.wall == wall]
    lengths = {item.start: item.end - item.start for item in found if item.start not in known}
    length = occurrence.end - occurrence.start
    # Only the length of a PERIOD can tell two candidates apart. If it does not, they look the same: take either.
    return min(lengths, key=lambda key: (lengths[key] != length, lengths[key] > 0, key), default=first)


def find_occurrence(document: Document, recurrence_id: str, budget: Budget | None = None) -> Occurrence | None:
    """The occurrence that a RECURRENCE-ID value means, wherever it is now; ``None`` when there is none.

    The value has the form of an expansion (UTC, a DATE, or floating time), or is local time of the series.
    """
    try:
        at, form = parse_when(recurrence_id)
    except ValueError:
        return None
    time = series_time(document)
    wall = wall_seconds(at)
    if form is Form.UTC and time.clock is not None:
        key, wall = wall, time.clock.to_wall(wall)
    else:
        key = time.instant(wall)
    start = key
    override = override_at(document, time, key)
    if override is not None and (line := start_line(override)) is not None:
        own = SeriesTime.of(line, document.timezones)
        start = key if own is None else own.instant(own.wall)
    # A range override may have moved it, and only the occurrences themselves show how far.
    room = 366 * DAY if any(map(is_range_override, document.overrides)) else 1
    found = occurrences(document, TimeRange(start - room, start + room), budget=budget)
    # In a DST gap the wall time of the rule differs from what the clock shows. The instant is the same.
    near = [item for item in found if item.wall == wall or time.instant(item.wall) == key]
    exact = next((item for item in near if key_of(document, time, item, budget) == key), None)
    if exact is not None or not near:
        return exact
    # In an hour that comes twice, local time may mean the second pass, when the first pass has no occurrence. If a
    # range override moved both, they look the same: take either.
    alike = form is not Form.UTC or any(
        item.start == key for item in master_occurrences(document, TimeRange(key, key + 1), budget)
    )
    return near[-1] if alike else None
