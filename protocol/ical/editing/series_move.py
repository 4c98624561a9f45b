"""The move of a series: new rules, and the new place of each occurrence (RFC 5545 §3.3.10, §3.8.5).

Rules of this module: an exception moves with its occurrence. Most rules can be rewritten so that every start moves by
the same wall time, and a rule that names the day of DTSTART names the new day (docs/decisions/0009). Any other rule
becomes dates or is refused, so that the DTSTART of every series is a start of its rule.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR

from protocol.ical.components import Component, Property
from protocol.ical.editing.moved_rules import TRIALS, RuleMove, as_only_rule, moved_rule, rule_as_dates
from protocol.ical.editing.remaining_rules import rules_of
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import with_value
from protocol.ical.recurrence import Budget, Series
from protocol.ical.timing import Moment, moment_of
from protocol.ical.values import Duration, Form, render_duration, wall_of, wall_seconds
from protocol.model import DAY

_CYCLE = 28 * 366 * DAY
"""Within 28 years every date falls on each weekday, in leap years and in others."""


@dataclass(frozen=True, slots=True)
class SeriesMove:
    """A series that moved from one time to another, with its rules."""

    old: SeriesTime
    new: SeriesTime
    rules: tuple[RuleMove, ...]
    extra: frozenset[int] = frozenset()
    """The RDATEs, as keys."""
    trials: Budget = field(default_factory=lambda: Budget(TRIALS))
    """For attempts to rewrite rules."""
    budget: Budget = field(default_factory=Budget)
    """For the occurrences of rules."""

    @classmethod
    def of(
        cls,
        master: Component,
        old: SeriesTime,
        new: SeriesTime,
        timezones: Mapping[str, Component],
        kept: frozenset[str] = frozenset(),
    ) -> SeriesMove:
        """The move of a series; rules whose name is in ``kept`` come from the edit, so they are not moved.

        Refuses with ``valid-calendar-object-resource`` when a rule becomes too many dates.
        """
        rules = () if "RRULE" in kept else rules_of(master, "RRULE", old, timezones)
        keys = frozenset(key for line in master.all("RDATE") for key in old.keys(line))
        trials, budget = Budget(TRIALS), Budget()
        delta = new.wall - old.wall
        moves = [moved_rule(each.line, old, new, trials) or rule_as_dates(each, old, delta, budget) for each in rules]
        if len(moves) > 1 and sum(move.line is not None for move in moves) == 1:
            moves = [as_only_rule(move, new, trials) for move in moves]
        return cls(old, new, tuple(moves), keys, trials)

    @property
    def delta(self) -> int:
        """How far DTSTART moved, in wall time."""
        return self.new.wall - self.old.wall

    @property
    def exact(self) -> bool:
        """Whether every occurrence moved by the same wall time."""
        return all(rule.exact for rule in self.rules)

    @property
    def dates(self) -> list[Property]:
        """The RDATEs for rules that could not be rewritten, without those that the series already has."""
        walls = (wall for rule in self.rules for wall in rule.dates)
        return self.new.lines(
            "RDATE", (wall for wall in walls if self.old.instant(wall - self.delta) not in self.extra)
        )

    def target(self, wall: int) -> int:
        """The new start of the occurrence that began at a wall time."""
        readings = self.old.readings(wall)
        if self.old.wall in readings:
            return self.new.wall
        moved = wall + self.delta
        if self.exact and len(readings) == 1:
            return moved
        for reading in readings:
            for rule in self.rules:
                if self._has(rule.before, reading):
                    return reading + self.delta if rule.exact else self._in_new_month(rule, reading)
        return moved if self.exact or self.old.instant(wall) in self.extra else self._free_start(moved)

    def changes_order(self, master: Component) -> bool:
        """Whether two starts swap their order or become equal in a DST gap, before the move or after it.

        A start in a gap means an instant that is as far behind the gap as the start lies in it (RFC 5545 §3.3.5). A
        moved series meets gaps on other nights, or none.
        """
        extra = {wall for line in master.all("RDATE") for wall in self.old.walls(line)}
        moved = {wall + self.delta for wall in extra}
        return self._order_changes(self.old, [rule.before for rule in self.rules], extra) or self._order_changes(
            self.new, [rule.after for rule in self.rules if rule.after is not None], moved
        )

    def _order_changes(self, time: SeriesTime, rules: list[Series], extra: set[int]) -> bool:
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

    def _in_new_month(self, rule: RuleMove, wall: int) -> int:
        """The new place of a monthly occurrence: in the month that is as many months later as the new DTSTART's."""
        at, old, new = wall_of(wall), wall_of(self.old.wall), wall_of(self.new.wall)
        year, month = divmod(12 * (at.year + new.year - old.year) + at.month - 1 + new.month - old.month, 12)
        if not MINYEAR <= year <= MAXYEAR:
            return wall + self.delta
        first = wall_seconds(at.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0))
        found = rule.starts(first, first + monthrange(year, month + 1)[1] * DAY, self.budget)
        return found[0] if found else self._free_start(wall + self.delta)

    def _free_start(self, wall: int) -> int:
        """A time without an occurrence, for an exception that belongs to none: it must not hit another one."""
        while any(rule.starts(wall, wall + 1, self.budget) for rule in self.rules):
            wall += DAY
        return wall

    def _has(self, series: Series, wall: int) -> bool:
        return bool(self._between(series, wall, wall + 1))

    def _between(self, series: Series, low: int, high: int) -> list[int]:
        self.budget.spend(1)
        return list(series.starts(low, high, self.budget))

    def lines(self, line: Property) -> list[Property]:
        """An EXDATE, RDATE or RECURRENCE-ID of the series, after the move."""
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
            target = self.target(wall)
            values.append(
                self.new.text(target) + self._period_end(line, moment, target, rest) if slash else self.new.text(target)
            )
        found = []
        if whole_days:
            dates = ",".join(map(replace(self.new, form=Form.DATE).text, whole_days))
            found.append(with_value(line, dates, params=";VALUE=DATE"))
        if values or not whole_days:
            is_period = (line.param("VALUE") or "").upper() == "PERIOD" and self.new.form is not Form.DATE
            zoned = self.new.tzid + (";VALUE=PERIOD" if is_period else "")
            params = ";VALUE=DATE" if self.new.form is Form.DATE else zoned
            found.append(with_value(line, ",".join(values), params=params))
        return found

    def _period_end(self, line: Property, start: Moment, target: int, rest: str) -> str:
        """The end of a PERIOD that now begins at ``target``, with its solidus; a DATE has none (RFC 5545 §3.3.9)."""
        if self.new.form is Form.DATE:
            return ""
        end = None if rest[:1] in "Pp+-" else moment_of(rest, line, self.old.zones)
        if end is None:
            return f"/{rest}"
        length = self.old.key_of(end) - self.old.key_of(start)
        instant = self.new.instant(target) + length
        wall = self.new.wall_at(instant)
        # Local time cannot express the second pass of an hour that comes twice: write the length instead.
        return f"/{self.new.text(wall) if self.new.instant(wall) == instant else render_duration(Duration(0, length))}"

    def _day(self, day: int) -> tuple[list[int], list[int]]:
        """A whole day excluded from a timed series: as new days, or as the starts it now stands for."""
        days = self.new.wall // DAY - self.old.wall // DAY
        clock = self.old.clock
        extra = [key if clock is None else clock.to_wall(key) for key in self.extra]
        starts = [wall for rule in self.rules for wall in self._between(rule.before, day, day + DAY)]
        starts += [wall for wall in extra if day <= wall < day + DAY]
        if not starts or self.new.form is Form.DATE:
            return [day + days * DAY], []
        walls = sorted({self.target(wall) for wall in starts})
        moved = sorted({wall - wall % DAY for wall in walls})
        now = {wall for place in moved for rule in self.rules for wall in rule.starts(place, place + DAY, self.budget)}
        now |= {wall for wall in map(self.target, extra) if wall - wall % DAY in moved}
        return (moved, []) if now <= set(walls) else ([], walls)
