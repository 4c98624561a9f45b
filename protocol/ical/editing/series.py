"""Change of the whole series: times, rules, exceptions and overrides move together (RFC 5545 §3.8.5).

Rules of this module: where an override equals the series it follows the change; where it differs it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.editing.base import original_wall, series_time
from protocol.ical.editing.edit import (
    Edit,
    alarms_of,
    raw_lines,
    render_document,
    start_line,
    with_edit,
    with_lines,
    with_revision,
)
from protocol.ical.editing.moved_rules import moved_rule
from protocol.ical.editing.remaining_rules import excluded_starts
from protocol.ical.editing.series_move import SeriesMove
from protocol.ical.editing.times import SeriesTime, with_same_length
from protocol.ical.names import DATE_LIST_NAMES, END_NAMES, EXTENT_NAMES, RECURRENCE_NAMES, TIME_NAMES
from protocol.ical.timezones import tzid_of
from protocol.ical.values import Form
from protocol.model import DAY


def change_all(document: Document, edit: Edit, *, now: int) -> bytes:
    """The text of the object with every occurrence changed; ``now`` is epoch seconds.

    A new DTSTART moves end, rules, RDATE, EXDATE and the overrides' RECURRENCE-ID by the same wall time, and each
    override that is at the original time of its occurrence. Other properties and alarms change in an override where
    they equalled the master's. Refuses with ``max-instances`` when finding the new places of all exceptions costs too
    much, and with ``valid-calendar-object-resource`` when a rule cannot express the new times and has too many
    occurrences to list.
    """
    return render_document(document, changed_members(document, edit, now), edit.timezones)


def changed_members(document: Document, edit: Edit, now: int) -> list[Component]:
    """The components of ``change_all``, master first."""
    master = document.master
    if master is None:
        if len(document.overrides) > 1 and edit.names & TIME_NAMES:
            raise Refusal(
                Condition.VALID_CALENDAR_OBJECT_RESOURCE,
                "Without their series, occurrences have no common time."
                "Without its series, the occurrences have no common time to change.",
            )
        return [
            with_revision(with_moved_end(item, with_edit(item, edit), document.timezones), item, now)
            for item in document.overrides
        ]
    timezones = {**document.timezones, **{tzid_of(zone): zone for zone in edit.timezones}}
    changed = with_moved_end(master, with_edit(master, edit), timezones)
    move = None
    if _starts(changed) != _starts(master):
        new = _time_of(changed, timezones)
        # A master without a time had no occurrences to move.
        old = new if start_line(master) is None else series_time(document)
        move = SeriesMove.of(master, old, new, document.timezones, edit.names)
        changed = _moved_series(master, changed, edit, move, timezones)
    members = [with_revision(changed, master, now)]
    for override in document.overrides:
        item = _with_shared_changes(override, master, changed, edit)
        if move is None:
            time = series_time(document)
            move = SeriesMove(time, time, ())
        item = _moved_override(item, override, master, changed, move, timezones)
        same = item.properties == override.properties and item.components == override.components
        members.append(override if same else with_revision(item, override, now))
    return members


def _is_timed(duration: str | None) -> bool:
    """Whether a DURATION has hours, minutes or seconds, which whole days do not have (RFC 5545 §3.8.2.5)."""
    return duration is not None and "T" in duration.upper()


def _starts(component: Component) -> list[str]:
    line = start_line(component)
    return [] if line is None else raw_lines(component, line.name)


def _time_of(component: Component, timezones: Mapping[str, Component]) -> SeriesTime:
    line = start_line(component)
    time = None if line is None else SeriesTime.of(line, timezones)
    if time is None:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The new start is not a DATE or DATE-TIME.")
    return time


def with_moved_end(before: Component, after: Component, timezones: Mapping[str, Component]) -> Component:
    """The edited component; when only its start moved, the end keeps its distance from the start."""
    if _starts(before) == _starts(after):
        return after
    old_line, new_line = before.first("DTSTART"), after.first("DTSTART")
    if old_line is None or new_line is None:
        return after
    old, new = SeriesTime.of(old_line, timezones), SeriesTime.of(new_line, timezones)
    if old is None or new is None:
        return after
    if old.form is not Form.DATE and new.form is Form.DATE and _is_timed(after.value("DURATION")):
        raise Refusal(Condition.VALID_CALENDAR_DATA, "A DTSTART that is a DATE needs a DURATION of whole days.")
    # A single event keeps the wall time of its length; in a series the end gives each occurrence an exact length.
    recurs = any(line.name in RECURRENCE_NAMES for line in before.properties)
    ends = []
    for name in END_NAMES:
        line = after.first(name)
        end = None if line is None else SeriesTime.of(line, timezones)
        if line is None or end is None or raw_lines(before, name) != raw_lines(after, name):
            continue
        if (old.form is Form.DATE) is not (new.form is Form.DATE):
            raise Refusal(Condition.VALID_CALENDAR_DATA, f"A DTSTART of another type needs a new {name}.")
        if recurs:
            ends.append(with_same_length(line, old, end, new, new.wall))
        else:
            form = end if old.same_form(new) else new
            ends.append(form.line(name, end.wall + new.wall - old.wall, like=line))
    return with_lines(after, ends)


def _moved_series(
    master: Component, changed: Component, edit: Edit, move: SeriesMove, timezones: Mapping[str, Component]
) -> Component:
    rules = iter(move.rules)
    lines: list[Property] = []
    for line in changed.properties:
        if line.name in edit.names:
            lines.append(line)
        elif line.name in DATE_LIST_NAMES:
            lines.extend(move.lines(line))
        elif line.name == "RRULE":
            again = next(rules).line
            lines.extend(() if again is None else (again,))
        elif line.name == "EXRULE":
            rule = with_lines(master, changed.all("RRULE"), {"RRULE"}) if "RRULE" in edit.names else master
            lines.extend(_moved_exclusion(rule, line, move, timezones))
        else:
            lines.append(line)
    return Component(changed.name, [*lines, *move.dates], changed.components)


def _moved_exclusion(
    master: Component, line: Property, move: SeriesMove, timezones: Mapping[str, Component]
) -> list[Property]:
    """An EXRULE of a moved series: as a rule, or as EXDATEs when the rule would exclude other occurrences."""
    rule = moved_rule(line, move.old, move.new, move.trials)
    if rule is not None and rule.line is not None and move.exact and rule.exact:
        return [rule.line]
    walls = [move.target(wall) for wall in excluded_starts(master, line, move.old, timezones)]
    return move.new.lines("EXDATE", walls)


def _with_shared_changes(override: Component, master: Component, changed: Component, edit: Edit) -> Component:
    """The override with those changes of the master in which the two were equal before."""
    names = {name for name in edit.names - TIME_NAMES - RECURRENCE_NAMES}
    shared = {name for name in names if raw_lines(override, name) == raw_lines(master, name)}
    fresh = [line for line in changed.properties if line.name in shared]
    result = with_lines(override, fresh, shared - {line.name for line in fresh})
    if edit.alarms is not None and alarms_of(override) == alarms_of(master):
        result = with_edit(result, Edit(alarms=edit.alarms))
    return result


def _moved_override(
    item: Component,
    override: Component,
    master: Component,
    changed: Component,
    move: SeriesMove,
    timezones: Mapping[str, Component],
) -> Component:
    """An override of a moved series: its RECURRENCE-ID moves, and its own times where they equalled the series'."""
    old, new = move.old, move.new
    moves = bool(move.delta) or not old.same_form(new)
    line = item.first("RECURRENCE-ID")
    wall = original_wall(override, old)
    if line is None or wall is None:
        return item
    lines = move.lines(line) if moves else []
    target = move.target(wall)
    start = start_line(override)
    own = None if start is None else SeriesTime.of(start, timezones)
    if start is None or own is None or own.wall not in old.readings(wall) or not own.same_form(old):
        return with_lines(item, lines)
    if not moves and all(raw_lines(master, name) == raw_lines(changed, name) for name in EXTENT_NAMES):
        return item
    if moves:
        lines.append(new.line(start.name, target, like=start))
    if start.name == "DUE":
        return with_lines(item, lines)
    follows = _length(override, timezones) == _length(master, timezones)
    source = changed if follows else override
    lines.extend(_ends_at(source, new, target, timezones))
    return with_lines(item, lines, EXTENT_NAMES - {line.name for line in lines})


def _time(component: Component, name: str, timezones: Mapping[str, Component]) -> SeriesTime | None:
    line = component.first(name)
    return None if line is None else SeriesTime.of(line, timezones)


def _length(component: Component, timezones: Mapping[str, Component]) -> tuple[str, int | str | None]:
    """The length a component states: the property that states it, and seconds or the DURATION's text."""
    start = _time(component, "DTSTART", timezones)
    for name in END_NAMES:
        end = _time(component, name, timezones)
        if end is not None:
            return name, 0 if start is None else end.instant(end.wall) - start.instant(start.wall)
    return "DURATION", component.value("DURATION")


def _ends_at(source: Component, new: SeriesTime, wall: int, timezones: Mapping[str, Component]) -> list[Property]:
    """The end lines of ``source`` for a start at ``wall``."""
    start = _time(source, "DTSTART", timezones)
    ends = []
    for line in source.properties:
        if line.name == "DURATION" and new.form is Form.DATE and _is_timed(line.value):
            ends.append(Property.make("DURATION", "P1D"))
        elif line.name == "DURATION":
            ends.append(line)
        elif line.name in END_NAMES:
            end = SeriesTime.of(line, timezones)
            if end is not None and start is not None:
                # Whole days end after they begin (RFC 5545 §3.6.1).
                days = start.form is not Form.DATE and new.form is Form.DATE
                later = DAY - (end.wall - start.wall) % DAY if days else 0
                ends.append(with_same_length(line, start, replace(end, wall=end.wall + later % DAY), new, wall))
    return ends
