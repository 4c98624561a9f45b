"""One rule of a series that moves: said again, by its new day, or as dates (RFC 5545 §3.3.10, docs/decisions/0009).

Rules of this module: a way to say a rule again counts only when both yield the same starts for as far as tells them
apart. What cannot be shown is not taken for true: it becomes dates, or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from protocol.errors import Condition, Refusal
from protocol.ical.components import Property
from protocol.ical.editing.remaining_rules import MOST_DATES, SeriesRule, dates_of
from protocol.ical.editing.rule import moved_times, moved_until, named_anew, parts_of, ways_to_move, with_parts
from protocol.ical.editing.times import SeriesTime
from protocol.ical.recurrence import Budget, Rule, Series, parse_rule
from protocol.ical.rules import Freq
from protocol.ical.rules.series import END
from protocol.ical.values import Form, wall_of
from protocol.model import DAY

_COMPARED = 100
"""Starts that tell two patterns apart: more than a year of months, leap years, leap months of other calendars."""
_WEEK, _YEAR, _LEAP_YEARS = 8 * DAY, 400 * DAY, 5 * 366 * DAY
_TRIAL = 40_000
"""What comparing one way may cost, in units of the budget."""
TRIALS = 10 * _TRIAL
"""What all comparisons of one edit may cost together."""
_LOST = END + 1
"""A start too far away to be found."""


@dataclass(frozen=True, slots=True)
class RuleMove:
    """One rule of a series that moved, and how far its starts went along."""

    line: Property | None
    """The rule as it is said now; ``None``: as dates."""
    before: Series
    after: Series | None
    exact: bool
    """Every start moved by the same wall time as DTSTART; otherwise the one of a month is now its new one."""
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
    before = _pattern(line, old)
    on_rule = _has_start(line, old, budget)
    for changes in ways_to_move(parts, old, new):
        again = with_parts(line, **changes)
        after = _pattern(again, new)
        if on_rule and not _has_start(again, new, budget):
            continue
        if _is_alike(before, after, parse_rule(line.value), new.form is not Form.DATE, budget):
            return RuleMove(_said(line, parts, changes, old, new, after), before, after, exact=True)
    anew = named_anew(parts, wall_of(old.wall), wall_of(new.wall))
    if anew is None or new.wall // DAY == old.wall // DAY:
        return None
    changes = anew | moved_times(parts, old, new)
    again = with_parts(line, **changes)
    after = _pattern(again, new)
    if not _has_start(again, new, budget):
        return None
    return RuleMove(_said(line, parts, changes, old, new, after), before, after, exact=False)


def as_dates(rule: SeriesRule, old: SeriesTime, delta: int, budget: Budget) -> RuleMove:
    """The starts of a rule that cannot be said again, each moved; refuses when they are too many or have no end."""
    if rule.bound.series.forever:
        raise Refusal(
            Condition.VALID_CALENDAR_OBJECT_RESOURCE,
            "The rule of this series names days or times that cannot all be moved as far: it needs a new rule.",
        )
    moved = tuple(wall + delta for wall in dates_of(rule.starts(budget)) if wall != old.wall)
    return RuleMove(None, rule.bound.series, None, exact=True, dates=moved)


def left_alone(move: RuleMove, new: SeriesTime, budget: Budget) -> RuleMove:
    """The rule when those beside it became dates: alone, its COUNT counts DTSTART too (RFC 5545 §3.3.10)."""
    if move.line is None:
        return move
    count = parts_of(move.line).get("COUNT", "").strip()
    if not count.isdecimal() or _has_start(move.line, new, budget):
        return move
    return replace(move, line=with_parts(move.line, COUNT=str(int(count) + 1)))


def _has_start(line: Property, time: SeriesTime, budget: Budget) -> bool:
    """Whether the rule yields DTSTART by itself."""
    series = _pattern(line, time, include_start=False)
    return bool(list(series.starts(time.wall, time.wall + 1, budget)))


def _said(
    line: Property,
    parts: dict[str, str],
    changes: dict[str, str | None],
    old: SeriesTime,
    new: SeriesTime,
    after: Series,
) -> Property:
    if "UNTIL" in parts and (until := moved_until(parts["UNTIL"], old, new, new.wall - old.wall, after)) is not None:
        changes = changes | {"UNTIL": until}
    changes = {name: value for name, value in changes.items() if value != parts.get(name)}
    return with_parts(line, **changes) if changes else line


def _pattern(line: Property, time: SeriesTime, *, include_start: bool = True) -> Series:
    """The starts of a rule without its end."""
    rule = replace(parse_rule(line.value), count=None, until=None)
    return Series(rule, time.wall, all_day=time.form is Form.DATE, include_start=include_start)


def _is_alike(before: Series, after: Series, rule: Rule, is_timed: bool, budget: Budget) -> bool:
    """Whether two patterns yield the same starts, counted from DTSTART, as far as ``rule`` goes."""
    if before.rule == after.rule and _is_even(rule, is_timed):
        return True
    delta = after.start - before.start
    least, horizon = _reach(rule, before.start)
    trials = Budget(_TRIAL), Budget(_TRIAL)
    pairs = zip_longest(_starts(before, trials[0]), _starts(after, trials[1]))
    number, alike = 0, True
    for number, (one, other) in enumerate(pairs, 1):
        if _LOST in (one, other):
            # When both yield nothing but DTSTART that could ever be seen, nothing has to move.
            alike = one == other and number == 2
            break
        alike = one is not None and other is not None and one + delta == other
        if not alike or (number > least and one is not None and one > horizon):
            break
    budget.spend(sum(_TRIAL - trial.left for trial in trials))
    return alike


def _is_even(rule: Rule, is_timed: bool) -> bool:
    """Whether a rule is a mere distance, so that its starts are DTSTART and every n-th second, day or week after it."""
    parts = (rule.by_month, rule.by_week_no, rule.by_year_day, rule.by_month_day, rule.by_day, rule.by_hour)
    is_even = not any((*parts, rule.by_minute, rule.by_second, rule.by_set_pos))
    return is_even and rule.freq <= Freq.WEEKLY and (is_timed or rule.freq >= Freq.DAILY)


def _reach(rule: Rule, start: int) -> tuple[int, int]:
    """How many starts, and until when, have to be compared: all of a rule that ends soon, else a whole cycle."""
    if rule.count is not None and rule.count <= MOST_DATES:
        return rule.count, -END
    if rule.freq >= Freq.MONTHLY or rule.by_month_day or rule.by_year_day or rule.by_week_no:
        horizon = _LEAP_YEARS
    elif rule.freq >= Freq.HOURLY or rule.by_month:
        horizon = _YEAR
    else:
        horizon = _WEEK
    if rule.until is not None and rule.until.wall + 2 * DAY < start + horizon:
        return 0, rule.until.wall + 2 * DAY
    return _COMPARED, start + horizon


def _starts(series: Series, budget: Budget) -> Iterator[int]:
    try:
        yield from series.starts(series.start, END, budget)
    except Refusal:
        yield _LOST
