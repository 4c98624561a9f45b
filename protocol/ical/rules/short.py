"""The pattern of HOURLY, MINUTELY and SECONDLY rules: it limits days, then parts of the day, then intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd

from protocol.ical.rules.budget import Budget
from protocol.ical.rules.pattern import Pattern, UniformPeriods
from protocol.ical.rules.rule import Freq, Rule
from protocol.ical.rules.times import ManyTimes
from protocol.model import DAY, HOUR, MINUTE

_UNITS = {Freq.SECONDLY: 1, Freq.MINUTELY: MINUTE, Freq.HOURLY: HOUR}


class ShortPattern(Pattern):
    """FREQ=HOURLY, MINUTELY and SECONDLY."""

    __slots__ = ("_base", "_clock_limited", "_matches", "_step", "_unit")

    def __init__(self, rule: Rule, start: int, all_day: bool) -> None:
        super().__init__(rule, start, all_day)
        unit = _UNITS[rule.freq]
        self._unit = unit
        self._step = unit * rule.interval
        self._base = start - start % unit
        self._matches: bool | None = None
        minutes, seconds = rule.by_minute if unit < HOUR else (), rule.by_second if unit < MINUTE else ()
        self._clock_limited = bool(rule.by_hour or minutes or seconds)

    def uniform(self) -> UniformPeriods | None:
        if self._limited or self._clock_limited:
            return None
        return UniformPeriods(self._base, self._step, (0,), self._inner)

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        unit, step, base = self._unit, self._step, self._base
        first = low - unit + 1
        first += (base - first) % step
        if not self._limited and not self._clock_limited:
            return self._starts_in_periods(range(first, high, step), low, high, budget)
        if self._clock_limited and not self._can_match(budget):
            return iter(())
        if step >= DAY:
            return self._starts_in_periods(self._sparse(range(first, high, step), budget), low, high, budget)
        days: Iterable[int] = range(low // DAY, (high - 1) // DAY + 1)
        if self._limited:
            days = self._allowed(low // DAY, (high - 1) // DAY, budget)
        return self._starts_in_periods(self._dense(days, low, high, budget), low, high, budget)

    def _can_match(self, budget: Budget) -> bool:
        """Whether an interval can ever meet the time of day of the rule (with INTERVAL=2;BYMINUTE=1 it may not)."""
        if self._matches is None:
            # Modulo the greatest common divisor, the intervals reach every phase of the day at some time.
            stride = gcd(self._step, DAY)
            self._matches = any(
                first + (self._base - first) % stride < end for first, end in self._allowed_seconds(0, DAY, budget)
            )
        return self._matches

    def _starts_in_periods(self, periods: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
        """The starts inside each period; a period is given by its first second."""
        inner = self._inner
        if isinstance(inner, ManyTimes):
            yield from self._starts_of_many_times(periods, inner, low, high, budget)
            return
        spend = budget.spend
        for begin in periods:
            spend(len(inner) or 1)
            for second in inner:
                wall = begin + second
                if low <= wall < high:
                    yield wall

    def _sparse(self, periods: range, budget: Budget) -> Iterator[int]:
        """The periods whose day and time of day the rule allows."""
        rule = self._rule
        for begin in periods:
            budget.spend(1)
            time = begin % DAY
            if (
                (not rule.by_hour or time // HOUR in rule.by_hour)
                and (self._unit == HOUR or not rule.by_minute or time // MINUTE % 60 in rule.by_minute)
                and (self._unit > 1 or not rule.by_second or time % 60 in rule.by_second)
                and (not self._limited or self._is_allowed(begin // DAY, budget))
            ):
                yield begin

    def _dense(self, days: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
        step, base, unit = self._step, self._base, self._unit
        for day in days:
            begin = day * DAY
            budget.spend(1)
            for first, end in self._allowed_seconds(max(low - begin - unit, 0), min(high - begin, DAY), budget):
                yield from range(begin + first + (base - begin - first) % step, begin + end, step)

    def _allowed_seconds(self, low: int, high: int, budget: Budget) -> Iterator[tuple[int, int]]:
        """The parts of the day that the limiting time parts allow, ascending, within ``[low, high)``."""
        rule = self._rule
        minutes = rule.by_minute if self._unit < HOUR else ()
        seconds = rule.by_second if self._unit < MINUTE else ()
        for hour in rule.by_hour or range(24):
            begin = hour * HOUR
            if begin + HOUR <= low or begin >= high:
                continue
            budget.spend(1)
            if not minutes and not seconds:
                yield begin, begin + HOUR
                continue
            for minute in minutes or range(60):
                at = begin + minute * 60
                if at + 60 <= low or at >= high:
                    continue
                budget.spend(1)
                if not seconds:
                    yield at, at + 60
                else:
                    budget.spend(len(seconds))
                    yield from ((at + second, at + second + 1) for second in seconds)
