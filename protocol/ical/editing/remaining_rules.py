"""What a rule still yields for an object that begins later in the series (RFC 5545 §3.3.10, RFC 7529 §4.1).

A rule takes missing days and its phase from DTSTART. Under a later DTSTART it stays as it is, or gets its days written
out, or becomes dates when its phase differs and its end is near. Rules of this module: a rule that none of these can
express is refused, never approximated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.editing.rule import ended_before, parts_of, with_parts
from protocol.ical.editing.times import SeriesTime
from protocol.ical.names import WEEKDAYS
from protocol.ical.recurrence import Budget, Rule, Series, parse_rule
from protocol.ical.recurrence.recurrence_set import BoundRule, recurrence_set_of
from protocol.ical.rules import Freq
from protocol.ical.rules.binding import with_start_parts
from protocol.ical.rules.rscale import calendar_system
from protocol.ical.rules.rule import LEAP_MONTH
from protocol.ical.rules.series import END
from protocol.ical.values import Form
from protocol.model import DAY, HOUR, MINUTE

_COMPARED = 60
"""This many starts tell two patterns apart: a phase shows in the first one, a lost day within some years."""
MOST_DATES = 500
"""A rule is not replaced by more dates than this."""


@dataclass(frozen=True, slots=True)
class SeriesRule:
    """One RRULE or EXRULE of a series with its starts; ``is_only_rule``: its COUNT counts DTSTART."""

    line: Property
    bound: BoundRule
    time: SeriesTime
    is_only_rule: bool

    def starts(self, budget: Budget, low: int = -END, high: int = END) -> Iterator[int]:
        """Its starts in ``[low, high)``, in wall time of the series."""
        clock, until = self.time.clock, self.bound.until
        for wall in self.bound.series.starts(low, high, budget):
            if until is None or clock is None or wall == self.bound.series.start or clock.to_epoch(wall) <= until:
                yield wall

    def starts_from(self, instant: int, budget: Budget) -> Iterator[int]:
        """Its starts at an instant and after it."""
        wall = self.time.wall_at(instant)
        near = self.starts(budget, wall - self.time.disorder(wall))
        return (found for found in near if self.time.instant(found) >= instant)

    def next_from(self, instant: int, budget: Budget) -> int | None:
        """Its first start at an instant or after it, in wall time; ``None`` when it has ended."""
        return next(self.starts_from(instant, budget), None)


def rules_of(
    master: Component, name: str, time: SeriesTime, timezones: Mapping[str, Component]
) -> tuple[SeriesRule, ...]:
    """The RRULEs or EXRULEs of a series."""
    recurrence = recurrence_set_of(master, (), timezones)
    rules = recurrence.rules if name == "RRULE" else recurrence.exclusion_rules
    is_only_rule = name == "RRULE" and len(rules) == 1
    return tuple(
        SeriesRule(line, rule, time, is_only_rule) for line, rule in zip(master.all(name), rules, strict=False)
    )


def remaining_rule(rule: SeriesRule, point: int, start: int, budget: Budget) -> tuple[list[Property], list[int]]:
    """The RRULE of a series that begins at ``start``, from the instant ``point`` on: as a rule, or as dates."""
    first = rule.next_from(point, budget)
    if first is None:
        return [], []
    line = _line_for_start(rule, first, start)
    if line is None:
        return [], limited_dates(rule.starts_from(point, budget))
    return [_with_remaining_count(rule, line, start, budget)], []


def earlier_by_instant(rule: SeriesRule, start: int, instant: int, budget: Budget) -> list[int]:
    """Starts after ``start`` by wall time but before ``instant``: those of a DST gap."""
    walls = rule.starts(budget, start, start + rule.time.disorder(start))
    return [wall for wall in walls if rule.time.instant(wall) < instant]


def uncounted_before(rule: SeriesRule, point: int, budget: Budget) -> list[int]:
    """Starts after the last that COUNT allows but before the instant ``point``; an UNTIL there would add them."""
    if rule.bound.series.rule.count is None:
        return []
    series, time = rule.bound.series, rule.time
    wall = time.wall_at(point)
    # A start in a gap may be the same as one that lies as far before the gap.
    low, high = wall - 2 * time.disorder(wall), wall + time.disorder(wall)
    endless = Series(replace(series.rule, count=None), series.start, all_day=time.form is Form.DATE)
    counted = set(map(time.instant, rule.starts(budget, low, high)))
    walls = endless.starts(low, high, budget)
    return [found for found in walls if time.instant(found) < point and time.instant(found) not in counted]


def remaining_exclusion(
    rule: SeriesRule, last: int, point: int, start: int, budget: Budget, *, is_overridden: bool
) -> tuple[list[Property], list[int]]:
    """The same for an EXRULE; its dates end with ``last``, the end of the series.

    ``is_overridden``: the occurrence at ``point`` is shown even when the rule excludes it.
    """
    first = rule.next_from(point, budget)
    if first is None:
        return [], []
    time = rule.time
    excludes_cut = is_overridden and time.instant(first) == point
    line = None if excludes_cut else _line_for_start(rule, first, start)
    if line is not None:
        return [_with_remaining_count(rule, line, start, budget)], []
    walls = takewhile(lambda wall: wall <= last, rule.starts_from(point, budget))
    return [], limited_dates(wall for wall in walls if not excludes_cut or time.instant(wall) != point)


def excluded_starts(
    master: Component, line: Property, time: SeriesTime, timezones: Mapping[str, Component]
) -> list[int]:
    """Every start that an EXRULE excludes; refuses when they are too many to write as dates."""
    budget = Budget()
    extra = [wall for each in master.all("RDATE") for wall in time.walls(each)]
    last = last_start(rules_of(master, "RRULE", time, timezones), [time.wall, *extra], budget)
    alike = (each for each in rules_of(master, "EXRULE", time, timezones) if each.line.raw == line.raw)
    return limited_dates(next(alike).starts(budget, high=last + 1))


def last_start(rules: Iterable[SeriesRule], extra: Iterable[int], budget: Budget) -> int:
    """The last start that rules and extra dates can have, in wall time."""
    walls = [END - 1 if each.bound.series.forever else each.bound.series.last(budget) for each in rules]
    return max((END - 1 if wall is None else wall for wall in (*walls, *extra)), default=-END)


def limited_dates(walls: Iterator[int]) -> list[int]:
    """Starts to write as dates; refuses when they are too many."""
    found = list(islice(walls, MOST_DATES + 1))
    if len(found) > MOST_DATES:
        raise Refusal(
            Condition.VALID_CALENDAR_OBJECT_RESOURCE,
            "The rules of this series cannot be expressed from another start, and have too many dates to list.",
        )
    return found


def _line_for_start(rule: SeriesRule, first: int, start: int) -> Property | None:
    """The rule rewritten for another DTSTART so that it goes on with ``first``; ``None``: that is impossible."""
    all_day = rule.time.form is Form.DATE
    series = rule.bound.series
    wanted = _pattern(rule.line, series.start, first, all_day=all_day)
    for line in (rule.line, _with_explicit_parts(rule.line, series.rule, series.start, all_day=all_day)):
        if _pattern(line, start, first, all_day=all_day) == wanted:
            return line
    return None


def _pattern(line: Property, start: int, low: int, *, all_day: bool) -> list[int]:
    rule = replace(parse_rule(line.value), count=None, until=None)
    series = Series(rule, start, all_day=all_day, include_start=False)
    return list(islice(series.starts(low, END, Budget()), _COMPARED))


def _with_explicit_parts(line: Property, rule: Rule, start: int, *, all_day: bool) -> Property:
    """The rule with the days and times that it takes from its DTSTART written out."""
    system = calendar_system(rule.rscale)
    days = with_start_parts(rule, system, start // DAY)
    changes: dict[str, str | None] = {}
    if rule.freq >= Freq.WEEKLY and not rule.by_day and days.weekdays and len(days.weekdays) < 7:
        changes["BYDAY"] = ",".join(WEEKDAYS[weekday] for _, weekday in days.weekdays)
    if not rule.by_month_day and days.month_days:
        changes["BYMONTHDAY"] = ",".join(map(str, days.month_days))
    if not rule.by_month and days.months:
        changes["BYMONTH"] = ",".join(map(_month, sorted(days.months)))
    if not all_day:
        if rule.freq >= Freq.DAILY and not rule.by_hour:
            changes["BYHOUR"] = str(start // HOUR % 24)
        if rule.freq >= Freq.HOURLY and not rule.by_minute:
            changes["BYMINUTE"] = str(start // MINUTE % 60)
        if rule.freq >= Freq.MINUTELY and not rule.by_second:
            changes["BYSECOND"] = str(start % 60)
    return with_parts(line, **changes)


def _month(label: int) -> str:
    return str(label) if label < LEAP_MONTH else f"{label - LEAP_MONTH}L"


def _with_remaining_count(rule: SeriesRule, line: Property, start: int, budget: Budget) -> Property:
    count = parts_of(line).get("COUNT", "").strip()
    if not count.isdecimal():
        return line
    if rule.is_only_rule:
        gone = sum(1 for _ in rule.starts(budget, high=start))
        return with_parts(line, COUNT=str(max(int(count) - gone, 1)))
    # RFC 5545 §3.8.5.3 does not define which starts one COUNT among several rules counts; the end of a rule is known.
    last = rule.bound.series.last(budget)
    if last is None or last >= END - DAY:
        return with_parts(line, COUNT=None)
    return ended_before(line, rule.time, rule.time.instant(last) + (DAY if rule.time.form is Form.DATE else 1))
