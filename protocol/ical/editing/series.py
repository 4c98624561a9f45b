"""The whole series changed: times, rule, exceptions and overrides move together (RFC 5545 §3.8.5).

Rules of this module: what an override had the same as the series follows the series; what it has of its own stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.base import original_wall, series_time
from protocol.ical.editing.edit import Edit, alarms_of, applied, lines_of, replaced, revised, text_of
from protocol.ical.editing.rule import moved_rule
from protocol.ical.editing.times import SeriesTime, moved
from protocol.ical.timezones import tzid_of
from protocol.ical.values import Form

_ENDS = ("DTEND", "DUE", "DURATION")
_TIMES = frozenset({"DTSTART", *_ENDS})
_DATES = frozenset({"EXDATE", "RDATE"})


def change_all(document: Document, edit: Edit, *, now: int) -> bytes:
    """The object with every occurrence changed; ``now`` is epoch seconds.

    A new DTSTART moves the series: end, rule, RDATE, EXDATE and the overrides' RECURRENCE-ID by the same wall time, and
    those overrides that stand where their occurrence was. Of the other properties and the alarms, an override takes
    the new ones where it had the same as the master.
    """
    return text_of(document, changed_members(document, edit, now), edit.timezones)


def changed_members(document: Document, edit: Edit, now: int) -> list[Component]:
    """The components of ``change_all``, master first."""
    master = document.master
    if master is None:
        if len(document.overrides) > 1 and edit.names & _TIMES:
            raise Refusal(
                Condition.VALID_CALENDAR_OBJECT_RESOURCE, "Without the series, its occurrences have no common time."
            )
        return [
            revised(with_moved_end(item, applied(item, edit), document.timezones), item, now)
            for item in document.overrides
        ]
    timezones = {**document.timezones, **{tzid_of(zone): zone for zone in edit.timezones}}
    changed = with_moved_end(master, applied(master, edit), timezones)
    times = None
    if _starts(changed) != _starts(master):
        new = _time_of(changed, timezones)
        # A master that had no time had no occurrences to move.
        old = new if master.first("DTSTART") is None and master.first("DUE") is None else series_time(document)
        changed = _moved_series(changed, edit, old, new)
        times = old, new
    members = [revised(changed, master, now)]
    for override in document.overrides:
        item = _with_shared(override, master, changed, edit)
        time = series_time(document)
        item = _moved_override(item, override, master, changed, times or (time, time), timezones)
        same = item.properties == override.properties and item.components == override.components
        members.append(override if same else revised(item, override, now))
    return members


def _starts(component: Component) -> list[str]:
    return lines_of(component, "DTSTART")


def _time_of(component: Component, timezones: Mapping[str, Component]) -> SeriesTime:
    line = component.first("DTSTART")
    time = None if line is None else SeriesTime.of(line, timezones)
    if time is None:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The new DTSTART is no DATE or DATE-TIME.")
    return time


def with_moved_end(before: Component, after: Component, timezones: Mapping[str, Component]) -> Component:
    """The edited component with its end as far from its start as before, where the edit moved the start alone."""
    if _starts(before) == _starts(after):
        return after
    old_line, new_line = before.first("DTSTART"), after.first("DTSTART")
    if old_line is None or new_line is None:
        return after
    old, new = SeriesTime.of(old_line, timezones), SeriesTime.of(new_line, timezones)
    if old is None or new is None:
        return after
    ends = []
    for name in ("DTEND", "DUE"):
        line = after.first(name)
        end = None if line is None else SeriesTime.of(line, timezones)
        if line is None or end is None or lines_of(before, name) != lines_of(after, name):
            continue
        if (old.form is Form.DATE) is not (new.form is Form.DATE):
            raise Refusal(Condition.VALID_CALENDAR_DATA, f"A DTSTART of another type needs a new {name}.")
        form = end if old.same_form(new) else new
        ends.append(form.line(name, end.wall + new.wall - old.wall, like=line))
    return replaced(after, ends)


def _moved_series(changed: Component, edit: Edit, old: SeriesTime, new: SeriesTime) -> Component:
    delta = new.wall - old.wall
    lines: list[Property] = []
    for line in changed.properties:
        if line.name in edit.names:
            lines.append(line)
        elif line.name in _DATES:
            lines.append(moved(line, old, new, delta))
        elif line.name in ("RRULE", "EXRULE"):
            lines.append(moved_rule(line, old, new, delta))
        else:
            lines.append(line)
    return Component(changed.name, lines, changed.components)


def _with_shared(override: Component, master: Component, changed: Component, edit: Edit) -> Component:
    """The override with those changes of the master that concern what both had the same."""
    names = {name for name in edit.names - _TIMES - _DATES - {"RRULE", "EXRULE"}}
    shared = {name for name in names if lines_of(override, name) == lines_of(master, name)}
    fresh = [line for line in changed.properties if line.name in shared]
    result = replaced(override, fresh, shared - {line.name for line in fresh})
    if edit.alarms is not None and alarms_of(override) == alarms_of(master):
        result = applied(result, Edit(alarms=edit.alarms))
    return result


def _moved_override(
    item: Component,
    override: Component,
    master: Component,
    changed: Component,
    times: tuple[SeriesTime, SeriesTime],
    timezones: Mapping[str, Component],
) -> Component:
    """The override of the moved series: its RECURRENCE-ID, and its own times where they were the series'."""
    old, new = times
    delta = new.wall - old.wall
    moves = bool(delta) or not old.same_form(new)
    line = item.first("RECURRENCE-ID")
    wall = original_wall(override, old)
    if line is None or wall is None:
        return item
    lines = [moved(line, old, new, delta)] if moves else []
    start = override.first("DTSTART")
    own = None if start is None else SeriesTime.of(start, timezones)
    if start is None or own is None or own.wall != wall or not own.same_form(old):
        return replaced(item, lines)
    if not moves and all(lines_of(master, name) == lines_of(changed, name) for name in _ENDS):
        return item
    if moves:
        lines.append(new.line("DTSTART", wall + delta, like=start))
    follows = _length(override, timezones) == _length(master, timezones)
    source = changed if follows else override
    lines.extend(_ends_at(source, _wall_of(source, timezones), wall + delta, new, timezones))
    return replaced(item, lines, frozenset(_ENDS) - {line.name for line in lines})


def _wall_of(component: Component, timezones: Mapping[str, Component]) -> int:
    line = component.first("DTSTART")
    time = None if line is None else SeriesTime.of(line, timezones)
    return 0 if time is None else time.wall


def _length(component: Component, timezones: Mapping[str, Component]) -> tuple[str, int | str | None]:
    """How long a component says it is: by which property, and wall seconds or the DURATION."""
    for name in ("DTEND", "DUE"):
        line = component.first(name)
        time = None if line is None else SeriesTime.of(line, timezones)
        if time is not None:
            return name, time.wall - _wall_of(component, timezones)
    return "DURATION", component.value("DURATION")


def _ends_at(
    source: Component, base: int, wall: int, new: SeriesTime, timezones: Mapping[str, Component]
) -> list[Property]:
    """The end lines of ``source``, whose start is at ``base``, for a start at ``wall``."""
    ends = []
    for line in source.properties:
        if line.name == "DURATION":
            ends.append(line)
        elif line.name in ("DTEND", "DUE"):
            time = SeriesTime.of(line, timezones)
            if time is not None:
                form = time if time.form is new.form else new
                ends.append(form.line(line.name, wall + time.wall - base, like=line))
    return ends
