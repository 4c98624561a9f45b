"""This and following: a series cut in two (RFC 5545 §3.8.4.5, §3.8.5).

Rules of this module: the first part keeps its UID and ends before the cut; the second is an object of its own with a
UID given by the caller, related to the first. Every exception, extra date and override goes to the part it is of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, escape
from protocol.ical.document import Document
from protocol.ical.editing.base import RECURRENCE_NAMES, is_following, original_key, original_wall, series_time
from protocol.ical.editing.edit import Edit, replaced, revised, text_of
from protocol.ical.editing.moves import SeriesMove, moved_rule
from protocol.ical.editing.rests import (
    Ruled,
    earlier_by_instant,
    last_of,
    rest_of_exclusion,
    rest_of_rule,
    rules_of,
    uncounted_before,
)
from protocol.ical.editing.rule import ended_before
from protocol.ical.editing.series import change_all, changed_members
from protocol.ical.editing.times import DAY, SeriesTime, end_as_far
from protocol.ical.lines import said_again
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.ical.recurrence.timing import Moment, moment_of
from protocol.ical.values import Form
from protocol.model import FOREVER, TimeRange, Uid

_DATES = frozenset({"RDATE", "EXDATE"})
_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "DURATION"})


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

    @property
    def is_before_start(self) -> bool:
        """Whether all that comes before the cut are extra dates earlier than DTSTART (or nothing)."""
        return self.instant <= self.time.instant(self.time.wall)


@dataclass(frozen=True, slots=True)
class Split:
    """The two texts of a series that was cut; ``before`` is ``None`` when the cut was at its beginning."""

    before: bytes | None
    after: bytes


def change_following(
    document: Document, occurrence: Occurrence, edit: Edit, *, uid: str, now: int, budget: Budget | None = None
) -> Split:
    """One occurrence and all after it changed; ``uid`` is for the second part, ``now`` is epoch seconds.

    Refuses with ``max-instances`` when ``budget`` does not suffice to count a COUNT rule, and with
    ``valid-calendar-object-resource`` when the rules of the series cannot be said from that occurrence on.
    """
    master = document.master
    budget = budget or Budget()
    cut = _Cut(series_time(document), occurrence.wall, budget)
    if master is None or not _any_before(document, master, cut):
        return Split(None, change_all(document, edit, now=now))
    after = _second_part(document, master, cut, edit, uid)
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
    return any(cut.time.instant(item.wall) < cut.instant for item in found) or any(
        _before(item, cut) and not _is_left_over(item, master, cut) for item in document.overrides
    )


def _before(override: Component, cut: _Cut) -> bool:
    own = original_key(override, cut.time)
    return own is not None and own < cut.instant


def _is_left_over(override: Component, master: Component, cut: _Cut) -> bool:
    """Whether an override is of no occurrence, because it is of a time before DTSTART that no RDATE names."""
    time = cut.time
    own, wall = original_key(override, time), original_wall(override, time)
    if own is None or wall is None or own >= time.instant(time.wall) or wall >= time.wall:
        return False
    return all(own not in time.keys(line) for line in master.all("RDATE"))


def _with_members(document: Document, master: Component, overrides: tuple[Component, ...]) -> Document:
    return Document(document.calendar, document.uid, document.component, master, overrides, document.timezones)


def _first_part(document: Document, master: Component, cut: _Cut, now: int) -> list[Component]:
    rules = {id(each.line): each for name in ("RRULE", "EXRULE") for each in _rules(document, master, name, cut)}
    lines: list[Property] = []
    for line in master.properties:
        if line.name in ("RRULE", "EXRULE"):
            if cut.is_before_start:
                continue
            # A COUNT that is used up before the cut must not become an UNTIL that lies after its end.
            goes_on = rules[id(line)].next_from(cut.wall, cut.budget) is not None
            lines.append(ended_before(line, cut.time, cut.wall) if goes_on else line)
            if goes_on and line.name == "RRULE":
                lines += cut.time.lines("EXDATE", uncounted_before(rules[id(line)], cut.wall, cut.budget))
        elif line.name in ("RDATE", "EXDATE"):
            lines.extend(_part(line, cut, first=True))
        else:
            lines.append(line)
    ended = Component(master.name, lines, master.components)
    overrides = [item for item in document.overrides if _before(item, cut)]
    if cut.is_before_start:
        ended = _begun_by_date(ended, document, master, cut)
        overrides = [item for item in overrides if not _is_left_over(item, master, cut)]
    return [revised(ended, master, now), *overrides]


def _begun_by_date(ended: Component, document: Document, master: Component, cut: _Cut) -> Component:
    """The first part when DTSTART itself is in the second: the first of the dates that come earlier begins it."""
    ruled = [
        wall
        for each in _rules(document, master, "RRULE", cut)
        for wall in earlier_by_instant(each, cut.time.wall, cut.instant, cut.budget)
    ]
    ended = replaced(ended, [*ended.all("RDATE"), *cut.time.lines("RDATE", ruled)])
    dates = [wall for line in ended.all("RDATE") for wall in cut.time.walls(line)]
    return _started_at(ended, cut.time, _first_of(dates), document)


def _part(line: Property, cut: _Cut, *, first: bool) -> list[Property]:
    """The values of an RDATE or EXDATE that belong to one of the parts, as a line or none."""
    kept = []
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
    if len(kept) == len(texts):
        return [line]
    return [said_again(line, ",".join(kept), drop=frozenset())] if kept else []


def _without_cut(line: Property, rules: tuple[Ruled, ...], extra: list[int], cut: _Cut) -> list[Property]:
    """An EXDATE without the start at the cut; a whole day that excludes it from a timed series becomes the others."""
    time = cut.time
    kept, others, names_cut = [], [], False
    for text in line.value.split(",") if line.name == "EXDATE" else ():
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
    again = [said_again(line, ",".join(kept), drop=frozenset())] if kept else []
    return again + time.lines("EXDATE", (wall for wall in others if time.instant(wall) != cut.instant))


def _is_whole_day(moment: Moment, time: SeriesTime) -> bool:
    """Whether an EXDATE excludes all that begins on a day from a series that has times of day."""
    return moment.form is Form.DATE and time.form is not Form.DATE


def _rules(document: Document, master: Component, name: str, cut: _Cut) -> tuple[Ruled, ...]:
    return rules_of(master, name, cut.time, document.timezones)


def _second_part(document: Document, master: Component, cut: _Cut, edit: Edit, uid: str) -> Document:
    """The series from the cut on as an object of its own, not yet changed."""
    speaker = _speaker(document, master, cut)
    overrides = [item for item in document.overrides if not _before(item, cut) and item is not speaker]
    spoken = speaker is not None and original_key(speaker, cut.time) == cut.instant
    lines, start = _recurrence_from(document, master, cut, spoken=spoken)
    own = replaced(master if speaker is None else _spoken(speaker, master, document), lines, RECURRENCE_NAMES)
    if speaker is None:
        own = _started_at(own, cut.time, start, document)
    else:
        cannot_stay = bool(_TIMES & edit.names)
        own, overrides = _moved_along(own, overrides, speaker, replace(cut.time, wall=start), document, cannot_stay)
    new_uid = Property.make("UID", escape(uid))
    related = [*own.all("RELATED-TO"), Property.make("RELATED-TO", document.uid, (("RELTYPE", ("SIBLING",)),))]
    own = replaced(own, [new_uid, *related])
    renamed = tuple(replaced(item, [new_uid]) for item in overrides)
    return Document(document.calendar, Uid(uid), document.component, own, renamed, document.timezones)


def _recurrence_from(document: Document, master: Component, cut: _Cut, *, spoken: bool) -> tuple[list[Property], int]:
    """The recurrence lines of the second part, and its DTSTART as original start of the series.

    ``spoken``: an override that becomes the master is of the cut itself, which is then shown whatever EXDATE says.
    """
    time, budget = cut.time, cut.budget
    rules = _rules(document, master, "RRULE", cut)
    dates = [part for line in master.properties if line.name in _DATES for part in _part(line, cut, first=False)]
    if spoken:
        starts = [wall for line in master.all("RDATE") for wall in time.walls(line)]
        dates = [again for line in dates for again in _without_cut(line, rules, starts, cut)]
    extra = [wall for line in dates if line.name == "RDATE" for wall in time.walls(line)]
    if cut.is_before_start:
        start = time.wall
    else:
        # Its first start by rule is the new DTSTART, for an RDATE may not fit the rule.
        by_rule = [wall for each in rules if (wall := each.next_from(cut.wall, budget)) is not None]
        start = min(by_rule) if by_rule else _first_of(extra)
    lines = []
    for each in rules:
        again, walls = rest_of_rule(each, cut.wall, start, budget)
        lines += again + time.lines("RDATE", (wall for wall in walls if wall != start))
        lines += time.lines("EXDATE", earlier_by_instant(each, start, cut.instant, budget) if again else ())
    last = last_of(rules, [start, *extra], budget)
    for each in _rules(document, master, "EXRULE", cut):
        again, walls = rest_of_exclusion(each, last, cut.wall, start, budget)
        lines += again + time.lines("EXDATE", walls)
    return [*lines, *dates], start


def _first_of(walls: list[int]) -> int:
    """The DTSTART of a part that has only RDATEs."""
    if not walls:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The series has no occurrence left to begin with.")
    return min(walls)


def _speaker(document: Document, master: Component, cut: _Cut) -> Component | None:
    """The THISANDFUTURE override that describes what comes from the cut on (RFC 5545 §3.2.13, §3.8.4.4)."""
    found = [
        (key, place)
        for place, item in enumerate(document.overrides)
        if is_following(item) and not _is_left_over(item, master, cut)
        if (key := original_key(item, cut.time)) is not None and key <= cut.instant
    ]
    return document.overrides[max(found)[1]] if found else None


def _own_time(component: Component, document: Document) -> SeriesTime | None:
    line = component.first("DTSTART") or component.first("DUE")
    return None if line is None else SeriesTime.of(line, document.timezones)


def _spoken(speaker: Component, master: Component, document: Document) -> Component:
    """A THISANDFUTURE override as a master; one without a time of its own leaves its occurrences where they were."""
    timed = _own_time(speaker, document) is not None
    lines = [line for line in speaker.properties if line.name != "RECURRENCE-ID" and (timed or line.name not in _TIMES)]
    if not timed:
        lines += [line for line in master.properties if line.name in _TIMES]
    return Component(speaker.name, lines, speaker.components)


def _moved_along(
    own: Component,
    overrides: list[Component],
    speaker: Component,
    old: SeriesTime,
    document: Document,
    cannot_stay: bool,
) -> tuple[Component, list[Component]]:
    """The second part and its overrides moved as far as the THISANDFUTURE override moved its occurrence."""
    its, original = _own_time(speaker, document), original_wall(speaker, old)
    if its is None or original is None:
        return _started_at(own, series_time(document), old.wall, document), overrides
    new = replace(its, wall=old.wall + its.wall - original)
    own = _started_at(own, its, new.wall, document)
    if new.wall == old.wall and new.same_form(old):
        return own, overrides
    move = SeriesMove.of(own, old, new)
    exclusions = [moved_rule(line, old, new, move.budget) for line in own.all("EXRULE")]
    if not move.exact or not all(rule.exact for rule in exclusions):
        if cannot_stay:
            raise _unsayable()
        return _left_moved(own, overrides, old, new, document)
    if not cannot_stay and move.tangles(own):
        return _left_moved(own, overrides, old, new, document)
    dates = [part for line in own.properties if line.name in _DATES for part in move.lines(line)]
    own = replaced(own, [*(rule.line for rule in (*move.rules, *exclusions)), *dates])
    moved = [
        replaced(item, [part for line in item.all("RECURRENCE-ID") for part in move.lines(line)]) for item in overrides
    ]
    return own, moved


def _left_moved(
    own: Component, overrides: list[Component], old: SeriesTime, new: SeriesTime, document: Document
) -> tuple[Component, list[Component]]:
    """The second part at its original times, and a THISANDFUTURE override that moves all of it (RFC 5545 §3.2.13)."""
    ends = [
        end_as_far(line, new, end, old, old.wall)
        for name in ("DTEND", "DUE")
        for line in own.all(name)
        if (end := SeriesTime.of(line, document.timezones)) is not None
    ]
    stays = replaced(own, [old.line("DTSTART", old.wall), *ends])
    part = _with_members(document, stays, tuple(overrides))
    found = occurrences(part, TimeRange(None, None), limit=len(overrides) + 1)
    first = next((item.wall for item in found if not item.is_override), None)
    if first is None:
        return stays, overrides
    recurrence_id = old.line("RECURRENCE-ID", first)
    ranged = said_again(recurrence_id, recurrence_id.value, params=";RANGE=THISANDFUTURE", drop=frozenset())
    moved = _started_at(own, new, first + new.wall - old.wall, document)
    return stays, [replaced(moved, [ranged], RECURRENCE_NAMES), *overrides]


def _unsayable() -> Refusal:
    return Refusal(
        Condition.VALID_CALENDAR_OBJECT_RESOURCE,
        "The rule of this series cannot be said for the times that an earlier change gave its occurrences.",
    )


def _started_at(component: Component, time: SeriesTime, wall: int, document: Document) -> Component:
    """The master with its start at a wall time of its series and its end as far away as before."""
    by_due = component.first("DTSTART") is None
    lines = []
    for line in component.properties:
        if line.name == "DTSTART" or (by_due and line.name == "DUE"):
            lines.append(time.line(line.name, wall, like=line))
        elif line.name in ("DTEND", "DUE"):
            end = SeriesTime.of(line, document.timezones)
            lines.append(line if end is None else end_as_far(line, time, end, time, wall))
        else:
            lines.append(line)
    return Component(component.name, lines, component.components)
