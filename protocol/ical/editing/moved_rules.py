"""One rule of a moved series: rewritten, adapted to the new day, or as dates (RFC 5545 §3.3.10, docs/decisions/0009).

Rules of this module: a rewritten rule counts only when it yields the same starts as the old one, moved, over a range
long enough to tell them apart. What cannot be shown becomes dates or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from protocol.errors import Condition, Refusal
from protocol.ical.components import Property
from protocol.ical.editing.remaining_rules import MOST_DATES, SeriesRule, limited_dates
from protocol.ical.editing.rule import moved_times, moved_until, parts_for_start, parts_of, ways_to_move, with_parts
from protocol.ical.editing.times import SeriesTime
from protocol.ical.recurrence import Budget, Rule, Series, parse_rule
from protocol.ical.rules import Freq
from protocol.ical.rules.series import END
from protocol.ical.values import Form, wall_of
from protocol.model import DAY

_COMPARED = 100
"""This many starts tell two patterns apart: they cover more than a year of months and some leap years and months."""
_WEEK, _YEAR, _LEAP_YEARS = 8 * DAY, 400 * DAY, 5 * 366 * DAY
_TRIAL = 40_000
"""What one comparison may cost, in units of the budget."""
TRIALS = 10 * _TRIAL
"""What all comparisons of one edit may cost together."""
_TOO_FAR = END + 1
"""Stands for a start that is too far away to be found."""


@dataclass(frozen=True, slots=True)
class RuleMove:
    """One rule of a series that moved, and whether its starts moved as far as DTSTART."""

    line: Property | None
    """The rewritten rule; ``None``: its starts are ``dates``."""
    before: Series
    after: Series | None
    exact: bool
    """Every start moved by the same wall time as DTSTART; otherwise each month has its start on the new day."""
    dates: tuple[int, ...] = ()

    def starts(self, low: int, high: int, budget: Budget) -> list[int]:
        """The moved starts in ``[low, high)``."""
        if self.after is None:
            return [wall for wall in self.dates if low <= wall < high]
        return list(self.after.starts(low, high, budget))


def moved_rule(line: Property, old: SeriesTime, new: SeriesTime, budget: Budget) -> RuleMove | None:
    """The rule of a moved series, rewritten in the first way that yields exactly the moved starts.

    Without such a way, a month, day of the month or n-th weekday of the old DTSTART becomes that of the new one.
    ``None``: the rule names other days or times of day, which cannot all move as far.
    """
    parts = parts_of(line)
    before = _pattern(line, old)
    on_rule = _yields_start(line, old, budget)
    for changes in ways_to_move(parts, old, new):
        again = with_parts(line, **changes)
        after = _pattern(again, new)
        if on_rule and not _yields_start(again, new, budget):
            continue
        if _same_starts(before, after, parse_rule(line.value), new.form is not Form.DATE, budget):
            return RuleMove(_final_line(line, parts, changes, old, new, after), before, after, exact=True)
    anew = parts_for_start(parts, wall_of(old.wall), wall_of(new.wall))
    if anew is None or new.wall // DAY == old.wall // DAY:
        return None
    changes = anew | moved_times(parts, old, new)
    again = with_parts(line, **changes)
    after = _pattern(again, new)
    if not _yields_start(again, new, budget):
        return None
    return RuleMove(_final_line(line, parts, changes, old, new, after), before, after, exact=False)


def rule_as_dates(rule: SeriesRule, old: SeriesTime, delta: int, budget: Budget) -> RuleMove:
    """The moved starts of a rule that cannot be rewritten; refuses when they are too many or have no end."""
    if rule.bound.series.forever:
        raise Refusal(
            Condition.VALID_CALENDAR_OBJECT_RESOURCE,
            "The rule of this series names days or times that cannot all move as far: it needs a new rule.",
        )
    moved = tuple(wall + delta for wall in limited_dates(rule.starts(budget)) if wall != old.wall)
    return RuleMove(None, rule.bound.series, None, exact=True, dates=moved)


def as_only_rule(move: RuleMove, new: SeriesTime, budget: Budget) -> RuleMove:
    """The rule when those beside it became dates: the COUNT of an only rule counts DTSTART (RFC 5545 §3.3.10)."""
    if move.line is None:
        return move
    count = parts_of(move.line).get("COUNT", "").strip()
    if not count.isdecimal() or _yields_start(move.line, new, budget):
        return move
    return replace(move, line=with_parts(move.line, COUNT=str(int(count) + 1)))


def _yields_start(line: Property, time: SeriesTime, budget: Budget) -> bool:
    """Whether the rule yields DTSTART by itself."""
    series = _pattern(line, time, include_start=False)
    return bool(list(series.starts(time.wall, time.wall + 1, budget)))


def _final_line(
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


def _same_starts(before: Series, after: Series, rule: Rule, is_timed: bool, budget: Budget) -> bool:
    """Whether two patterns yield the same starts, counted from DTSTART, as far as ``rule`` goes."""
    if before.rule == after.rule and _is_plain_interval(rule, is_timed):
        return True
    delta = after.start - before.start
    least, horizon = _needed_comparison(rule, before.start)
    trials = Budget(_TRIAL), Budget(_TRIAL)
    pairs = zip_longest(_starts(before, trials[0]), _starts(after, trials[1]))
    number, alike = 0, True
    for number, (one, other) in enumerate(pairs, 1):
        if _TOO_FAR in (one, other):
            # When nothing but DTSTART is ever found in either, nothing has to move.
            alike = one == other and number == 2
            break
        alike = one is not None and other is not None and one + delta == other
        if not alike or (number > least and one is not None and one > horizon):
            break
    budget.spend(sum(_TRIAL - trial.left for trial in trials))
    return alike


def _is_plain_interval(rule: Rule, is_timed: bool) -> bool:
    """Whether a rule is an interval only: its starts are DTSTART and every n-th second, day or week after it."""
    parts = (rule.by_month, rule.by_week_no, rule.by_year_day, rule.by_month_day, rule.by_day, rule.by_hour)
    is_even = not any((*parts, rule.by_minute, rule.by_second, rule.by_set_pos))
    return is_even and rule.freq <= Freq.WEEKLY and (is_timed or rule.freq >= Freq.DAILY)


def _needed_comparison(rule: Rule, start: int) -> tuple[int, int]:
    """How many starts, and until when, to compare: all of a rule that ends soon, else a whole cycle."""
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
        yield _TOO_FAR
