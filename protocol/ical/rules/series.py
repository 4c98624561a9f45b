"""A rule bound to its DTSTART: the starts it yields in a window, in wall time (RFC 5545 §3.3.10, §3.8.5.3).

Wall time is a number: seconds since 1970-01-01T00:00:00 of the clock on the wall. Rules of this module: no zones, no
components. Every generator begins at the window by arithmetic in whole intervals, never at DTSTART, so that the cost
of a window does not depend on its distance; whole years without a day are skipped at one unit of budget each.

DTSTART is always the first occurrence and counts for COUNT, also when the rule does not yield it. RFC 5545 leaves
that case undefined, but says that DTSTART "defines the first instance in the recurrence set" and "always counts as
the first occurrence", and its own Friday-the-13th example takes such a DTSTART away with an EXDATE, which would
be senseless otherwise. Apple, Google, Android and the libical family show it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from protocol.ical.rules.budget import Budget
from protocol.ical.rules.calendars import LAST_DAY, CalendarSystem, Year
from protocol.ical.rules.days import DayParts, Days, days_allowed, days_of_month, days_of_year, week_year_of
from protocol.ical.rules.rscale import calendar_system
from protocol.ical.rules.rule import Freq, Rule, Skip

DAY = 86_400
END = (LAST_DAY + 1) * DAY
"""The end of year 9999 in wall seconds: no series goes on after it."""

_UNITS = {Freq.SECONDLY: 1, Freq.MINUTELY: 60, Freq.HOURLY: 3600, Freq.DAILY: DAY, Freq.WEEKLY: 7 * DAY}
_MAX_CACHED = 256


class Series:
    """The recurrence of one rule; make it once per object and ask it for windows."""

    __slots__ = (
        "_base",
        "_cache",
        "_inner",
        "_last",
        "_limited",
        "_parts",
        "_step",
        "_system",
        "_unit",
        "_week",
        "count",
        "include_start",
        "rule",
        "start",
        "until",
    )

    def __init__(
        self,
        rule: Rule,
        start: int,
        *,
        all_day: bool = False,
        until: int | None = None,
        count_until: int | None = None,
        include_start: bool = True,
    ) -> None:
        """``until`` is the last wall second allowed; ``count_until`` the resolved last start of a COUNT rule.

        Refuses with CALDAV:supported-rscale when the rule's calendar is unknown (RFC 7529 §5). ``include_start`` is
        false for an EXRULE, which excludes what it yields and no more.
        """
        self.rule = rule
        self.start = start
        self.until = until
        self.count = rule.count
        self.include_start = include_start
        self._system: CalendarSystem = calendar_system(rule.rscale)
        self._cache: dict[object, Days] = {}
        self._last = count_until if rule.count is not None else None
        self._unit = _UNITS.get(rule.freq, 0)
        self._step = self._unit * rule.interval
        day = start // DAY
        self._parts = _completed(rule, self._system, day)
        self._inner = _times(rule, start % DAY, all_day)
        parts = self._parts
        self._limited = bool(
            parts.months
            or parts.month_days
            or parts.year_days
            or parts.week_numbers
            or (parts.weekdays and rule.freq is not Freq.WEEKLY)
        )
        self._week: Days = ()
        self._base = 0
        if rule.freq is Freq.WEEKLY:
            self._base = day - (day + 3 - rule.week_start) % 7
            self._week = tuple(sorted({(weekday - rule.week_start) % 7 for _, weekday in parts.weekdays}))
        elif rule.freq is Freq.MONTHLY:
            year = self._system.year_of(day)
            self._base = self._system.months_before(year) + _month_at(self._system, year, day)[0]
        elif rule.freq is Freq.YEARLY:
            self._base = (
                week_year_of(self._system, day, rule.week_start) if parts.week_numbers else (self._system.year_of(day))
            )
        else:
            self._base = start - start % self._unit

    # -- what callers ask

    @property
    def forever(self) -> bool:
        """Whether nothing in the rule ends the series."""
        return not self.rule.empty and self.until is None and self.count is None

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        """The starts in ``[low, high)``, ascending and each once; refuses when the budget is used up."""
        start = self.start
        if self.include_start and low <= start < high:
            yield start
        if self.rule.empty:
            return
        if self.until is not None:
            high = min(high, self.until + 1)
        low = max(low, start + self.include_start)
        if self.count is None:
            if low < high:
                yield from self._pattern(low, min(high, END), budget)
            return
        if low >= high:
            return
        if self._last is None and low <= start + 1:
            found = islice(self._pattern(low, min(high, END), budget), self.count - self.include_start)
            yield from found
            return
        last = self.last(budget)
        if last is not None:
            yield from self._pattern(low, min(high, last + 1), budget)

    def last(self, budget: Budget) -> int | None:
        """The last start: of a COUNT rule resolved (once), of an UNTIL rule the last before it; ``None``: forever.

        A COUNT of a rule that has the same number of starts in every period is resolved by arithmetic; any other
        is counted, at the expense of ``budget``.
        """
        if self.rule.empty:
            return self.start
        if self.count is not None:
            if self._last is None:
                self._last = self._resolve(self.count - self.include_start, budget)
            return self._last if self.until is None else min(self._last, self.until)
        return self.until

    def _resolve(self, wanted: int, budget: Budget) -> int:
        if wanted <= 0:
            return self.start
        low = self.start + self.include_start
        size = self._uniform_size()
        if size:
            first = self._base * (DAY if self.rule.freq is Freq.WEEKLY else 1)
            if self.rule.freq is Freq.DAILY:
                first = self.start - self.start % DAY
            here = sum(1 for _ in self._pattern(low, first + self._step, budget))
            if wanted > here:
                periods, rest = divmod(wanted - here - 1, size)
                begin = first + self._step * (1 + periods)
                if begin >= END:
                    return END
                return next(islice(self._pattern(begin, begin + self._step, budget), rest, None), END)
        # A rule that runs out before its COUNT ends with its last start.
        last = deque(islice(self._pattern(low, END, budget), wanted), maxlen=1)
        return last[0] if last else self.start

    def _uniform_size(self) -> int:
        """How many starts every period has; 0 when that differs from period to period."""
        rule = self.rule
        if self._limited or rule.freq > Freq.WEEKLY:
            return 0
        if rule.freq is Freq.WEEKLY:
            return (
                len(_at_positions(self._week, self._inner, rule.by_set_pos))
                if rule.by_set_pos
                else (len(self._week) * len(self._inner))
            )
        if rule.freq < Freq.DAILY and (
            rule.by_hour
            or (rule.by_minute and rule.freq < Freq.HOURLY)
            or (rule.by_second and rule.freq < Freq.MINUTELY)
        ):
            return 0
        return len(self._inner)

    # -- the pattern without DTSTART, COUNT and UNTIL

    def _pattern(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        freq = self.rule.freq
        if freq is Freq.WEEKLY:
            return self._weekly(low, high, budget)
        if freq > Freq.WEEKLY:
            return self._by_year(low, high, budget)
        if freq is Freq.DAILY:
            return self._spread(self._daily(low // DAY, (high - 1) // DAY, budget), low, high, budget)
        return self._short(low, high, budget)

    def _spread(self, days: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
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
        for day in days:
            base = day * DAY
            chosen = times
            if base < low or base + DAY > high:
                chosen = times[bisect_left(times, low - base) : bisect_left(times, high - base)]
            spend(len(chosen))
            for time in chosen:
                yield base + time

    def _daily(self, first: int, last: int, budget: Budget) -> Iterable[int]:
        interval = self.rule.interval
        origin = self.start // DAY
        if not self._limited:
            return range(first + (origin - first) % interval, last + 1, interval)
        if interval == 1:
            return self._allowed(first, last, budget)
        return (day for day in self._allowed(first, last, budget) if (day - origin) % interval == 0)

    def _allowed(self, first: int, last: int, budget: Budget) -> Iterator[int]:
        """The days in ``[first, last]`` that the date parts allow (limit)."""
        system = self._system
        year = system.year_of(first)
        while True:
            begin = system.start_of(year)
            if begin > last:
                return
            days = self._days(system.year(year))
            budget.spend(1 + len(days) // 16)
            for offset in days[bisect_left(days, first - begin) :]:
                day = begin + offset
                if day > last:
                    return
                yield day
            year += 1

    def _days(self, year: Year) -> Days:
        days = self._cache.get(year)
        if days is None:
            days = self._remember(year, days_allowed(self._parts, year))
        return days

    def _remember(self, key: object, days: Days) -> Days:
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[key] = days
        return days

    def _weekly(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        step = 7 * self.rule.interval
        base = self._base
        first = base + (low // DAY - 6 - base + step - 1) // step * step
        weeks = range(first, (high - 1) // DAY + 1, step)
        positions = self.rule.by_set_pos
        if not positions and not self._limited:
            week = self._week
            return self._spread((begin + day for begin in weeks for day in week), low, high, budget)
        return self._chosen_weeks(weeks, low, high, budget)

    def _chosen_weeks(self, weeks: range, low: int, high: int, budget: Budget) -> Iterator[int]:
        positions = self.rule.by_set_pos
        skip_until = -END
        for begin in weeks:
            if begin + 6 < skip_until:
                continue
            budget.spend(1)
            days = tuple(begin + day for day in self._week)
            if self._limited:
                days = tuple(day for day in days if self._is_allowed(day))
                if not days:
                    skip_until = self._next_allowed_year(begin)
                    continue
            if positions:
                found: Iterable[int] = _at_positions(days, self._inner, positions)
                budget.spend(len(days))
            else:
                found = self._spread(days, low, high, budget)
            for wall in found:
                if low <= wall < high:
                    yield wall

    def _is_allowed(self, day: int) -> bool:
        system = self._system
        year = system.year_of(day)
        days = self._days(system.year(year))
        offset = day - system.start_of(year)
        place = bisect_left(days, offset)
        return place < len(days) and days[place] == offset

    def _next_allowed_year(self, day: int) -> int:
        """A day before which no day from ``day`` on is allowed: the next year's first when its year has none."""
        system = self._system
        year = system.year_of(day + 6)
        return day if self._days(system.year(year)) else system.start_of(year + 1)

    def _by_year(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        moved = self._parts.skip is not Skip.OMIT
        margin = 3 if moved or self._parts.week_numbers else 0
        found = self._years(low, high, margin, budget)
        if not moved:
            return (wall for walls in found for wall in walls)
        return _merged(found, low, high)

    def _years(self, low: int, high: int, margin: int, budget: Budget) -> Iterator[Iterable[int]]:
        """For each year of the window its starts; with SKIP these may reach a day into the neighbouring years."""
        system = self._system
        last = (high - 1) // DAY + margin
        year = system.year_of(low // DAY - margin)
        stride = 1
        if self.rule.freq is Freq.YEARLY:
            stride = self.rule.interval
            year += (self._base - year) % stride
        positions = self.rule.by_set_pos
        while True:
            begin = system.start_of(year)
            if begin > last:
                return
            budget.spend(1)
            entries = self._entries(system, year)
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
                yield self._spread([begin + day for day in entries[from_day:to_day]], low, high, budget)
            year += stride

    def _entries(self, system: CalendarSystem, number: int) -> Days:
        """The day offsets of a year, or with BYSETPOS the second offsets; cached by everything they depend on."""
        year = system.year(number)
        rule = self.rule
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
        positions = rule.by_set_pos
        if rule.freq is Freq.YEARLY:
            days = days_of_year(self._parts, year)
            return self._remember(key, _at_positions(days, self._inner, positions) if positions else days)
        chosen = range(phase, len(year.months), rule.interval)
        months = [days_of_month(self._parts, year, month) for month in chosen]
        if positions:
            months = [_at_positions(days, self._inner, positions) for days in months]
        return self._remember(key, tuple(sorted({entry for month in months for entry in month})))

    # -- HOURLY, MINUTELY and SECONDLY

    def _short(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        """Periods shorter than a day: days first, then the parts of the day, then arithmetic in whole intervals."""
        unit, step, base = self._unit, self._step, self._base
        rule = self.rule
        limited_clock = bool(rule.by_hour or (rule.by_minute and unit < 3600) or (rule.by_second and unit < 60))
        first = low - unit + 1
        first += (base - first) % step
        if not self._limited and not limited_clock:
            return self._fill(range(first, high, step), low, high, budget)
        if step >= DAY:
            return self._fill(self._sparse(range(first, high, step), budget), low, high, budget)
        days: Iterable[int] = range(low // DAY, (high - 1) // DAY + 1)
        if self._limited:
            days = self._allowed(low // DAY, (high - 1) // DAY, budget)
        return self._fill(self._dense(days, low, high, budget), low, high, budget)

    def _fill(self, periods: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
        """The starts inside each period, given by its first second."""
        inner = self._inner
        spend = budget.spend
        for begin in periods:
            spend(len(inner) or 1)
            for second in inner:
                wall = begin + second
                if low <= wall < high:
                    yield wall

    def _sparse(self, periods: range, budget: Budget) -> Iterator[int]:
        """Those periods whose day and time of day the rule allows."""
        rule = self.rule
        for begin in periods:
            budget.spend(1)
            time = begin % DAY
            if (
                (not rule.by_hour or time // 3600 in rule.by_hour)
                and (self._unit == 3600 or not rule.by_minute or time // 60 % 60 in rule.by_minute)
                and (self._unit > 1 or not rule.by_second or time % 60 in rule.by_second)
                and (not self._limited or self._is_allowed(begin // DAY))
            ):
                yield begin

    def _dense(self, days: Iterable[int], low: int, high: int, budget: Budget) -> Iterator[int]:
        step, base, unit = self._step, self._base, self._unit
        for day in days:
            begin = day * DAY
            budget.spend(1)
            for first, end in self._stretches(max(low - begin - unit, 0), min(high - begin, DAY), budget):
                yield from range(begin + first + (base - begin - first) % step, begin + end, step)

    def _stretches(self, low: int, high: int, budget: Budget) -> Iterator[tuple[int, int]]:
        """The stretches of the day that the limiting time parts leave, ascending, within ``[low, high)``."""
        rule = self.rule
        minutes = rule.by_minute if self._unit < 3600 else ()
        seconds = rule.by_second if self._unit < 60 else ()
        for hour in rule.by_hour or range(24):
            begin = hour * 3600
            if begin + 3600 <= low or begin >= high:
                continue
            budget.spend(1)
            if not minutes and not seconds:
                yield begin, begin + 3600
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


def _completed(rule: Rule, system: CalendarSystem, day: int) -> DayParts:
    """The date parts with what the rule leaves out taken from DTSTART (RFC 5545 §3.3.10)."""
    months, month_days, weekdays = rule.by_month, rule.by_month_day, rule.by_day
    if rule.freq >= Freq.WEEKLY and not weekdays:
        if rule.freq is Freq.WEEKLY or (rule.by_week_no and not month_days and not rule.by_year_day):
            weekdays = ((0, (day + 3) % 7),)
        elif not month_days and not rule.by_year_day:
            _, label, number = _month_at(system, system.year_of(day), day)
            month_days = (number,)
            if rule.freq is Freq.YEARLY and not months:
                months = (label,)
    if rule.freq < Freq.MONTHLY:
        weekdays = tuple(sorted({(0, weekday) for _, weekday in weekdays}))
    return DayParts(
        months=frozenset(months),
        week_numbers=frozenset(rule.by_week_no),
        year_days=rule.by_year_day,
        month_days=month_days,
        weekdays=weekdays,
        week_start=rule.week_start,
        skip=rule.skip,
    )


def _month_at(system: CalendarSystem, year: int, day: int) -> tuple[int, int, int]:
    """Of a day in ``year``: its month's place in the year, the month's label, the day of the month."""
    offset = day - system.start_of(year)
    for place, (label, begin, length) in enumerate(system.year(year).months):
        if offset < begin + length:
            return place, label, offset - begin + 1
    raise ValueError("a day outside of its year")


def _times(rule: Rule, time: int, all_day: bool) -> Days:
    """The seconds within a period shorter than a week (within the day of a longer one) at which it has starts."""
    if all_day:
        times: Days = (0,)
    else:
        seconds = rule.by_second or (time % 60,)
        minutes = rule.by_minute or (time // 60 % 60,)
        hours = rule.by_hour or (time // 3600,)
        if rule.freq < Freq.DAILY:
            hours = (0,)
        if rule.freq < Freq.HOURLY:
            minutes = (0,)
        if rule.freq < Freq.MINUTELY:
            seconds = (0,)
        times = tuple(hour * 3600 + minute * 60 + second for hour in hours for minute in minutes for second in seconds)
    if rule.by_set_pos and rule.freq <= Freq.DAILY:
        return _at_positions((0,), times, rule.by_set_pos)
    return times


def _at_positions(days: Days, times: Days, positions: tuple[int, ...]) -> Days:
    """BYSETPOS: the chosen seconds of the set ``days x times``, without making the set."""
    size = len(days) * len(times)
    places = {position - 1 if position > 0 else size + position for position in positions}
    width = len(times)
    return tuple(days[place // width] * DAY + times[place % width] for place in sorted(places) if 0 <= place < size)


def _merged(years: Iterator[Iterable[int]], low: int, high: int) -> Iterator[int]:
    """Starts in order and each once although a year's may lie a day inside the next (SKIP)."""
    pending: set[int] = set()
    for walls in years:
        fresh = set(walls)
        # A year reaches back at most one day, so what lies more than two days before its first start is complete.
        limit = min(fresh, default=-END) - 2 * DAY
        done = sorted(wall for wall in pending if wall < limit)
        yield from (wall for wall in done if low <= wall < high)
        pending.difference_update(done)
        pending |= fresh
    yield from sorted(wall for wall in pending if low <= wall < high)
