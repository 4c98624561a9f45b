"""The pattern of MONTHLY and YEARLY rules: whole years, whose days are computed once per shape of year."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from protocol.ical.rules.binding import at_positions, month_at
from protocol.ical.rules.budget import Budget
from protocol.ical.rules.calendars import CalendarSystem
from protocol.ical.rules.days import Days, days_of_month, days_of_year, week_year_of
from protocol.ical.rules.pattern import END, Pattern
from protocol.ical.rules.rule import Freq, Rule, Skip
from protocol.model import DAY


class YearPattern(Pattern):
    """FREQ=MONTHLY and FREQ=YEARLY."""

    __slots__ = ("_base",)

    def __init__(self, rule: Rule, start: int, all_day: bool) -> None:
        super().__init__(rule, start, all_day)
        day = start // DAY
        system = self._system
        year = system.year_of(day)
        self._base = year
        if rule.freq is Freq.MONTHLY:
            self._base = system.months_before(year) + month_at(system, year, day)[0]
        elif self._parts.week_numbers:
            self._base = week_year_of(system, day, rule.week_start)

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        moved = self._parts.skip is not Skip.OMIT
        margin = 3 if moved or self._parts.week_numbers else 0
        found = self._years(low, high, margin, budget)
        if not moved:
            return (wall for starts in found for wall in starts)
        return _in_order(found, low, high)

    def _years(self, low: int, high: int, margin: int, budget: Budget) -> Iterator[Iterable[int]]:
        """The starts of each year of the window; with SKIP they may reach a day into the neighbouring years."""
        system = self._system
        last = (high - 1) // DAY + margin
        year = system.year_of(low // DAY - margin)
        stride = 1
        if self._rule.freq is Freq.YEARLY:
            stride = self._rule.interval
            year += (self._base - year) % stride
        positions = self._rule.by_set_pos
        while True:
            begin = system.start_of(year)
            if begin > last:
                return
            budget.spend(system.cost)
            entries = self._entries(system, year, budget)
            if not entries:
                pass
            elif positions:
                base = begin * DAY
                chosen = entries[bisect_left(entries, low - base) : bisect_left(entries, high - base)]
                budget.spend(len(chosen))
                yield [base + entry for entry in chosen]
            else:
                from_day = bisect_left(entries, low // DAY - begin)
                to_day = bisect_left(entries, (high - 1) // DAY - begin + 1)
                yield self._starts_on_days([begin + day for day in entries[from_day:to_day]], low, high, budget)
            year += stride

    def _entries(self, system: CalendarSystem, number: int, budget: Budget) -> Days:
        """The days of a year as offsets, or with BYSETPOS the seconds; cached by everything that decides them."""
        year = system.year(number)
        rule = self._rule
        phase = 0
        key: object = year
        if rule.freq is Freq.MONTHLY and rule.interval > 1:
            phase = (self._base - system.months_before(number)) % rule.interval
            if phase >= len(year.months):
                return ()
            key = (year, phase)
        entries = self._cache.get(key)
        if entries is not None:
            return entries
        budget.spend(self._cost())
        positions = rule.by_set_pos
        if rule.freq is Freq.YEARLY:
            days = days_of_year(self._parts, year)
            return self._remember(key, at_positions(days, self._inner, positions) if positions else days)
        chosen = range(phase, len(year.months), rule.interval)
        months = [days_of_month(self._parts, year, month) for month in chosen]
        if positions:
            months = [at_positions(days, self._inner, positions) for days in months]
        return self._remember(key, tuple(sorted({entry for month in months for entry in month})))


def _in_order(years: Iterator[Iterable[int]], low: int, high: int) -> Iterator[int]:
    """Starts in order, each once, although those of one year may lie a day inside the next (SKIP)."""
    pending: set[int] = set()
    for starts in years:
        fresh = set(starts)
        # A year reaches back at most one day, so everything more than two days before its first start is complete.
        limit = min(fresh, default=-END) - 2 * DAY
        done = sorted(wall for wall in pending if wall < limit)
        yield from (wall for wall in done if low <= wall < high)
        pending.difference_update(done)
        pending |= fresh
    yield from sorted(wall for wall in pending if low <= wall < high)
