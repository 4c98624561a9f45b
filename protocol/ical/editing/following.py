"""This and following: a series cut in two (RFC 5545 §3.8.4.5, §3.8.5).

Rules of this module: the first part keeps its UID and ends before the cut; the second is an object of its own with a
UID given by the caller, related to the first. Every exception, extra date and override goes to the part it is of.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, escape
from protocol.ical.document import Document
from protocol.ical.editing.base import RECURRENCE_NAMES, original_wall, series_time
from protocol.ical.editing.edit import Edit, replaced, revised, text_of
from protocol.ical.editing.rule import ended_before, parts_of, with_parts
from protocol.ical.editing.series import change_all, changed_members
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import said_again
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.model import FOREVER, TimeRange, Uid


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a series is cut: the first original start of its second part, in wall time."""

    time: SeriesTime
    wall: int
    budget: Budget

    @property
    def instant(self) -> int:
        """The same as the occurrences have it: an instant, of floating time and whole days wall time."""
        return self.time.instant(self.wall)


_OVERLAPPING = 1000
"""More occurrences of one rule than can be under way at one moment."""


@dataclass(frozen=True, slots=True)
class Split:
    """The two texts of a series that was cut; ``before`` is ``None`` when the cut was at its beginning."""

    before: bytes | None
    after: bytes


def change_following(
    document: Document, occurrence: Occurrence, edit: Edit, *, uid: str, now: int, budget: Budget | None = None
) -> Split:
    """One occurrence and all after it changed; ``uid`` is for the second part, ``now`` is epoch seconds.

    Refuses with ``max-instances`` when ``budget`` does not suffice to count a COUNT rule.
    """
    master = document.master
    budget = budget or Budget()
    cut = _Cut(series_time(document), occurrence.wall, budget)
    if master is None or not _any_before(document, master, cut):
        return Split(None, change_all(document, edit, now=now))
    after = _second_part(document, master, cut, uid)
    members = changed_members(after, edit, now)
    return Split(text_of(document, _first_part(document, master, cut, now)), text_of(after, members, edit.timezones))


def remove_following(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence and all after it; ``None`` when nothing is left of it."""
    master = document.master
    cut = _Cut(series_time(document), occurrence.wall, budget or Budget())
    if master is None:
        kept = [item for item in document.overrides if _before(item, cut)]
        return text_of(document, kept) if kept else None
    if not _any_before(document, master, cut):
        return None
    return text_of(document, _first_part(document, master, cut, now))


def _any_before(document: Document, master: Component, cut: _Cut) -> bool:
    """Whether an occurrence is left before the cut."""
    plain = _with_members(document, master, ())
    found = occurrences(plain, TimeRange(-FOREVER, cut.instant), budget=cut.budget, limit=1)
    return any(item.wall < cut.wall for item in found) or any(_before(item, cut) for item in document.overrides)


def _before(override: Component, cut: _Cut) -> bool:
    own = original_wall(override, cut.time)
    return own is not None and own < cut.wall


def _with_members(document: Document, master: Component, overrides: tuple[Component, ...]) -> Document:
    return Document(document.calendar, document.uid, document.component, master, overrides, document.timezones)


def _first_part(document: Document, master: Component, cut: _Cut, now: int) -> list[Component]:
    lines: list[Property] = []
    for line in master.properties:
        if line.name in ("RRULE", "EXRULE"):
            # A COUNT that is used up before the cut must not become an UNTIL that lies after its end.
            goes_on = _next_by_rule(document, master, [line], cut) is not None
            lines.append(ended_before(line, cut.time, cut.wall) if goes_on else line)
        elif line.name in ("RDATE", "EXDATE"):
            lines.extend(_part(line, cut, first=True))
        else:
            lines.append(line)
    ended = revised(Component(master.name, lines, master.components), master, now)
    return [ended, *(item for item in document.overrides if _before(item, cut))]


def _part(line: Property, cut: _Cut, *, first: bool) -> list[Property]:
    """The values of an RDATE or EXDATE that belong to one of the parts, as a line or none."""
    kept = []
    texts = line.value.split(",")
    for text in texts:
        walls = cut.time.walls(Property(line.name, text, line.params, line.raw))
        if walls and (walls[0] < cut.wall) is first:
            kept.append(text)
    if len(kept) == len(texts):
        return [line]
    return [said_again(line, ",".join(kept), drop=frozenset())] if kept else []


def _second_part(document: Document, master: Component, cut: _Cut, uid: str) -> Document:
    """The series from the cut on as an object of its own, not yet changed."""
    # Its first start by rule from the cut on is the new DTSTART, for an RDATE may not fit the rule.
    rules = [line for line in master.properties if line.name == "RRULE"]
    start = _next_by_rule(document, master, rules, cut)
    lines: list[Property] = []
    for line in master.properties:
        if line.name == "RRULE":
            if start is not None:
                lines.append(_rest_of_rule(document, master, line, cut))
        elif line.name in ("RDATE", "EXDATE"):
            lines.extend(_part(line, cut, first=False))
        elif line.name != "EXRULE" or start is not None:
            lines.append(line)
    own = Component(master.name, lines, master.components)
    moved = _started_at(own, cut.time, _first_extra_date(own, cut.time) if start is None else start, document)
    new_uid = Property.make("UID", escape(uid))
    related = [*moved.all("RELATED-TO"), Property.make("RELATED-TO", document.uid, (("RELTYPE", ("SIBLING",)),))]
    moved = replaced(moved, [new_uid, *related])
    overrides = tuple(replaced(item, [new_uid]) for item in document.overrides if not _before(item, cut))
    return Document(document.calendar, Uid(uid), document.component, moved, overrides, document.timezones)


def _by_rule(document: Document, master: Component, rules: list[Property]) -> Document:
    """What rules alone yield: the document without exceptions, extra dates and overrides."""
    lines = [line for line in master.properties if line.name not in RECURRENCE_NAMES]
    lines.extend(Property("RRULE", line.value, line.params, line.raw) for line in rules)
    return _with_members(document, Component(master.name, lines), ())


def _next_by_rule(document: Document, master: Component, rules: list[Property], cut: _Cut) -> int | None:
    """The first start that rules yield at or after the cut, in wall time; ``None`` when they have ended."""
    plain = _by_rule(document, master, rules)
    found = occurrences(plain, TimeRange(cut.instant, None), budget=cut.budget, limit=_OVERLAPPING)
    return next((item.wall for item in found if item.wall >= cut.wall), None)


def _rest_of_rule(document: Document, master: Component, line: Property, cut: _Cut) -> Property:
    count = parts_of(line).get("COUNT", "").strip()
    if not count.isdecimal():
        return line
    plain = _by_rule(document, master, [line])
    earlier = occurrences(plain, TimeRange(-FOREVER, cut.instant), budget=cut.budget)
    gone = sum(item.wall < cut.wall for item in earlier)
    return with_parts(line, COUNT=str(max(int(count) - gone, 1)))


def _first_extra_date(component: Component, time: SeriesTime) -> int:
    """The DTSTART of a second part that has only RDATEs left."""
    walls = [wall for line in component.all("RDATE") for wall in time.walls(line)]
    if not walls:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The series has no occurrence left to begin with.")
    return min(walls)


def _started_at(component: Component, time: SeriesTime, wall: int, document: Document) -> Component:
    """The master with its start at an original start of its series and its end as far away as before."""
    lines = []
    for line in component.properties:
        if line.name == "DTSTART":
            lines.append(time.line("DTSTART", wall, like=line))
        elif line.name in ("DTEND", "DUE"):
            end = SeriesTime.of(line, document.timezones)
            lines.append(line if end is None else end.line(line.name, end.wall + wall - time.wall, like=line))
        else:
            lines.append(line)
    return Component(component.name, lines, component.components)
