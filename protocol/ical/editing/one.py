"""One occurrence changed or taken away (RFC 5545 §3.8.4.4, §3.8.5.1).

Rules of this module: a change of one occurrence is an override component beside the master; a removal is an EXDATE.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.base import RECURRENCE_NAMES, is_following, override_of, series_time
from protocol.ical.editing.edit import Edit, applied, replaced, revised, text_of
from protocol.ical.editing.series import change_all, with_moved_end
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import said_again
from protocol.ical.recurrence import Budget, Occurrence, is_recurring, occurrences
from protocol.model import FOREVER, TimeRange

_LOOK_AHEAD = 50
"""How many overrides may stand between a THISANDFUTURE override and the next occurrence that it describes."""


def change_occurrence(
    document: Document, occurrence: Occurrence, edit: Edit, *, now: int, budget: Budget | None = None
) -> bytes:
    """The object with one occurrence changed; of an object that does not recur, the object changed.

    ``now`` is epoch seconds. A new DTSTART without a new end moves the end along.
    """
    if not is_recurring(document):
        return change_all(document, edit, now=now)
    time = series_time(document)
    existing = override_of(document, time, occurrence.wall)
    base = existing
    if base is None or is_following(base):
        base = instance_of(document, occurrence, time)
    changed = revised(with_moved_end(base, applied(base, edit), document.timezones), base, now)
    members = _without(document, existing, occurrence, time, budget)
    return text_of(document, [*members, changed], edit.timezones)


def remove_occurrence(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence; ``None`` when nothing is left of it."""
    time = series_time(document)
    master = document.master
    members = _without(document, override_of(document, time, occurrence.wall), occurrence, time, budget)
    if master is None or not is_recurring(document):
        return text_of(document, members) if members and master is None else None
    dates = [*master.all("EXDATE"), time.line("EXDATE", occurrence.wall)]
    changed = revised(replaced(master, dates), master, now)
    overrides = tuple(item for item in members if item is not master)
    rest = Document(document.calendar, document.uid, document.component, changed, overrides, document.timezones)
    if not occurrences(rest, TimeRange(-FOREVER, None), budget=budget, limit=1):
        return None
    return text_of(document, rest.members)


def _without(
    document: Document, override: Component | None, occurrence: Occurrence, time: SeriesTime, budget: Budget | None
) -> list[Component]:
    """The components without an override; one that also changes what comes after it begins with the next occurrence."""
    members = [item for item in document.members if item is not override]
    if override is None or not is_following(override):
        return members
    later = occurrences(document, TimeRange(occurrence.start, None), budget=budget, limit=_LOOK_AHEAD)
    following = next((item for item in later if item.wall > occurrence.wall and item.component is override), None)
    if following is not None:
        anchored = instance_of(document, following, time)
        line = time.line("RECURRENCE-ID", following.wall)
        ranged = said_again(line, line.value, params=";RANGE=THISANDFUTURE", drop=frozenset())
        members.append(replaced(anchored, [ranged]))
    return members


def instance_of(document: Document, occurrence: Occurrence, time: SeriesTime) -> Component:
    """An override that says exactly what an occurrence says now."""
    source = occurrence.component
    lines: list[Property] = []
    start = source.first("DTSTART")
    if start is not None:
        start = _at(start, occurrence.start, document)
    for line in source.properties:
        if line.name in RECURRENCE_NAMES or line.name == "RECURRENCE-ID":
            continue
        if line.name == "DTSTART" and start is not None:
            line = start
        elif line.name in ("DTEND", "DUE"):
            line = _at(line, occurrence.end, document)
        lines.append(line)
    lines.insert(_after_uid(lines), time.line("RECURRENCE-ID", occurrence.wall))
    return Component(source.name, lines, source.components)


def _at(line: Property, instant: int, document: Document) -> Property:
    """The line at another instant (wall seconds where it floats), in its own form."""
    time = SeriesTime.of(line, document.timezones)
    return line if time is None else time.line_at(line.name, instant, line)


def _after_uid(lines: list[Property]) -> int:
    return next((place + 1 for place, line in enumerate(lines) if line.name == "UID"), 0)
