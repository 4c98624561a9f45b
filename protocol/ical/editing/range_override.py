"""The range override (RANGE=THISANDFUTURE) in force where a series is split (RFC 5545 §3.2.13, §3.8.4.4).

Rules of this module: its properties become the master of the second part, and its shift moves all occurrences of that
part. When a rule cannot express the moved times, the part keeps its times under a range override of its own.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.editing.base import original_wall, series_time
from protocol.ical.editing.edit import start_line, with_lines
from protocol.ical.editing.moved_rules import moved_rule
from protocol.ical.editing.occurrence import reanchored
from protocol.ical.editing.series_move import SeriesMove
from protocol.ical.editing.times import SeriesTime, with_same_length
from protocol.ical.names import DATE_LIST_NAMES, END_NAMES, RECURRENCE_NAMES, TIME_NAMES
from protocol.model import FOREVER


def own_time(component: Component, document: Document) -> SeriesTime | None:
    line = start_line(component)
    return None if line is None else SeriesTime.of(line, document.timezones)


def as_master(range_override: Component, master: Component, document: Document) -> Component:
    """A range override as a master; without a time of its own it takes the master's."""
    timed = own_time(range_override, document) is not None
    lines = [
        line
        for line in range_override.properties
        if line.name != "RECURRENCE-ID" and (timed or line.name not in TIME_NAMES)
    ]
    if not timed:
        lines += [line for line in master.properties if line.name in TIME_NAMES]
    return Component(range_override.name, lines, range_override.components)


def with_range_shift(
    own: Component,
    overrides: list[Component],
    range_override: Component,
    old: SeriesTime,
    document: Document,
    cannot_stay: bool,
) -> tuple[Component, list[Component]]:
    """The second part and its overrides, moved as far as the range override moved its occurrence."""
    its, original = own_time(range_override, document), original_wall(range_override, old)
    if its is None or original is None:
        return with_start(own, series_time(document), old.wall, document), overrides
    new = replace(its, wall=old.wall + its.wall - original)
    own = with_start(own, its, new.wall, document)
    if new.wall == old.wall and new.same_form(old):
        return own, overrides
    before = with_lines(own, [old.line("DTSTART", old.wall)])
    move = SeriesMove.of(before, old, new, document.timezones)
    exclusions = [moved_rule(line, old, new, move.trials) for line in own.all("EXRULE")]
    rules = [rule.line for rule in (*move.rules, *exclusions) if rule is not None and rule.line is not None]
    expressible = len(rules) == len(move.rules) + len(exclusions)
    exact = move.exact and all(rule is not None and rule.exact for rule in exclusions)
    if cannot_stay and not exact:
        raise _inexpressible()
    if not cannot_stay and (not exact or not expressible or move.changes_order(own)):
        return _kept_with_range(own, overrides, old, new, document)
    dates = [part for line in own.properties if line.name in DATE_LIST_NAMES for part in move.lines(line)]
    own = with_lines(own, [*rules, *dates, *move.dates], frozenset({"RRULE"}))
    return own, [_moved_override(item, old, move, document) for item in overrides]


def _moved_override(item: Component, old: SeriesTime, move: SeriesMove, document: Document) -> Component:
    """An override of a moved series; without a time of its own it keeps the old place of its occurrence."""
    lines = [part for line in item.all("RECURRENCE-ID") for part in move.lines(line)]
    wall = original_wall(item, old)
    if wall is not None and document.master is not None and own_time(item, document) is None:
        stays = with_start(document.master, series_time(document), wall, document)
        lines += [line for line in stays.properties if line.name in TIME_NAMES]
    return with_lines(item, lines)


def _kept_with_range(
    own: Component, overrides: list[Component], old: SeriesTime, new: SeriesTime, document: Document
) -> tuple[Component, list[Component]]:
    """The second part at its original times, and a range override that moves all of it (RFC 5545 §3.2.13)."""
    ends = [
        with_same_length(line, new, end, old, old.wall)
        for name in END_NAMES
        for line in own.all(name)
        if (end := SeriesTime.of(line, document.timezones)) is not None
    ]
    stays = with_lines(own, [old.line("DTSTART", old.wall), *ends])
    moving = with_lines(
        with_start(own, new, new.wall, document), [old.line("RECURRENCE-ID", old.wall)], RECURRENCE_NAMES
    )
    part = replace(document, master=stays, overrides=tuple(overrides), cache={})
    return stays, [*reanchored(part, moving, old, -FOREVER), *overrides]


def _inexpressible() -> Refusal:
    return Refusal(
        Condition.VALID_CALENDAR_OBJECT_RESOURCE,
        "The rule of this series cannot express the times that an earlier change gave its occurrences.",
    )


def with_start(component: Component, time: SeriesTime, wall: int, document: Document) -> Component:
    """The master with its start at a wall time of its series; the end keeps its distance."""
    by_due = component.first("DTSTART") is None
    lines = []
    for line in component.properties:
        if line.name == "DTSTART" or (by_due and line.name == "DUE"):
            lines.append(time.line(line.name, wall, like=line))
        elif line.name in END_NAMES:
            end = SeriesTime.of(line, document.timezones)
            lines.append(line if end is None else with_same_length(line, time, end, time, wall))
        else:
            lines.append(line)
    return Component(component.name, lines, component.components)
