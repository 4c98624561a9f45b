"""An edit of one occurrence, applied to the series from that occurrence on (RFC 5545 §3.8.2.4, §3.8.5).

The user gives a time for the occurrence they see, but a series gives the time of its DTSTART. The two differ when the
first occurrence was removed or the chosen one is an extra date. Rules of this module: their distance stays the same.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.editing.base import is_range_override, original_key, series_time
from protocol.ical.editing.edit import Edit, with_edit, with_revision
from protocol.ical.editing.series import changed_members, with_moved_end
from protocol.ical.editing.times import SeriesTime, with_same_length
from protocol.ical.names import END_NAMES, RECURRENCE_NAMES
from protocol.ical.timezones import tzid_of


def changed_members_from(part: Document, edit: Edit, delta: int, now: int) -> list[Component]:
    """The components of a series, changed so that one occurrence changes as asked; it is ``delta`` after DTSTART.

    ``delta`` is wall time in seconds. An override of that occurrence changes too, because the user chose it.
    """
    members = changed_members(part, _relative_edit(edit, part, delta), now)
    time = series_time(part)
    chosen = time.instant(time.wall + delta)
    for place, override in enumerate(part.overrides, len(members) - len(part.overrides)):
        if original_key(override, time) == chosen and not is_range_override(override):
            members[place] = _edited_override(members[place], edit, part, now)
    return members


def _relative_edit(edit: Edit, part: Document, delta: int) -> Edit:
    """The edit with times for DTSTART and its end that give the occurrence the times asked for."""
    if not delta:
        return edit
    timezones = {**part.timezones, **{tzid_of(zone): zone for zone in edit.timezones}}
    seen = replace(series_time(part), wall=series_time(part).wall + delta)
    for line in edit.properties:
        if line.name == "DTSTART":
            seen = SeriesTime.of(line, timezones) or seen
    lines = []
    for line in edit.properties:
        end = SeriesTime.of(line, timezones) if line.name in END_NAMES else None
        if line.name == "DTSTART":
            lines.append(seen.line("DTSTART", seen.wall - delta, like=line))
        elif end is not None:
            lines.append(with_same_length(line, seen, end, seen, seen.wall - delta))
        else:
            lines.append(line)
    return replace(edit, properties=tuple(lines))


def _edited_override(override: Component, edit: Edit, part: Document, now: int) -> Component:
    lines = tuple(line for line in edit.properties if line.name not in RECURRENCE_NAMES)
    own = replace(edit, properties=lines, removed=edit.removed - RECURRENCE_NAMES)
    if not own.names and own.alarms is None:
        return override
    timezones = {**part.timezones, **{tzid_of(zone): zone for zone in edit.timezones}}
    return with_revision(with_moved_end(override, with_edit(override, own), timezones), override, now)
