"""A series that moves: what becomes of its rules, and where each of its occurrences goes (RFC 5545 §3.3.10, §3.8.5).

Rules of this module: an exception is of an occurrence, so it goes where that occurrence goes. Most rules can be said
again so that every start moves by the same wall time. Where a rule cannot, its own starts are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

from protocol.errors import Refusal
from protocol.ical.components import Component, Property
from protocol.ical.editing.rule import days_like_start, moved_times, moved_until, parts_of, ways_to_move, with_parts
from protocol.ical.editing.times import DAY, SeriesTime
from protocol.ical.lines import said_again
from protocol.ical.recurrence import Budget, Series, parse_rule
from protocol.ical.recurrence.timing import moment_of
from protocol.ical.rules import Freq
from protocol.ical.rules.series import END
from protocol.ical.values import Form, render_when, wall_of

_COMPARED = 100
"""Starts that tell two patterns apart: more than a year of months, leap years, leap months of other calendars."""
_NEAR = 16 * DAY
"""A month's own occurrence is nearer than that to where it would be by its distance from DTSTART."""
_CYCLE = 28 * 366 * DAY
"""After 28 years every day of the year has fallen on each weekday, in leap years and others."""
_DAY_PARTS = frozenset({"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"})


@dataclass(frozen=True, slots=True)
class RuleMove:
    """One rule of a series that moved, and how far its starts went along."""

    line: Property
    before: Series
    after: Series
    exact: bool
    """Every start moved by the same wall time as DTSTART."""
    follows: bool
    """Its days go where DTSTART's day goes; otherwise they stay where they are."""


def moved_rule(line: Property, old: SeriesTime, new: SeriesTime, budget: Budget) -> RuleMove:
    """The rule of a series that moved: of the ways to say it again, the first that yields exactly the moved starts.

    Where there is none, a month, day of the month or n-th weekday that is the old DTSTART's becomes the new one's, and
    a rule that names other days keeps them.
    """
    parts = parts_of(line)
    delta = new.wall - old.wall
    before = _pattern(line, old)
    wanted = [wall + delta for wall in _first_starts(before, budget)]
    for changes in ways_to_move(parts, old, new):
        after = _pattern(with_parts(line, **changes), new)
        if wanted and _first_starts(after, budget) == wanted:
            again = _said(line, parts, changes, old, new, delta, after)
            return RuleMove(again, before, after, exact=True, follows=True)
    days = new.wall // DAY - old.wall // DAY
    changes = days_like_start(parts, wall_of(old.wall), wall_of(new.wall)) if days else {}
    follows = bool(days) and (bool(changes) or not _DAY_PARTS & parts.keys())
    if days:
        changes = changes | moved_times(parts, old, new)
    later = delta if follows else max(0, new.wall % DAY - old.wall % DAY) if days else 0
    after = _pattern(with_parts(line, **changes), new)
    return RuleMove(_said(line, parts, changes, old, new, later, after), before, after, exact=False, follows=follows)


def _said(
    line: Property,
    parts: dict[str, str],
    changes: dict[str, str | None],
    old: SeriesTime,
    new: SeriesTime,
    later: int,
    after: Series,
) -> Property:
    if "UNTIL" in parts and (until := moved_until(parts["UNTIL"], old, new, later, after)) is not None:
        changes = changes | {"UNTIL": until}
    changes = {name: value for name, value in changes.items() if value != parts.get(name)}
    return with_parts(line, **changes) if changes else line


def _pattern(line: Property, time: SeriesTime) -> Series:
    """The starts of a rule without its end."""
    rule = replace(parse_rule(line.value), count=None, until=None)
    return Series(rule, time.wall, all_day=time.form is Form.DATE)


def _first_starts(series: Series, budget: Budget) -> list[int]:
    """Enough starts to compare; none of a rule that yields so few that looking for them costs too much."""
    try:
        return list(islice(series.starts(series.start, END, budget), _COMPARED))
    except Refusal:
        return []


@dataclass(frozen=True, slots=True)
class SeriesMove:
    """A series that moved from one time to another, with its rules."""

    old: SeriesTime
    new: SeriesTime
    rules: tuple[RuleMove, ...]
    extra: frozenset[int] = frozenset()
    """The RDATEs, as keys."""
    budget: Budget = field(default_factory=Budget)
    """For asking rules where occurrences are."""

    @classmethod
    def of(cls, master: Component, old: SeriesTime, new: SeriesTime, kept: frozenset[str] = frozenset()) -> SeriesMove:
        """The move of a series; the rules named in ``kept`` are not the old ones, so nothing is asked of them."""
        lines = [] if "RRULE" in kept else master.all("RRULE")
        keys = frozenset(key for line in master.all("RDATE") for key in old.keys(line))
        budget = Budget()
        return cls(old, new, tuple(moved_rule(line, old, new, budget) for line in lines), keys)

    @property
    def delta(self) -> int:
        """By how much wall time DTSTART moved."""
        return self.new.wall - self.old.wall

    @property
    def exact(self) -> bool:
        """Whether every occurrence moved by the same wall time."""
        return all(rule.exact for rule in self.rules)

    def to(self, wall: int) -> int:
        """Where the occurrence that began at a wall time begins now."""
        readings = self.old.readings(wall)
        if self.old.wall in readings:
            return self.new.wall
        if self.exact and len(readings) == 1:
            return wall + self.delta
        for reading in readings:
            for rule in self.rules:
                if self._has(rule.before, reading):
                    return self._along(rule, reading)
        if self.exact or self.old.instant(wall) in self.extra or any(rule.follows for rule in self.rules):
            return wall + self.delta
        return wall

    def tangles(self, master: Component) -> bool:
        """Whether two starts change their order, or become one, in a DST gap before the move or after it.

        A start in a gap is an instant as much behind the gap as it lies in it (RFC 5545 §3.3.5). A series that is moved
        by wall time meets that on other nights, or none.
        """
        extra = {wall for line in master.all("RDATE") for wall in self.old.walls(line)}
        moved = {wall + self.delta for wall in extra}
        return self._tangled(self.old, [rule.before for rule in self.rules], extra) or self._tangled(
            self.new, [rule.after for rule in self.rules], moved
        )

    def _tangled(self, time: SeriesTime, rules: list[Series], extra: set[int]) -> bool:
        clock = time.clock
        for instant, before, after in () if clock is None else clock.transitions(time.wall - DAY, time.wall + _CYCLE):
            begins, ends, width = instant + before, instant + after, after - before
            if width <= 0:
                continue
            near = extra.union(*(self._between(rule, begins, ends + width) for rule in rules))
            inside = [wall for wall in near if begins <= wall < ends]
            if inside and any(ends <= wall <= max(inside) + width for wall in near):
                return True
        return False

    def _along(self, rule: RuleMove, wall: int) -> int:
        moved = wall + self.delta
        if rule.exact:
            return moved
        if rule.follows:
            tries = (moved, wall)
            reach = _NEAR if rule.before.rule.freq >= Freq.MONTHLY else DAY
        else:
            tries = self._places(wall)
            reach = DAY
        for place in tries:
            if place != self.new.wall and self._has(rule.after, place):
                return place
        for place in tries if rule.follows else (wall,):
            near = [
                found for found in self._between(rule.after, place - reach, place + reach) if found != self.new.wall
            ]
            if near:
                return min(near, key=lambda found, place=place: abs(found - place))  # type: ignore[misc]
        return moved if rule.follows else wall

    def doubled(self) -> int | None:
        """A start of the moved rule that is the old DTSTART still, though that moved away; ``None``: there is none."""
        for rule in self.rules:
            if not rule.exact and not rule.follows:
                for place in self._places(self.old.wall):
                    if place > self.new.wall and self._has(rule.after, place):
                        return place
        return None

    def _places(self, wall: int) -> tuple[int, int]:
        """Where an occurrence stays whose day stays: at its new time of day, or as it was."""
        return wall - wall % DAY + (wall + self.delta) % DAY, wall

    def _has(self, series: Series, wall: int) -> bool:
        return bool(self._between(series, wall, wall + 1))

    def _between(self, series: Series, low: int, high: int) -> list[int]:
        self.budget.spend(1)
        return list(series.starts(low, high, self.budget))

    def lines(self, line: Property) -> list[Property]:
        """An EXDATE, RDATE or RECURRENCE-ID of the series as it is after the move."""
        values: list[str] = []
        whole_days: list[int] = []
        for text in line.value.split(","):
            first, slash, rest = text.partition("/")
            moment = moment_of(first, line, self.old.zones)
            if moment is None:
                continue
            if moment.form is Form.DATE and self.old.form is not Form.DATE and line.name == "EXDATE":
                days, walls = self._day(moment.wall)
                whole_days.extend(days)
                values.extend(map(self.new.text, walls))
                continue
            wall = self.old.wall_of(moment)
            to = self.to(wall)
            if slash and rest[:1] not in "Pp+-":
                last = moment_of(rest, line, self.old.zones)
                rest = rest if last is None else self.new.text(self.old.wall_of(last) + to - wall)
            values.append(self.new.text(to) + slash + rest)
        found = []
        if whole_days:
            dates = ",".join(render_when(wall_of(day), Form.DATE) for day in whole_days)
            found.append(said_again(line, dates, params=";VALUE=DATE"))
        if values or not whole_days:
            is_period = (line.param("VALUE") or "").upper() == "PERIOD" and self.new.form is not Form.DATE
            zoned = self.new.tzid + (";VALUE=PERIOD" if is_period else "")
            params = ";VALUE=DATE" if self.new.form is Form.DATE else zoned
            found.append(said_again(line, ",".join(values), params=params))
        return found

    def _day(self, day: int) -> tuple[list[int], list[int]]:
        """A whole day excluded from a timed series: as days, or as the starts that it now means."""
        days = self.new.wall // DAY - self.old.wall // DAY
        clock = self.old.clock
        extra = [key if clock is None else clock.to_wall(key) for key in self.extra]
        starts = [wall for rule in self.rules for wall in self._between(rule.before, day, day + DAY)]
        starts += [wall for wall in extra if day <= wall < day + DAY]
        if not starts or self.new.form is Form.DATE:
            return [day + days * DAY], []
        walls = sorted({self.to(wall) for wall in starts})
        moved = sorted({wall - wall % DAY for wall in walls})
        now = {wall for place in moved for rule in self.rules for wall in self._between(rule.after, place, place + DAY)}
        now |= {wall for wall in map(self.to, extra) if wall - wall % DAY in moved}
        return (moved, []) if now <= set(walls) else ([], walls)
