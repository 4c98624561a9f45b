"""This and following: a series cut in two (RFC 5545 §3.8.4.5, §3.8.5).

Rules of this module: the first part keeps its UID and ends before the cut; the second is an object of its own with a
UID given by the caller, related to the first. Every exception, extra date and override goes to the part it is of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, escape
from protocol.ical.document import Document
from protocol.ical.editing.base import (
    is_following,
    key_of,
    original_key,
    original_wall,
    series_time,
)
from protocol.ical.editing.edit import Edit, replaced, revised, text_of
from protocol.ical.editing.range_override import as_master, moved_along, started_at
from protocol.ical.editing.relative_edit import changed_from
from protocol.ical.editing.remaining_rules import (
    SeriesRule,
    earlier_by_instant,
    last_of,
    rest_of_exclusion,
    rest_of_rule,
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
    """Where a series is cut: the first original start of its second part, in wall time."""

    time: SeriesTime
    wall: int
    instant: int
    """The same as the occurrences have it: an instant, of floating time and whole days wall time."""
    budget: Budget

    @classmethod
    def at(cls, document: Document, occurrence: Occurrence, budget: Budget) -> SplitPoint:
        """The cut before an occurrence; in an hour that comes twice two have the same wall time."""
        time = series_time(document)
        return cls(time, occurrence.wall, key_of(document, time, occurrence), budget)

    @property
    def is_before_start(self) -> bool:
        """Whether all that comes before the cut are extra dates earlier than DTSTART (or nothing)."""
        return self.instant <= self.time.instant(self.time.wall)


@dataclass(frozen=True, slots=True)
class SplitSeries:
    """The two texts of a series that was cut; ``before`` is ``None`` when the cut was at its beginning."""

    before: bytes | None
    after: bytes


def change_following(
    document: Document, occurrence: Occurrence, edit: Edit, *, uid: str, now: int, budget: Budget | None = None
) -> SplitSeries:
    """One occurrence and all after it changed; ``uid`` is for the second part, ``now`` is epoch seconds.

    Refuses with ``max-instances`` when ``budget`` does not suffice to count a COUNT rule, and with
    ``valid-calendar-object-resource`` when the rules of the series cannot be said from that occurrence on.
    """
    master = document.master
    budget = budget or Budget()
    cut = SplitPoint.at(document, occurrence, budget)
    if master is None:
        return SplitSeries(None, change_all(document, edit, now=now))
    is_all = not _any_before(document, master, cut)
    part, start = document, cut.time.wall
    if not is_all or _speaker(document, master, cut) is not None:
        part, start = _second_part(document, master, cut, edit, document.uid if is_all else uid)
    after = text_of(part, changed_from(part, edit, cut.wall - start, now), edit.timezones)
    return SplitSeries(None if is_all else text_of(document, _first_part(document, master, cut, now)), after)


def remove_following(
    document: Document, occurrence: Occurrence, *, now: int, budget: Budget | None = None
) -> bytes | None:
    """The object without one occurrence and all after it; ``None`` when nothing is left of it."""
    master = document.master
    cut = SplitPoint.at(document, occurrence, budget or Budget())
    if master is None:
        kept = [item for item in document.overrides if _before(item, cut)]
        return text_of(document, kept) if kept else None
    if not _any_before(document, master, cut):
        return None
    return text_of(document, _first_part(document, master, cut, now))


def _any_before(document: Document, master: Component, cut: SplitPoint) -> bool:
    """Whether an occurrence is left before the cut."""
    plain = _with_members(document, master, ())
    found = occurrences(plain, TimeRange(-FOREVER, cut.instant), budget=cut.budget, limit=1)
    return any(item.start < cut.instant for item in found) or any(
        _before(item, cut) and not _is_left_over(item, master, cut) for item in document.overrides
    )


def _before(override: Component, cut: SplitPoint) -> bool:
    own = original_key(override, cut.time)
    return own is not None and own < cut.instant


def _is_left_over(override: Component, master: Component, cut: SplitPoint) -> bool:
    """Whether an override is of no occurrence, because it is of a time before DTSTART that no RDATE names."""
    time = cut.time
    own, wall = original_key(override, time), original_wall(override, time)
    if own is None or wall is None or own >= time.instant(time.wall) or wall >= time.wall:
        return False
    return all(own not in time.keys(line) for line in master.all("RDATE"))


def _with_members(document: Document, master: Component, overrides: tuple[Component, ...]) -> Document:
    return Document(document.calendar, document.uid, document.component, master, overrides, document.timezones)


def _first_part(document: Document, master: Component, cut: SplitPoint, now: int) -> list[Component]:
    rules = {id(each.line): each for name in RULE_NAMES for each in _rules(document, master, name, cut)}
    lines: list[Property] = []
    for line in master.properties:
        if line.name in RULE_NAMES:
            if cut.is_before_start:
                continue
            # A COUNT that is used up before the cut must not become an UNTIL that lies after its end.
            goes_on = rules[id(line)].next_from(cut.instant, cut.budget) is not None
            lines.append(ended_before(line, cut.time, cut.instant) if goes_on else line)
            if goes_on and line.name == "RRULE":
                lines += cut.time.lines("EXDATE", uncounted_before(rules[id(line)], cut.instant, cut.budget))
        elif line.name in DATE_LIST_NAMES:
            lines.extend(_part(line, cut, first=True))
        else:
            lines.append(line)
    ended = Component(master.name, lines, master.components)
    overrides = [item for item in document.overrides if _before(item, cut)]
    if cut.is_before_start:
        ended = _begun_by_date(ended, document, master, cut)
        overrides = [item for item in overrides if not _is_left_over(item, master, cut)]
    return [revised(ended, master, now), *overrides]


def _begun_by_date(ended: Component, document: Document, master: Component, cut: SplitPoint) -> Component:
    """The first part when DTSTART itself is in the second: the first of the dates that come earlier begins it."""
    by_rule = [
        wall
        for each in _rules(document, master, "RRULE", cut)
        for wall in earlier_by_instant(each, cut.time.wall, cut.instant, cut.budget)
    ]
    ended = replaced(ended, [*ended.all("RDATE"), *cut.time.lines("RDATE", by_rule)])
    dates = [wall for line in ended.all("RDATE") for wall in cut.time.walls(line)]
    return started_at(ended, cut.time, _first_of(dates), document)


def _part(line: Property, cut: SplitPoint, *, first: bool) -> list[Property]:
    """The values of an RDATE or EXDATE that belong to one of the parts, as a line or none."""
    kept, walls = [], []
    texts = line.value.split(",")
    for text in texts:
        moment = moment_of(text.partition("/")[0], line, cut.time.zones)
        if moment is None:
            continue
        if line.name == "EXDATE" and _is_whole_day(moment, cut.time):
            # A whole day may have occurrences in both parts.
            belongs = moment.wall < cut.wall if first else moment.wall + DAY > cut.wall
        else:
            belongs = (cut.time.key_of(moment) < cut.instant) is first
        if belongs:
            kept.append(text)
            walls.append(cut.time.wall_of(moment))
    if line.name == "RDATE" and (line.param("VALUE") or "").upper() == "DATE" and cut.time.form is not Form.DATE:
        return cut.time.lines("RDATE", walls)  # a day says no time of day, and each part may begin at another
    if len(kept) == len(texts):
        return [line]
    return [with_value(line, ",".join(kept), drop=frozenset())] if kept else []


def _without_cut(line: Property, rules: tuple[SeriesRule, ...], extra: list[int], cut: SplitPoint) -> list[Property]:
    """An EXDATE without the start at the cut; a whole day that excludes it from a timed series becomes the others.

    Of an RDATE that names it, the start alone stays: how long it lasts says the override.
    """
    time = cut.time
    if line.name == "RDATE":
        return _without_period(line, cut)
    kept, others, names_cut = [], [], False
    for text in line.value.split(","):
        moment = moment_of(text, line, time.zones)
        if moment is not None and _is_whole_day(moment, time) and moment.wall == cut.wall - cut.wall % DAY:
            names_cut = True
            others += [wall for each in rules for wall in each.starts(cut.budget, moment.wall, moment.wall + DAY)]
            others += [wall for wall in extra if moment.wall <= wall < moment.wall + DAY]
        elif moment is not None and time.key_of(moment) == cut.instant:
            names_cut = True
        else:
            kept.append(text)
    if not names_cut:
        return [line]
    again = [with_value(line, ",".join(kept), drop=frozenset())] if kept else []
    return again + time.lines("EXDATE", (wall for wall in others if time.instant(wall) != cut.instant))


def _without_period(line: Property, cut: SplitPoint) -> list[Property]:
    texts = line.value.split(",")
    ended = [
        text for text in texts if "/" in text and cut.instant in cut.time.keys(with_value(line, text, drop=frozenset()))
    ]
    if not ended:
        return [line]
    kept = [text for text in texts if text not in ended]
    again = [with_value(line, ",".join(kept), drop=frozenset())] if kept else []
    return again + cut.time.lines("RDATE", [cut.wall])


def _is_whole_day(moment: Moment, time: SeriesTime) -> bool:
    """Whether an EXDATE excludes all that begins on a day from a series that has times of day."""
    return moment.form is Form.DATE and time.form is not Form.DATE


def _rules(document: Document, master: Component, name: str, cut: SplitPoint) -> tuple[SeriesRule, ...]:
    return rules_of(master, name, cut.time, document.timezones)


def _second_part(document: Document, master: Component, cut: SplitPoint, edit: Edit, uid: str) -> tuple[Document, int]:
    """The series from the cut on as an object of its own, not yet changed; and its DTSTART as it was in the series."""
    speaker = _speaker(document, master, cut)
    overrides = [item for item in document.overrides if not _before(item, cut) and item is not speaker]
    spoken = speaker is not None and original_key(speaker, cut.time) == cut.instant
    lines, start = _recurrence_from(document, master, cut, spoken=spoken)
    own = replaced(master if speaker is None else as_master(speaker, master, document), lines, RECURRENCE_NAMES)
    if speaker is None:
        own = started_at(own, cut.time, start, document)
    else:
        cannot_stay = bool(TIME_NAMES & edit.names)
        own, overrides = moved_along(own, overrides, speaker, replace(cut.time, wall=start), document, cannot_stay)
    new_uid = Property.make("UID", escape(uid))
    if uid != document.uid:
        related = [*own.all("RELATED-TO"), Property.make("RELATED-TO", document.uid, (("RELTYPE", ("SIBLING",)),))]
        own = replaced(own, [new_uid, *related])
    renamed = tuple(replaced(item, [new_uid]) for item in overrides)
    return Document(document.calendar, Uid(uid), document.component, own, renamed, document.timezones), start


def _recurrence_from(
    document: Document, master: Component, cut: SplitPoint, *, spoken: bool
) -> tuple[list[Property], int]:
    """The recurrence lines of the second part, and its DTSTART as original start of the series.

    ``spoken``: an override that becomes the master is of the cut itself, which is then shown whatever EXDATE says.
    """
    time, budget = cut.time, cut.budget
    rules = _rules(document, master, "RRULE", cut)
    dates = [
        part for line in master.properties if line.name in DATE_LIST_NAMES for part in _part(line, cut, first=False)
    ]
    if spoken:
        starts = [wall for line in master.all("RDATE") for wall in time.walls(line)]
        dates = [again for line in dates for again in _without_cut(line, rules, starts, cut)]
    extra = [wall for line in dates if line.name == "RDATE" for wall in time.walls(line)]
    if cut.is_before_start:
        start = time.wall
    else:
        # Its first start by rule is the new DTSTART, for an RDATE may not fit the rule.
        by_rule = [wall for each in rules if (wall := each.next_from(cut.instant, budget)) is not None]
        start = min(by_rule) if by_rule else _first_of(extra)
    lines = []
    for each in rules:
        again, walls = rest_of_rule(each, cut.instant, start, budget)
        lines += again + time.lines("RDATE", (wall for wall in walls if wall != start))
        lines += time.lines("EXDATE", earlier_by_instant(each, start, cut.instant, budget) if again else ())
    last = last_of(rules, [start, *extra], budget)
    for each in _rules(document, master, "EXRULE", cut):
        again, walls = rest_of_exclusion(each, last, cut.instant, start, budget, spoken=spoken)
        lines += again + time.lines("EXDATE", walls)
    return [*lines, *dates], start


def _first_of(walls: list[int]) -> int:
    """The DTSTART of a part that has only RDATEs."""
    if not walls:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The series has no occurrence left to begin with.")
    return min(walls)


def _speaker(document: Document, master: Component, cut: SplitPoint) -> Component | None:
    """The THISANDFUTURE override that describes what comes from the cut on (RFC 5545 §3.2.13, §3.8.4.4)."""
    found = [
        (key, place)
        for place, item in enumerate(document.overrides)
        if is_following(item) and not _is_left_over(item, master, cut)
        if (key := original_key(item, cut.time)) is not None and key <= cut.instant
    ]
    return document.overrides[max(found)[1]] if found else None
