"""A series that moves: what becomes of its rules, and where each of its occurrences goes (RFC 5545 §3.3.10, §3.8.5).

Rules of this module: an exception is of an occurrence, so it goes where that occurrence goes. Most rules can be said
again so that every start moves by the same wall time, and one that names the day of DTSTART names its new day
(docs/decisions/0009). Any other becomes dates, or is refused: no series is left whose DTSTART its rule does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from protocol.errors import Refusal
from protocol.ical.components import Component, Property
from protocol.ical.editing.rests import Ruled, dates_of, rules_of
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

    line: Property | None
    """The rule as it is said now; ``None``: as dates."""
    before: Series
    after: Series | None
    exact: bool
    """Every start moved by the same wall time as DTSTART; otherwise its days go where DTSTART's day goes."""
    dates: tuple[int, ...] = ()

    def starts(self, low: int, high: int, budget: Budget) -> list[int]:
        """The moved starts in ``[low, high)``."""
        if self.after is None:
            return [wall for wall in self.dates if low <= wall < high]
        return list(self.after.starts(low, high, budget))


def moved_rule(line: Property, old: SeriesTime, new: SeriesTime, budget: Budget) -> RuleMove | None:
    """The rule of a series that moved: of the ways to say it again, the first that yields exactly the moved starts.

    Where there is none, a month, day of the month or n-th weekday that is the old DTSTART's becomes the new one's.
    ``None``: the rule names other days, or times of day, that cannot all move as far.
    """
    parts = parts_of(line)
    delta = new.wall - old.wall
    before = _pattern(line, old)
    wanted = [wall + delta for wall in _first_starts(before)]
    for changes in ways_to_move(parts, old, new):
        after = _pattern(with_parts(line, **changes), new)
        # One whose first starts are too far apart to be found has none that could be seen to move.
        if not wanted or _first_starts(after) == wanted:
            return RuleMove(_said(line, parts, changes, old, new, after), before, after, exact=True)
    changes = days_like_start(parts, wall_of(old.wall), wall_of(new.wall))
    if new.wall // DAY == old.wall // DAY or (not changes and _DAY_PARTS & parts.keys()):
        return None
    changes |= moved_times(parts, old, new)
    again = with_parts(line, **changes)
    if not list(_pattern(again, new, include_start=False).starts(new.wall, new.wall + 1, budget)):
        return None
    after = _pattern(again, new)
    return RuleMove(_said(line, parts, changes, old, new, after), before, after, exact=False)


def _as_dates(ruled: Ruled, old: SeriesTime, delta: int, budget: Budget) -> RuleMove:
    """The starts of a rule that cannot be said again, each moved; refuses when they are too many or have no end."""
    walls = dates_of(ruled.starts(budget))
    moved = tuple(wall + delta for wall in walls if wall != old.wall)
    return RuleMove(None, ruled.rule.series, None, exact=True, dates=moved)


def _said(
    line: Property,
    parts: dict[str, str],
    changes: dict[str, str | None],
    old: SeriesTime,
    new: SeriesTime,
    after: Series,
) -> Property:
    later = new.wall - old.wall
    if "UNTIL" in parts and (until := moved_until(parts["UNTIL"], old, new, later, after)) is not None:
        changes = changes | {"UNTIL": until}
    changes = {name: value for name, value in changes.items() if value != parts.get(name)}
    return with_parts(line, **changes) if changes else line


def _pattern(line: Property, time: SeriesTime, *, include_start: bool = True) -> Series:
    """The starts of a rule without its end."""
    rule = replace(parse_rule(line.value), count=None, until=None)
    return Series(rule, time.wall, all_day=time.form is Form.DATE, include_start=include_start)


def _first_starts(series: Series) -> list[int]:
    """Enough starts to compare; none of a rule that yields so few that looking for them costs too much."""
    try:
        return list(islice(series.starts(series.start, END, Budget()), _COMPARED))
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
    def of(
        cls,
        master: Component,
        old: SeriesTime,
        new: SeriesTime,
        timezones: Mapping[str, Component],
        kept: frozenset[str] = frozenset(),
    ) -> SeriesMove:
        """The move of a series; the rules named in ``kept`` are not the old ones, so nothing is asked of them.

        Refuses with ``valid-calendar-object-resource`` when a rule has too many starts to say each of them.
        """
        rules = () if "RRULE" in kept else rules_of(master, "RRULE", old, timezones)
        keys = frozenset(key for line in master.all("RDATE") for key in old.keys(line))
        budget = Budget()
        delta = new.wall - old.wall
        moves = (moved_rule(each.line, old, new, budget) or _as_dates(each, old, delta, budget) for each in rules)
        return cls(old, new, tuple(moves), keys, budget)

    @property
    def delta(self) -> int:
        """By how much wall time DTSTART moved."""
        return self.new.wall - self.old.wall

    @property
    def exact(self) -> bool:
        """Whether every occurrence moved by the same wall time."""
        return all(rule.exact for rule in self.rules)

    @property
    def dates(self) -> list[Property]:
        """The RDATEs for rules that could not be said again."""
        return self.new.lines("RDATE", (wall for rule in self.rules for wall in rule.dates))

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
        return wall + self.delta

    def tangles(self, master: Component) -> bool:
        """Whether two starts change their order, or become one, in a DST gap before the move or after it.

        A start in a gap is an instant as much behind the gap as it lies in it (RFC 5545 §3.3.5). A series that is moved
        by wall time meets that on other nights, or none.
        """
        extra = {wall for line in master.all("RDATE") for wall in self.old.walls(line)}
        moved = {wall + self.delta for wall in extra}
        return self._tangled(self.old, [rule.before for rule in self.rules], extra) or self._tangled(
            self.new, [rule.after for rule in self.rules if rule.after is not None], moved
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
        if rule.exact or rule.after is None:
            return moved
        reach = _NEAR if rule.before.rule.freq >= Freq.MONTHLY else DAY
        for place in (moved, wall):
            if place != self.new.wall and self._has(rule.after, place):
                return place
        for place in (moved, wall):
            near = [
                found for found in self._between(rule.after, place - reach, place + reach) if found != self.new.wall
            ]
            if near:
                return min(near, key=lambda found, place=place: abs(found - place))  # type: ignore[misc]
        return moved

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
        now = {wall for place in moved for rule in self.rules for wall in rule.starts(place, place + DAY, self.budget)}
        now |= {wall for wall in map(self.to, extra) if wall - wall % DAY in moved}
        return (moved, []) if now <= set(walls) else ([], walls)
