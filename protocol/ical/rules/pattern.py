"""The pattern of a rule: its starts in wall time, without DTSTART, COUNT and UNTIL (RFC 5545 §3.3.10).

``Pattern`` has what all frequencies share. ``DailyPattern`` and ``WeeklyPattern`` are here, MONTHLY and YEARLY in
``years``, HOURLY and shorter in ``short``. Rules of these modules: every loop begins at the window, found by arithmetic
in whole intervals; every step is paid from the budget; a year without a day costs one unit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from protocol.ical.rules.binding import at_positions, times_of, with_start_parts
from protocol.ical.rules.budget import Budget
from protocol.ical.rules.calendars import LAST_DAY, CalendarSystem, Year
from protocol.ical.rules.days import Days, days_allowed
from protocol.ical.rules.rscale import calendar_system
from protocol.ical.rules.rule import Freq, Rule
from protocol.ical.rules.times import ManyTimes, Times
from protocol.model import DAY

END = (LAST_DAY + 1) * DAY
"""The end of the year 9999 in wall seconds; every series ends there."""
_MAX_CACHED = 256


class UniformPeriods(NamedTuple):
    """Periods with equal starts: the beginning of DTSTART's, the seconds to the next, days and times in each."""

    first: int
    step: int
    days: Days
    times: Times

    @property
    def size(self) -> int:
        """The number of starts in a period."""
        return len(self.days) * len(self.times)

    def count_before(self, offset: int) -> int:
        """The number of a period's starts that are less than ``offset`` seconds from its beginning."""
        if self.days == (0,):
            return bisect_left(self.times, offset)
        day, second = divmod(offset, DAY)
        place = bisect_left(self.days, day)
        count = place * len(self.times)
        if place < len(self.days) and self.days[place] == day:
            count += bisect_left(self.times, second)
        return count

    def offset_of(self, place: int) -> int:
        """The distance of start number ``place`` (from 0) from the beginning of its period, in seconds."""
        day, time = divmod(place, len(self.times))
        return self.days[day] * DAY + self.times[time]


class Pattern:
    """What the patterns of all frequencies share."""

    __slots__ = ("_cache", "_inner", "_limited", "_origin", "_parts", "_rule", "_system")

    def __init__(self, rule: Rule, start: int, all_day: bool) -> None:
        self._rule = rule
        self._origin = start
        self._system: CalendarSystem = calendar_system(rule.rscale)
        self._cache: dict[object, Days] = {}
        self._parts = with_start_parts(rule, self._system, start // DAY)
        self._inner: Times = times_of(rule, start % DAY, all_day)
        parts = self._parts
        self._limited = bool(
            parts.months
            or parts.month_days
            or parts.year_days
            or parts.week_numbers
            or (parts.weekdays and rule.freq is not Freq.WEEKLY)
        )

    @property
    def is_empty(self) -> bool:
        """Whether BYSETPOS asks only for places that no period has."""
        return not self._inner

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        """The starts in ``[low, high)``, ascending, each once."""
        raise NotImplementedError

    def uniform(self) -> UniformPeriods | None:
        """The periods, when all have the same number of starts."""
        return None

    def _starts_on_days(self, days: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
        """Every time of day on every day, within the window."""
        times = self._inner
        spend = budget.spend
        if len(times) == 1:
            time = times[0]
            for day in days:
                wall = day * DAY + time
                if low <= wall < high:
                    spend(1)
                    yield wall
            return
        if isinstance(times, ManyTimes):
            yield from self._starts_of_many_times((day * DAY for day in days), times, low, high, budget)
            return
        for day in days:
            base = day * DAY
            chosen = times
            if base < low or base + DAY > high:
                chosen = times[bisect_left(times, low - base) : bisect_left(times, high - base)]
            spend(len(chosen))
            for time in chosen:
                yield base + time

    def _starts_of_many_times(
        self, periods: Iterable[int], times: ManyTimes, low: int, high: int, budget: Budget
    ) -> Iterator[int]:
        """The same for too many times to write out, each paid when it comes; a period is given by its first second."""
        spend = budget.spend
        size = len(times)
        for begin in periods:
            spend(1)
            first = bisect_left(times, low - begin) if begin < low else 0
            last = bisect_left(times, high - begin) if begin + DAY > high else size
            for place in range(first, last):
                spend(1)
                yield begin + times[place]

    def _allowed(self, first: int, last: int, budget: Budget) -> Iterator[int]:
        """The days in ``[first, last]`` that the date parts allow as limits."""
        system = self._system
        year = system.year_of(first)
        while True:
            begin = system.start_of(year)
            if begin > last:
                return
            days = self._days(system.year(year), budget)
            budget.spend(system.cost + len(days) // 16)
            for offset in days[bisect_left(days, first - begin) :]:
                day = begin + offset
                if day > last:
                    return
                yield day
            year += 1

    def _days(self, year: Year, budget: Budget) -> Days:
        days = self._cache.get(year)
        if days is None:
            budget.spend(self._cost())
            days = self._remember(year, days_allowed(self._parts, year))
        return days

    def _remember(self, key: object, days: Days) -> Days:
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[key] = days
        return days

    def _cost(self) -> int:
        """The cost of finding the days of a year for the first time."""
        parts = self._parts
        named = len(parts.weekdays) + len(parts.month_days) + len(parts.year_days) // 2
        return 16 + (named + len(self._rule.by_set_pos)) * 12 // 8

    def _is_allowed(self, day: int, budget: Budget) -> bool:
        system = self._system
        year = system.year_of(day)
        days = self._days(system.year(year), budget)
        offset = day - system.start_of(year)
        place = bisect_left(days, offset)
        return place < len(days) and days[place] == offset


class DailyPattern(Pattern):
    """FREQ=DAILY."""

    __slots__ = ()

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        return self._starts_on_days(self._daily(low // DAY, (high - 1) // DAY, budget), low, high, budget)

    def uniform(self) -> UniformPeriods | None:
        if self._limited:
            return None
        return UniformPeriods(self._origin - self._origin % DAY, self._rule.interval * DAY, (0,), self._inner)

    def _daily(self, first: int, last: int, budget: Budget) -> Iterable[int]:
        interval = self._rule.interval
        origin = self._origin // DAY
        if not self._limited:
            return range(first + (origin - first) % interval, last + 1, interval)
        if interval == 1:
            return self._allowed(first, last, budget)
        return (day for day in self._allowed(first, last, budget) if (day - origin) % interval == 0)


class WeeklyPattern(Pattern):
    """FREQ=WEEKLY: a period is the week that begins on WKST."""

    __slots__ = ("_base", "_week")

    def __init__(self, rule: Rule, start: int, all_day: bool) -> None:
        super().__init__(rule, start, all_day)
        day = start // DAY
        self._base = day - (day + 3 - rule.week_start) % 7
        self._week: Days = tuple(sorted({(weekday - rule.week_start) % 7 for _, weekday in self._parts.weekdays}))

    @property
    def is_empty(self) -> bool:
        uniform = self.uniform()
        return uniform is not None and not uniform.size

    def uniform(self) -> UniformPeriods | None:
        if self._limited:
            return None
        first, step = self._base * DAY, 7 * DAY * self._rule.interval
        if self._rule.by_set_pos:
            return UniformPeriods(first, step, (0,), at_positions(self._week, self._inner, self._rule.by_set_pos))
        return UniformPeriods(first, step, self._week, self._inner)

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        step = 7 * self._rule.interval
        base = self._base
        first = base + (low // DAY - 6 - base + step - 1) // step * step
        weeks = range(first, (high - 1) // DAY + 1, step)
        positions = self._rule.by_set_pos
        if not positions and not self._limited:
            week = self._week
            return self._starts_on_days((begin + day for begin in weeks for day in week), low, high, budget)
        return self._chosen_weeks(weeks, low, high, budget)

    def _chosen_weeks(self, weeks: range, low: int, high: int, budget: Budget) -> Iterator[int]:
        positions = self._rule.by_set_pos
        place, size = 0, len(weeks)
        while place < size:
            begin = weeks[place]
            place += 1
            budget.spend(2 + len(positions))
            days = tuple(begin + day for day in self._week)
            if self._limited:
                resume = self._next_allowed_year(begin, budget)
                if resume > begin:
                    place = max(place, -((weeks[0] + 6 - resume) // weeks.step))
                    continue
                budget.spend(len(days))
                days = tuple(day for day in days if self._is_allowed(day, budget))
            if positions:
                found: Iterable[int] = at_positions(days, self._inner, positions)
            else:
                found = self._starts_on_days(days, low, high, budget)
            for wall in found:
                if low <= wall < high:
                    yield wall

    def _next_allowed_year(self, day: int, budget: Budget) -> int:
        """The first day of the next year when the week from ``day`` on lies in years without a day, else ``day``."""
        system = self._system
        year = system.year_of(day + 6)
        if self._days(system.year(year), budget):
            return day
        if system.start_of(year) > day and self._days(system.year(year - 1), budget):
            return day
        return system.start_of(year + 1)
