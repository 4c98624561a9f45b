"""One occurrence changed or taken away (RFC 5545 §3.8.4.4, §3.8.5.1).

Rules of this module: a change of one occurrence is an override component beside the master; a removal is an EXDATE.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.base import (
    is_following,
    key_of,
    original_key,
    original_line,
    original_wall,
    originals,
    override_at,
    series_time,
)
from protocol.ical.editing.edit import Edit, applied, replaced, revised, start_line, text_of
from protocol.ical.editing.series import change_all, with_moved_end
from protocol.ical.editing.times import SeriesTime, end_as_far
from protocol.ical.lines import with_value
from protocol.ical.names import EXTENT_NAMES, RECURRENCE_NAMES
from protocol.ical.recurrence import Budget, Occurrence, is_recurring, occurrences
from protocol.ical.timing import Zones, timing_of
from protocol.model import FOREVER, TimeRange

_END_OF = {"VEVENT": "DTEND", "VTODO": "DUE"}


def change_occurrence(
    document: Document, occurrence: Occurrence, edit: Edit, *, now: int, budget: Budget | None = None
) -> bytes:
    """The object with one occurrence changed; of an object that does not recur, the object changed.

    ``now`` is epoch seconds. A new DTSTART without a new end moves the end along.
    """
    if not is_recurring(document):
        return change_all(document, edit, now=now)
    time = series_time(document)
    key = key_of(document, time, occurrence, budget)
    existing = override_at(document, time, key)
    base = existing
    if base is None or is_following(base):
        base = _instance(document, occurrence, time, key)
    changed = revised(with_moved_end(base, applied(base, edit), document.timezones), base, now)
    members = _without(document, existing, time, budget)
    return text_of(document, [*members, changed], edit.timezones)


def remove_occurrence(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence; ``None`` when nothing is left of it."""
    time = series_time(document)
    master = document.master
    key = key_of(document, time, occurrence, budget)
    members = _without(document, override_at(document, time, key), time, budget)
    if master is None or not is_recurring(document):
        return text_of(document, members) if members and master is None else None
    dates = [*master.all("EXDATE"), original_line("EXDATE", time, occurrence.wall, key)]
    changed = revised(replaced(master, dates), master, now)
    overrides = tuple(item for item in members if item is not master)
    rest = Document(document.calendar, document.uid, document.component, changed, overrides, document.timezones)
    if not occurrences(rest, TimeRange(-FOREVER, None), budget=budget, limit=1):
        return None
    return text_of(document, rest.members)


def _without(
    document: Document, override: Component | None, time: SeriesTime, budget: Budget | None
) -> list[Component]:
    """The components without an override; one that also changes what comes after it begins with the next occurrence."""
    members = [item for item in document.members if item is not override]
    own = None if override is None else original_key(override, time)
    if override is not None and own is not None and is_following(override):
        members.extend(said_from(document, override, time, own + 1, budget))
    return members


def said_from(
    document: Document, override: Component, time: SeriesTime, low: int, budget: Budget | None = None
) -> list[Component]:
    """What a THISANDFUTURE override says, said of the first occurrence at the instant ``low`` or after it."""
    if document.master is None:
        return []
    known = {original_key(item, time) for item in document.overrides}
    after = [key for item in document.overrides if is_following(item) and (key := original_key(item, time)) is not None]
    end = min((key for key in after if key >= low), default=None)
    periods = sum(line.value.count("/") for line in document.master.all("RDATE"))
    said: list[Component] = []
    # All that may come before the one that is looked for has an override or is a PERIOD.
    for item in originals(document, TimeRange(low, end), budget, limit=len(known) + periods + 1):
        if item.start < low or item.start in known:
            continue
        if item.whole_day or item.end == item.start:
            return [*said, _anchored(document, override, item, time)]
        # An override's length is that of all after it; a PERIOD's is its own (RFC 5545 §3.8.5.2): it is said alone.
        said.append(_instance(document, _moved(document, override, item, time), time, item.start))
    return said


def _anchored(document: Document, override: Component, original: Occurrence, time: SeriesTime) -> Component:
    """The THISANDFUTURE override as that of a later occurrence, with the same shift and the same length."""
    line = original_line("RECURRENCE-ID", time, original.wall, original.start)
    lines = [with_value(line, line.value, params=";RANGE=THISANDFUTURE", drop=frozenset())]
    start = start_line(override)
    own = None if start is None else SeriesTime.of(start, document.timezones)
    if start is not None and own is not None:
        # In a DST gap the clock shows another time, but what is written there is what moves all that comes after.
        wall = original.wall + _shift(override, own, time)
        lines.append(own.line(start.name, wall, like=start))
        for item in (item for name in _END_OF.values() if name != start.name for item in override.all(name)):
            end = SeriesTime.of(item, document.timezones)
            lines.append(item if end is None else end_as_far(item, own, end, own, wall))
    return replaced(override, lines, RECURRENCE_NAMES)


def _moved(document: Document, override: Component, original: Occurrence, time: SeriesTime) -> Occurrence:
    """An occurrence with a length of its own, as a THISANDFUTURE override before it moved it."""
    line = start_line(override)
    own = None if line is None else SeriesTime.of(line, document.timezones)
    # Without a time of its own it moved nothing.
    start = original.start if own is None else own.instant(original.wall + _shift(override, own, time))
    return original._replace(
        start=start,
        end=start + original.end - original.start,
        floating=original.floating if own is None else own.clock is None,
        component=override,
        is_override=True,
    )


def _shift(component: Component, own: SeriesTime, time: SeriesTime) -> int:
    """How far an override that begins at ``own`` moved its occurrence, in wall time; 0 for the master."""
    wall = original_wall(component, time)
    return 0 if wall is None else own.wall - wall


def _instance(document: Document, occurrence: Occurrence, time: SeriesTime, key: int) -> Component:
    """An override that says exactly what an occurrence says now; ``key`` is its original start as an instant."""
    source = occurrence.component
    lines = [line for line in source.properties if line.name not in RECURRENCE_NAMES and line.name != "RECURRENCE-ID"]
    lines.insert(_after_uid(lines), original_line("RECURRENCE-ID", time, occurrence.wall, key))
    bare = Component(source.name, lines, source.components)
    start = source.first("DTSTART")
    like = start_line(source) or (None if document.master is None else start_line(document.master))
    if start is None and like is not None and occurrence.end > occurrence.start:
        # With a DUE alone only a PERIOD lasts, without any time as long as the master: that has to be said now.
        start = Property("DTSTART", like.value, None, f"DTSTART{like.params_text}:{like.value}")
    own = None if start is None else SeriesTime.of(start, document.timezones)
    ends = [line for line in lines if line.name in _END_OF.values()]
    shown = [] if start is None else [_at(start, occurrence.start, document)]
    changed = replaced(bare, [*shown, *(_at(line, occurrence.end, document) for line in ends)])
    if start is None or own is None:
        return changed
    if not ends:
        # What the master wrote is kept also in a DST gap, where the clock shows another time: a nominal DURATION counts
        # from what is written (RFC 5545 §3.3.5, §3.3.6).
        wall = occurrence.wall + _shift(source, own, time)
        if own.instant(wall) == occurrence.start:
            changed = replaced(bare, [own.line("DTSTART", wall, like=start)])
    if _end_of(changed, document) == occurrence.end or source.name not in _END_OF:
        return changed
    # The PERIOD of an RDATE has a length of its own, whatever the master says or does not say of its end.
    name = _END_OF[source.name]
    end = own.line_at(name, occurrence.end, source.first(name) or Property.make(name, ""))
    return replaced(bare, [*shown, end] if occurrence.end > occurrence.start else shown, EXTENT_NAMES)


def _end_of(component: Component, document: Document) -> int | None:
    """When a component ends, as an instant; ``None`` when it has no time."""
    timing = timing_of(component, Zones(document.timezones))
    return None if timing is None else timing.end(timing.start.wall, timing.start.instant)


def _at(line: Property, instant: int, document: Document) -> Property:
    """The line at another instant (wall seconds where it floats), in its own form."""
    time = SeriesTime.of(line, document.timezones)
    return line if time is None else time.line_at(line.name, instant, line)


def _after_uid(lines: list[Property]) -> int:
    return next((place + 1 for place, line in enumerate(lines) if line.name == "UID"), 0)
