"""Calendars other than the Gregorian, through ICU (RFC 7529 §5 takes their names from CLDR, which ICU implements).

PyICU is the optional dependency ``rscale``; only the module ``rscale`` imports this one, when a rule needs such a
calendar. Years are read month by month and kept, because asking ICU costs about as much as expanding a rule.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import icu

from protocol.errors import Condition, Refusal
from protocol.ical.rules.calendars import Month, Year
from protocol.ical.rules.rule import LEAP_MONTH
from protocol.model import DAY

_YEAR = icu.UCalendarDateFields.EXTENDED_YEAR
_MONTH = icu.UCalendarDateFields.MONTH
_DATE = icu.UCalendarDateFields.DATE
_HEBREW_LEAP = 5
_MAX_DISTANCE = 1_000


class IcuCalendar:
    """One of ICU's calendars, as years of months."""

    cost = 200
    """The cost of a new year, in units of the budget."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._clock = icu.Calendar.createInstance(icu.TimeZone.getGMT(), icu.Locale(f"und@calendar={name}"))
        self._lock = Lock()  # an ICU calendar has one mutable state
        self._anchor = self.year_of(0)
        self.start_of = lru_cache(maxsize=4096)(self._start_of)
        self._months = lru_cache(maxsize=1024)(self._walk)
        self.year = lru_cache(maxsize=1024)(self._year)
        self._before = {self._anchor: 0}

    def year_of(self, day: int) -> int:
        """The year that holds ``day``."""
        with self._lock:
            self._clock.setTime(float(day * DAY))
            return int(self._clock.get(_YEAR))

    def _start_of(self, year: int) -> int:
        with self._lock:
            self._clock.clear()
            self._clock.set(_YEAR, year)
            self._clock.set(_MONTH, 0)
            self._clock.set(_DATE, 1)
            return int(float(self._clock.getTime()) // DAY)

    def _walk(self, year: int) -> tuple[Month, ...]:
        months: list[Month] = []
        start = day = self._start_of(year)
        end = self._start_of(year + 1)
        last = -1
        while day < end:
            with self._lock:
                self._clock.setTime(float(day * DAY))
                number = int(self._clock.get(_MONTH))
                length = int(self._clock.getActualMaximum(_DATE))
            months.append((self._label(number, number == last), day - start, length))
            last = number
            day += length
        return tuple(months)

    def _label(self, number: int, repeated: bool) -> int:
        """ICU's month as RFC 7529 §4.2 counts it; the Hebrew leap month is ICU's sixth, others repeat a number."""
        if self._name == "hebrew":
            if number == _HEBREW_LEAP:
                return LEAP_MONTH + _HEBREW_LEAP
            return number + 1 if number < _HEBREW_LEAP else number
        return LEAP_MONTH + number + 1 if repeated else number + 1

    def _year(self, year: int) -> Year:
        start, after = self.start_of(year), self.start_of(year + 1)
        previous, following = self._months(year - 1), self._months(year + 1)
        before_length = start - self.start_of(year - 1)
        label, _, length = previous[-1]
        return Year(
            weekday=(start + 3) % 7,
            length=after - start,
            previous_length=before_length,
            next_length=self.start_of(year + 2) - after,
            months=self._months(year),
            last_before=(label, -length, length),
            first_after=(following[0][0], after - start, following[0][2]),
        )

    def months_before(self, year: int) -> int:
        """Counted year by year from the year of 1970-01-01; refuses a distance of a thousand years."""
        if abs(year - self._anchor) > _MAX_DISTANCE:
            raise Refusal(Condition.MAX_INSTANCES, "The recurrence rule reaches further than this calendar supports.")
        known = self._before
        if year not in known:
            step = 1 if year > self._anchor else -1
            for each in range(self._anchor, year, step):
                if each + step not in known:
                    size = len(self._months(each if step > 0 else each - 1))
                    known[each + step] = known[each] + step * size
        return known[year]
