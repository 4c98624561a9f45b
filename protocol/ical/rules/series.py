"""A rule with its DTSTART: the starts it yields in a window, in wall time (RFC 5545 §3.3.10, §3.8.5.3).

Wall time is a number: seconds from 1970-01-01T00:00:00 on the local clock. Rules of this module: no zones, no
components. Every generator begins at the window by arithmetic in whole intervals, never at DTSTART, so the cost of a
window does not depend on its distance. A whole year without a day costs one unit of the budget.

DTSTART is always the first occurrence and counts for COUNT, even when the rule does not yield it. RFC 5545 leaves that
case undefined, but it says that DTSTART "defines the first instance in the recurrence set" and "always counts as the
first occurrence". Its Friday-the-13th example removes such a DTSTART with an EXDATE, which would make no sense
otherwise. Apple, Google, Android and the libical family do the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from protocol.ical.rules.budget import Budget
from protocol.ical.rules.pattern import END, DailyPattern, Pattern, WeeklyPattern
from protocol.ical.rules.rule import Freq, Rule
from protocol.ical.rules.short import ShortPattern
from protocol.ical.rules.years import YearPattern

__all__ = ["END", "Series"]

_PATTERNS: dict[Freq, type[Pattern]] = {
    Freq.SECONDLY: ShortPattern,
    Freq.MINUTELY: ShortPattern,
    Freq.HOURLY: ShortPattern,
    Freq.DAILY: DailyPattern,
    Freq.WEEKLY: WeeklyPattern,
    Freq.MONTHLY: YearPattern,
    Freq.YEARLY: YearPattern,
}


class Series:
    """The starts of one rule; make it once per object and ask it for windows."""

    __slots__ = ("_last", "_pattern", "count", "include_start", "rule", "start", "until")

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
        """``until`` is the last allowed wall second; ``count_until`` is the known last start of a COUNT rule.

        Refuses with CALDAV:supported-rscale when the rule's calendar is unknown (RFC 7529 §5). ``include_start`` is
        false for an EXRULE, which excludes only what it yields.
        """
        self.rule = rule
        self.start = start
        self.until = until
        self.count = rule.count
        self.include_start = include_start
        self._last = count_until if rule.count is not None else None
        self._pattern = _PATTERNS[rule.freq](rule, start, all_day)

    @property
    def forever(self) -> bool:
        """Whether nothing ends the series."""
        return not (self.rule.empty or self._pattern.is_empty) and self.until is None and self.count is None

    def starts(self, low: int, high: int, budget: Budget) -> Iterator[int]:
        """The starts in ``[low, high)``, ascending, each once; refuses when the budget is used up."""
        start = self.start
        if self.include_start and low <= start < high:
            yield start
        if self.rule.empty or self._pattern.is_empty:
            return
        if self.until is not None:
            high = min(high, self.until + 1)
        low = max(low, start + self.include_start)
        if self.count is None:
            if low < high:
                yield from self._pattern.starts(low, min(high, END), budget)
            return
        if low >= high:
            return
        if self._last is None and low == start + self.include_start:
            found = islice(self._pattern.starts(low, min(high, END), budget), self.count - self.include_start)
            yield from found
            return
        yield from self._pattern.starts(low, min(high, self._counted(self.count, budget) + 1, END), budget)

    def last(self, budget: Budget) -> int | None:
        """The last start of a COUNT rule (found once), or the UNTIL; ``None``: the series has no end.

        When every period has the same number of starts, arithmetic finds the last one; otherwise counting does, and
        spends ``budget``.
        """
        if self.rule.empty or self._pattern.is_empty:
            return self.start
        return self.until if self.count is None else self._counted(self.count, budget)

    def _counted(self, count: int, budget: Budget) -> int:
        if self._last is None:
            self._last = self._resolve(count - self.include_start, budget)
        return self._last if self.until is None else min(self._last, self.until)

    def _resolve(self, wanted: int, budget: Budget) -> int:
        if wanted <= 0:
            return self.start
        low = self.start + self.include_start
        starts = self._pattern.starts
        uniform = self._pattern.uniform()
        if uniform is not None and uniform.size:
            # Count from the beginning of DTSTART's period, and add the starts of that period before DTSTART.
            periods, rest = divmod(wanted - 1 + uniform.count_before(low - uniform.first), uniform.size)
            return min(uniform.first + uniform.step * periods + uniform.offset_of(rest), END)
        # A rule that yields fewer starts than its COUNT ends with its last start.
        last = deque(islice(starts(low, END, budget), wanted), maxlen=1)
        return last[0] if last else self.start
