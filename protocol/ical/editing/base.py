"""What every edit needs to know of a document: how its series writes times, which override is of which occurrence.

Rules of this module: reading only (RFC 5545 §3.8.4.4).
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.times import SeriesTime
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.ical.values import Form, parse_when, wall_seconds
from protocol.model import TimeRange

RECURRENCE_NAMES = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})


def series_time(document: Document) -> SeriesTime:
    """How a document writes its original starts; refuses a document without any time."""
    lines: list[Property | None] = []
    if document.master is not None:
        lines = [document.master.first("DTSTART"), document.master.first("DUE")]
    lines.extend(item.first("RECURRENCE-ID") for item in document.overrides)
    for line in lines:
        time = None if line is None else SeriesTime.of(line, document.timezones)
        if time is not None:
            return time
    raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The object has no time that could be edited.")


def original_wall(override: Component, time: SeriesTime) -> int | None:
    """Which occurrence an override is of, as wall time of the series; ``None`` when that cannot be read."""
    line = override.first("RECURRENCE-ID")
    walls = [] if line is None else time.walls(line)
    return walls[0] if walls else None


def original_key(override: Component, time: SeriesTime) -> int | None:
    """The same as an instant: two texts of one instant are of one occurrence (RFC 5545 §3.8.4.4)."""
    line = override.first("RECURRENCE-ID")
    keys = [] if line is None else time.keys(line)
    return keys[0] if keys else None


def override_of(document: Document, time: SeriesTime, wall: int) -> Component | None:
    """The override of one occurrence."""
    key = time.instant(wall)
    return next((item for item in document.overrides if original_key(item, time) == key), None)


def is_following(override: Component) -> bool:
    """Whether an override also changes what comes after it (RANGE=THISANDFUTURE)."""
    line = override.first("RECURRENCE-ID")
    return line is not None and (line.param("RANGE") or "").upper() == "THISANDFUTURE"


def find_occurrence(document: Document, recurrence_id: str, budget: Budget | None = None) -> Occurrence | None:
    """The occurrence that a RECURRENCE-ID value means, wherever it now is; ``None`` when there is none.

    The value is written as an expansion writes it (UTC, or a DATE, or floating time), or as local time of the series.
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
    override = next((item for item in document.overrides if original_key(item, time) == key), None)
    if override is not None and (line := override.first("DTSTART")) is not None:
        own = SeriesTime.of(line, document.timezones)
        start = key if own is None else own.instant(own.wall)
    # A THISANDFUTURE override may have moved it, and nothing says how far but the occurrences themselves.
    room = 366 * 86400 if any(map(is_following, document.overrides)) else 1
    found = occurrences(document, TimeRange(start - room, start + room), budget=budget)
    # In a DST gap the engine's wall time is the one of the rule, the clock shows another: the instant is the same.
    return next((item for item in found if item.wall == wall or time.instant(item.wall) == key), None)
