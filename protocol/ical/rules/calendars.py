"""Calendar systems as years of months: what a rule needs from a calendar (RFC 7529 §4, §5).

Rules of this module: day arithmetic only, no rules; a day is a number, and 1970-01-01 is 0. A ``Year`` has everything
that decides a rule's days within one year, so that equal years share their days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

EPOCH_ORDINAL = 719_163
"""``date.toordinal()`` of 1970-01-01."""
FIRST_DAY = 1 - EPOCH_ORDINAL
LAST_DAY = date.max.toordinal() - EPOCH_ORDINAL
"""The days that iCalendar can write: years 1 to 9999."""

Month = tuple[int, int, int]
"""``(label, offset of its first day in the year, length)``; labels as in ``Rule.by_month``."""


@dataclass(frozen=True, slots=True, eq=False)
class Year:
    """The shape of one year; compared by identity, because equal shapes are one object."""

    weekday: int
    """The weekday of its first day, Monday is 0."""
    length: int
    previous_length: int
    next_length: int
    months: tuple[Month, ...]
    last_before: Month
    """The last month of the year before, with a negative offset."""
    first_after: Month


class CalendarSystem(Protocol):
    """What the rule engine needs from a calendar."""

    @property
    def cost(self) -> int:
        """The cost of examining a year, in units of the budget."""

    def year_of(self, day: int) -> int:
        """The year that holds ``day``."""

    def start_of(self, year: int) -> int:
        """The first day of ``year``."""

    def year(self, year: int) -> Year:
        """The shape of ``year``."""

    def months_before(self, year: int) -> int:
        """How many months lie between some fixed month and the first of ``year``."""


_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@lru_cache(maxsize=64)
def _gregorian_year(weekday: int, previous_length: int, length: int, next_length: int) -> Year:
    months: list[Month] = []
    offset = 0
    for number, days in enumerate(_LENGTHS, 1):
        size = days + (number == 2 and length == 366)
        months.append((number, offset, size))
        offset += size
    return Year(weekday, length, previous_length, next_length, tuple(months), (12, -31, 31), (1, length, 31))


def _gregorian_length(year: int) -> int:
    return 366 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 365


class Gregorian:
    """The proleptic Gregorian calendar."""

    __slots__ = ()
    cost = 1

    def year_of(self, day: int) -> int:
        """The year that holds ``day``; days beyond the calendar give its first or last year."""
        return date.fromordinal(min(max(day, FIRST_DAY), LAST_DAY) + EPOCH_ORDINAL).year

    def start_of(self, year: int) -> int:
        """The day of January 1st."""
        before = year - 1
        return before * 365 + before // 4 - before // 100 + before // 400 - EPOCH_ORDINAL + 1

    def year(self, year: int) -> Year:
        """The shape of ``year``, one of at most 28."""
        weekday = (self.start_of(year) + 3) % 7
        return _gregorian_year(
            weekday, _gregorian_length(year - 1), _gregorian_length(year), _gregorian_length(year + 1)
        )

    def months_before(self, year: int) -> int:
        """Twelve months a year."""
        return year * 12


GREGORIAN = Gregorian()
