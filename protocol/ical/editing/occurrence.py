"""Change or removal of one occurrence (RFC 5545 §3.8.4.4, §3.8.5.1).

Rules of this module: a changed occurrence is an override component beside the master, a removed one an EXDATE.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.base import (
    is_range_override,
    key_of,
    master_occurrences,
    original_key,
    original_line,
    original_wall,
    override_at,
    series_time,
)
from protocol.ical.editing.edit import Edit, render_document, start_line, with_edit, with_lines, with_revision
from protocol.ical.editing.series import change_all, with_moved_end
from protocol.ical.editing.times import SeriesTime, with_same_length
from protocol.ical.lines import with_value
from protocol.ical.names import EXTENT_NAMES, RECURRENCE_NAMES
from protocol.ical.recurrence import Budget, Occurrence, is_recurring, occurrences
from protocol.ical.timing import Zones, timing_of
from protocol.model import FOREVER, TimeRange

_END_OF = {"VEVENT": "DTEND", "VTODO": "DUE"}


def change_occurrence(
    document: Document, occurrence: Occurrence, edit: Edit, *, now: int, budget: Budget | None = None
) -> bytes:
    """The text of the object with one occurrence changed, or of an object that does not recur with the object changed.

    ``now`` is epoch seconds. A new DTSTART without a new end moves the end too.
    """
    if not is_recurring(document):
        return change_all(document, edit, now=now)
    time = series_time(document)
    key = key_of(document, time, occurrence, budget)
    existing = override_at(document, time, key)
    base = existing
    if base is None or is_range_override(base):
        base = _explicit_override(document, occurrence, time, key)
    changed = with_revision(with_moved_end(base, with_edit(base, edit), document.timezones), base, now)
    members = _without(document, existing, time, budget)
    return render_document(document, [*members, changed], edit.timezones)


def remove_occurrence(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence; ``None`` when nothing is left of it."""
    time = series_time(document)
    master = document.master
    key = key_of(document, time, occurrence, budget)
    members = _without(document, override_at(document, time, key), time, budget)
    if master is None or not is_recurring(document):
        return render_document(document, members) if members and master is None else None
    dates = [*master.all("EXDATE"), original_line("EXDATE", time, occurrence.wall, key)]
    changed = with_revision(with_lines(master, dates), master, now)
    overrides = tuple(item for item in members if item is not master)
    rest = Document(document.calendar, document.uid, document.component, changed, overrides, document.timezones)
    if not occurrences(rest, TimeRange(-FOREVER, None), budget=budget, limit=1):
        return None
    return render_document(document, rest.members)


def _without(
    document: Document, override: Component | None, time: SeriesTime, budget: Budget | None
) -> list[Component]:
    """The components without an override; a range override then begins with the next occurrence."""
    members = [item for item in document.members if item is not override]
    own = None if override is None else original_key(override, time)
    if override is not None and own is not None and is_range_override(override):
        members.extend(reanchored(document, override, time, own + 1, budget))
    return members


def reanchored(
    document: Document, override: Component, time: SeriesTime, low: int, budget: Budget | None = None
) -> list[Component]:
    """A range override rewritten to begin with the first occurrence at the instant ``low`` or later."""
    if document.master is None:
        return []
    known = {original_key(item, time) for item in document.overrides}
    after = [
        key for item in document.overrides if is_range_override(item) and (key := original_key(item, time)) is not None
    ]
    end = min((key for key in after if key >= low), default=None)
    periods = sum(line.value.count("/") for line in document.master.all("RDATE"))
    found: list[Component] = []
    # Whatever may come before the occurrence to find has an override or is a PERIOD.
    for item in master_occurrences(document, TimeRange(low, end), budget, limit=len(known) + periods + 1):
        if item.start < low or item.start in known:
            continue
        if item.whole_day or item.end == item.start:
            return [*found, _anchored_at(document, override, item, time)]
        # The override's length holds for all later ones; a PERIOD has its own (RFC 5545 §3.8.5.2) and needs an
        # override.
        found.append(_explicit_override(document, _shifted(document, override, item, time), time, item.start))
    return found


def _anchored_at(document: Document, override: Component, original: Occurrence, time: SeriesTime) -> Component:
    """The range override of a later occurrence, with the same shift and the same length."""
    line = original_line("RECURRENCE-ID", time, original.wall, original.start)
    lines = [with_value(line, line.value, params=";RANGE=THISANDFUTURE", drop=frozenset())]
    start = start_line(override)
    own = None if start is None else SeriesTime.of(start, document.timezones)
    if start is not None and own is not None:
        # In a DST gap the clock shows another time, but the written time is what moves the later occurrences.
        wall = original.wall + _shift(override, own, time)
        lines.append(own.line(start.name, wall, like=start))
        for item in (item for name in _END_OF.values() if name != start.name for item in override.all(name)):
            end = SeriesTime.of(item, document.timezones)
            lines.append(item if end is None else with_same_length(item, own, end, own, wall))
    return with_lines(override, lines, RECURRENCE_NAMES)


def _shifted(document: Document, override: Component, original: Occurrence, time: SeriesTime) -> Occurrence:
    """An occurrence with a length of its own, shifted by the range override before it."""
    line = start_line(override)
    own = None if line is None else SeriesTime.of(line, document.timezones)
    # An override without a time of its own moves nothing.
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


def _explicit_override(document: Document, occurrence: Occurrence, time: SeriesTime, key: int) -> Component:
    """An override that states an occurrence as it is now; ``key`` is its original start as an instant."""
    source = occurrence.component
    lines = [line for line in source.properties if line.name not in RECURRENCE_NAMES and line.name != "RECURRENCE-ID"]
    lines.insert(_after_uid(lines), original_line("RECURRENCE-ID", time, occurrence.wall, key))
    bare = Component(source.name, lines, source.components)
    start = source.first("DTSTART")
    like = start_line(source) or (None if document.master is None else start_line(document.master))
    if start is None and like is not None and occurrence.end > occurrence.start:
        # Beside a DUE alone only a PERIOD gives a length; an override without any time would take the master's.
        start = Property("DTSTART", like.value, None, f"DTSTART{like.params_text}:{like.value}")
    own = None if start is None else SeriesTime.of(start, document.timezones)
    ends = [line for line in lines if line.name in _END_OF.values()]
    shown = [] if start is None else [_line_at(start, occurrence.start, document)]
    changed = with_lines(bare, [*shown, *(_line_at(line, occurrence.end, document) for line in ends)])
    if start is None or own is None:
        return changed
    if not ends:
        # The master's written time is kept even in a DST gap, where the clock shows another: a nominal DURATION counts
        # from the written time (RFC 5545 §3.3.5, §3.3.6).
        wall = occurrence.wall + _shift(source, own, time)
        if own.instant(wall) == occurrence.start:
            changed = with_lines(bare, [own.line("DTSTART", wall, like=start)])
    if _end_of(changed, document) == occurrence.end or source.name not in _END_OF:
        return changed
    # The PERIOD of an RDATE has its own length, whatever end the master has.
    name = _END_OF[source.name]
    end = own.line_at(name, occurrence.end, source.first(name) or Property.make(name, ""))
    return with_lines(bare, [*shown, end] if occurrence.end > occurrence.start else shown, EXTENT_NAMES)


def _end_of(component: Component, document: Document) -> int | None:
    """When a component ends, as an instant; ``None`` when it has no time."""
    timing = timing_of(component, Zones(document.timezones))
    return None if timing is None else timing.end(timing.start.wall, timing.start.instant)


def _line_at(line: Property, instant: int, document: Document) -> Property:
    """The line at another instant, in its own form (for floating time, wall seconds)."""
    time = SeriesTime.of(line, document.timezones)
    return line if time is None else time.line_at(line.name, instant, line)


def _after_uid(lines: list[Property]) -> int:
    return next((place + 1 for place, line in enumerate(lines) if line.name == "UID"), 0)
