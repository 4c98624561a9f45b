"""Edits of "this and following": they split a series in two (RFC 5545 §3.8.4.5, §3.8.5).

Rules of this module: the first part keeps its UID and ends before the split point. The second part is a new object,
related to the first; the caller gives its UID. Each exception, extra date and override goes to the part it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, escape
from protocol.ical.document import Document
from protocol.ical.editing.base import (
    is_range_override,
    key_of,
    original_key,
    original_wall,
    series_time,
)
from protocol.ical.editing.edit import Edit, render_document, with_lines, with_revision
from protocol.ical.editing.range_override import as_master, with_range_shift, with_start
from protocol.ical.editing.relative_edit import changed_members_from
from protocol.ical.editing.remaining_rules import (
    SeriesRule,
    earlier_by_instant,
    last_start,
    remaining_exclusion,
    remaining_rule,
    rules_of,
    uncounted_before,
)
from protocol.ical.editing.rule import ended_before
from protocol.ical.editing.series import change_all
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import with_value
from protocol.ical.names import DATE_LIST_NAMES, RECURRENCE_NAMES, RULE_NAMES, TIME_NAMES
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.ical.timing import Moment, moment_of
from protocol.ical.values import Form
from protocol.model import DAY, FOREVER, TimeRange, Uid


@dataclass(frozen=True, slots=True)
class SplitPoint:
    """Where a series is split: the first original start of its second part, in wall time."""

    time: SeriesTime
    wall: int
    instant: int
    """The same as a key: an instant, or wall time for floating series and whole days."""
    budget: Budget

    @classmethod
    def at(cls, document: Document, occurrence: Occurrence, budget: Budget) -> SplitPoint:
        """The split point before an occurrence; in an hour that comes twice, two have the same wall time."""
        time = series_time(document)
        return cls(time, occurrence.wall, key_of(document, time, occurrence), budget)

    @property
    def is_before_start(self) -> bool:
        """Whether nothing comes before the split point but extra dates earlier than DTSTART."""
        return self.instant <= self.time.instant(self.time.wall)


@dataclass(frozen=True, slots=True)
class SplitSeries:
    """The two texts of a split series; ``before`` is ``None`` when the split point is the beginning."""

    before: bytes | None
    after: bytes


def change_following(
    document: Document, occurrence: Occurrence, edit: Edit, *, uid: str, now: int, budget: Budget | None = None
) -> SplitSeries:
    """Change one occurrence and all after it; ``uid`` is for the second part, ``now`` is epoch seconds.

    Refuses with ``max-instances`` when counting a COUNT rule takes more than ``budget``, and with
    ``valid-calendar-object-resource`` when a rule of the series cannot be expressed from that occurrence on.
    """
    master = document.master
    budget = budget or Budget()
    point = SplitPoint.at(document, occurrence, budget)
    if master is None:
        return SplitSeries(None, change_all(document, edit, now=now))
    is_all = not _any_before(document, master, point)
    part, start = document, point.time.wall
    if not is_all or _range_override(document, master, point) is not None:
        part, start = _second_part(document, master, point, edit, document.uid if is_all else uid)
    after = render_document(part, changed_members_from(part, edit, point.wall - start, now), edit.timezones)
    return SplitSeries(None if is_all else render_document(document, _first_part(document, master, point, now)), after)


def remove_following(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence and all after it; ``None`` when nothing is left of it."""
    master = document.master
    point = SplitPoint.at(document, occurrence, budget or Budget())
    if master is None:
        kept = [item for item in document.overrides if _is_before(item, point)]
        return render_document(document, kept) if kept else None
    if not _any_before(document, master, point):
        return None
    return render_document(document, _first_part(document, master, point, now))


def _any_before(document: Document, master: Component, point: SplitPoint) -> bool:
    """Whether an occurrence remains before the split point."""
    plain = _with_members(document, master, ())
    found = occurrences(plain, TimeRange(-FOREVER, point.instant), budget=point.budget, limit=1)
    return any(item.start < point.instant for item in found) or any(
        _is_before(item, point) and not _is_left_over(item, master, point) for item in document.overrides
    )


def _is_before(override: Component, point: SplitPoint) -> bool:
    own = original_key(override, point.time)
    return own is not None and own < point.instant


def _is_left_over(override: Component, master: Component, point: SplitPoint) -> bool:
    """Whether an override has no occurrence: its time is before DTSTART and no RDATE names it."""
    time = point.time
    own, wall = original_key(override, time), original_wall(override, time)
    if own is None or wall is None or own >= time.instant(time.wall) or wall >= time.wall:
        return False
    return all(own not in time.keys(line) for line in master.all("RDATE"))


def _with_members(document: Document, master: Component, overrides: tuple[Component, ...]) -> Document:
    return Document(document.calendar, document.uid, document.component, master, overrides, document.timezones)


def _first_part(document: Document, master: Component, point: SplitPoint, now: int) -> list[Component]:
    rules = {id(each.line): each for name in RULE_NAMES for each in _rules(document, master, name, point)}
    lines: list[Property] = []
    for line in master.properties:
        if line.name in RULE_NAMES:
            if point.is_before_start:
                continue
            # A COUNT that ends before the split point must not become an UNTIL after its end.
            goes_on = rules[id(line)].next_from(point.instant, point.budget) is not None
            lines.append(ended_before(line, point.time, point.instant) if goes_on else line)
            if goes_on and line.name == "RRULE":
                lines += point.time.lines("EXDATE", uncounted_before(rules[id(line)], point.instant, point.budget))
        elif line.name in DATE_LIST_NAMES:
            lines.extend(_dates_of_part(line, point, first=True))
        else:
            lines.append(line)
    ended = Component(master.name, lines, master.components)
    overrides = [item for item in document.overrides if _is_before(item, point)]
    if point.is_before_start:
        ended = _starting_at_date(ended, document, master, point)
        overrides = [item for item in overrides if not _is_left_over(item, master, point)]
    return [with_revision(ended, master, now), *overrides]


def _starting_at_date(ended: Component, document: Document, master: Component, point: SplitPoint) -> Component:
    """The first part when DTSTART belongs to the second: it begins with the first of the earlier dates."""
    by_rule = [
        wall
        for each in _rules(document, master, "RRULE", point)
        for wall in earlier_by_instant(each, point.time.wall, point.instant, point.budget)
    ]
    ended = with_lines(ended, [*ended.all("RDATE"), *point.time.lines("RDATE", by_rule)])
    dates = [wall for line in ended.all("RDATE") for wall in point.time.walls(line)]
    return with_start(ended, point.time, _first_date(dates), document)


def _dates_of_part(line: Property, point: SplitPoint, *, first: bool) -> list[Property]:
    """The values of an RDATE or EXDATE that belong to one part, as one line or none."""
    kept, walls = [], []
    texts = line.value.split(",")
    for text in texts:
        moment = moment_of(text.partition("/")[0], line, point.time.zones)
        if moment is None:
            continue
        if line.name == "EXDATE" and _is_whole_day(moment, point.time):
            # A whole day may have occurrences in both parts.
            belongs = moment.wall < point.wall if first else moment.wall + DAY > point.wall
        else:
            belongs = (point.time.key_of(moment) < point.instant) is first
        if belongs:
            kept.append(text)
            walls.append(point.time.wall_of(moment))
    if line.name == "RDATE" and (line.param("VALUE") or "").upper() == "DATE" and point.time.form is not Form.DATE:
        return point.time.lines("RDATE", walls)  # a DATE has no time of day, and the parts may differ in theirs
    if len(kept) == len(texts):
        return [line]
    return [with_value(line, ",".join(kept), drop=frozenset())] if kept else []


def _without_point(
    line: Property, rules: tuple[SeriesRule, ...], extra: list[int], point: SplitPoint
) -> list[Property]:
    """An EXDATE without the start at the split point. A whole day that covers it becomes the other starts of that day.

    Of an RDATE only the start remains, because the override gives the length.
    """
    time = point.time
    if line.name == "RDATE":
        return _without_period(line, point)
    kept, others, names_cut = [], [], False
    for text in line.value.split(","):
        moment = moment_of(text, line, time.zones)
        if moment is not None and _is_whole_day(moment, time) and moment.wall == point.wall - point.wall % DAY:
            names_cut = True
            others += [wall for each in rules for wall in each.starts(point.budget, moment.wall, moment.wall + DAY)]
            others += [wall for wall in extra if moment.wall <= wall < moment.wall + DAY]
        elif moment is not None and time.key_of(moment) == point.instant:
            names_cut = True
        else:
            kept.append(text)
    if not names_cut:
        return [line]
    again = [with_value(line, ",".join(kept), drop=frozenset())] if kept else []
    return again + time.lines("EXDATE", (wall for wall in others if time.instant(wall) != point.instant))


def _without_period(line: Property, point: SplitPoint) -> list[Property]:
    texts = line.value.split(",")
    ended = [
        text
        for text in texts
        if "/" in text and point.instant in point.time.keys(with_value(line, text, drop=frozenset()))
    ]
    if not ended:
        return [line]
    kept = [text for text in texts if text not in ended]
    again = [with_value(line, ",".join(kept), drop=frozenset())] if kept else []
    return again + point.time.lines("RDATE", [point.wall])


def _is_whole_day(moment: Moment, time: SeriesTime) -> bool:
    """Whether an EXDATE excludes a whole day of a series that has times of day."""
    return moment.form is Form.DATE and time.form is not Form.DATE


def _rules(document: Document, master: Component, name: str, point: SplitPoint) -> tuple[SeriesRule, ...]:
    return rules_of(master, name, point.time, document.timezones)


def _second_part(
    document: Document, master: Component, point: SplitPoint, edit: Edit, uid: str
) -> tuple[Document, int]:
    """The series from the split point on as a new object, before the edit; and its DTSTART in the old series."""
    range_override = _range_override(document, master, point)
    overrides = [item for item in document.overrides if not _is_before(item, point) and item is not range_override]
    is_overridden = range_override is not None and original_key(range_override, point.time) == point.instant
    lines, start = _recurrence_from(document, master, point, is_overridden=is_overridden)
    own = with_lines(
        master if range_override is None else as_master(range_override, master, document), lines, RECURRENCE_NAMES
    )
    if range_override is None:
        own = with_start(own, point.time, start, document)
    else:
        cannot_stay = bool(TIME_NAMES & edit.names)
        own, overrides = with_range_shift(
            own, overrides, range_override, replace(point.time, wall=start), document, cannot_stay
        )
    new_uid = Property.make("UID", escape(uid))
    if uid != document.uid:
        related = [*own.all("RELATED-TO"), Property.make("RELATED-TO", document.uid, (("RELTYPE", ("SIBLING",)),))]
        own = with_lines(own, [new_uid, *related])
    renamed = tuple(with_lines(item, [new_uid]) for item in overrides)
    return Document(document.calendar, Uid(uid), document.component, own, renamed, document.timezones), start


def _recurrence_from(
    document: Document, master: Component, point: SplitPoint, *, is_overridden: bool
) -> tuple[list[Property], int]:
    """The recurrence lines of the second part, and its DTSTART as an original start of the series.

    ``is_overridden``: the override of the split point becomes the master, so no EXDATE hides that occurrence.
    """
    time, budget = point.time, point.budget
    rules = _rules(document, master, "RRULE", point)
    dates = [
        part
        for line in master.properties
        if line.name in DATE_LIST_NAMES
        for part in _dates_of_part(line, point, first=False)
    ]
    if is_overridden:
        starts = [wall for line in master.all("RDATE") for wall in time.walls(line)]
        dates = [again for line in dates for again in _without_point(line, rules, starts, point)]
    extra = [wall for line in dates if line.name == "RDATE" for wall in time.walls(line)]
    if point.is_before_start:
        start = time.wall
    else:
        # The new DTSTART is the first start of a rule, because an RDATE may not fit the rule.
        by_rule = [wall for each in rules if (wall := each.next_from(point.instant, budget)) is not None]
        start = min(by_rule) if by_rule else _first_date(extra)
    lines = []
    for each in rules:
        again, walls = remaining_rule(each, point.instant, start, budget)
        lines += again + time.lines("RDATE", (wall for wall in walls if wall != start))
        lines += time.lines("EXDATE", earlier_by_instant(each, start, point.instant, budget) if again else ())
    last = last_start(rules, [start, *extra], budget)
    for each in _rules(document, master, "EXRULE", point):
        again, walls = remaining_exclusion(each, last, point.instant, start, budget, is_overridden=is_overridden)
        lines += again + time.lines("EXDATE", walls)
    return [*lines, *dates], start


def _first_date(walls: list[int]) -> int:
    """The DTSTART of a part that has only RDATEs."""
    if not walls:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "No occurrence of the series is left to begin with.")
    return min(walls)


def _range_override(document: Document, master: Component, point: SplitPoint) -> Component | None:
    """The range override that describes the occurrences from the split point on (RFC 5545 §3.2.13, §3.8.4.4)."""
    found = [
        (key, place)
        for place, item in enumerate(document.overrides)
        if is_range_override(item) and not _is_left_over(item, master, point)
        if (key := original_key(item, point.time)) is not None and key <= point.instant
    ]
    return document.overrides[max(found)[1]] if found else None
