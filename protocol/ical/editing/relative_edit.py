"""An edit of one occurrence, put on the series that is changed from there on (RFC 5545 §3.8.2.4, §3.8.5).

A user says when the occurrence that they see shall be; a series says when its DTSTART is, which may be another one: the
first was removed, or the one they see is an extra date. Rules of this module: the distance between the two stays.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.editing.base import is_following, original_key, series_time
from protocol.ical.editing.edit import Edit, applied, revised
from protocol.ical.editing.series import changed_members, with_moved_end
from protocol.ical.editing.times import SeriesTime, end_as_far
from protocol.ical.names import END_NAMES, RECURRENCE_NAMES
from protocol.ical.timezones import tzid_of


def changed_from(part: Document, edit: Edit, delta: int, now: int) -> list[Component]:
    """The components of a series changed as one occurrence of it is, which is ``delta`` of wall time behind DTSTART.

    An override of that very occurrence is changed too: the user chose it.
    """
    members = changed_members(part, _rebased(edit, part, delta), now)
    time = series_time(part)
    chosen = time.instant(time.wall + delta)
    for place, override in enumerate(part.overrides, len(members) - len(part.overrides)):
        if original_key(override, time) == chosen and not is_following(override):
            members[place] = _with_edit(members[place], edit, part, now)
    return members


def _rebased(edit: Edit, part: Document, delta: int) -> Edit:
    """The edit with the times that DTSTART and its end have when the occurrence has those of the edit."""
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
            lines.append(end_as_far(line, seen, end, seen, seen.wall - delta))
        else:
            lines.append(line)
    return replace(edit, properties=tuple(lines))


def _with_edit(override: Component, edit: Edit, part: Document, now: int) -> Component:
    lines = tuple(line for line in edit.properties if line.name not in RECURRENCE_NAMES)
    own = replace(edit, properties=lines, removed=edit.removed - RECURRENCE_NAMES)
    if not own.names and own.alarms is None:
        return override
    timezones = {**part.timezones, **{tzid_of(zone): zone for zone in edit.timezones}}
    return revised(with_moved_end(override, applied(override, own), timezones), override, now)
