"""The days of a rule within one year: BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, SKIP and BYDAY.

It follows the expand and limit table of RFC 5545 §3.3.10 and the order of RFC 7529 §4.1. Rules of this module: pure
functions of ``(DayParts, Year)``, without INTERVAL, times or DTSTART. A day is its offset from the first day of the
year. It may lie a few days outside: a numbered week may begin in December, and SKIP may move a date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.ical.rules.calendars import CalendarSystem, Month, Year
from protocol.ical.rules.rule import LEAP_MONTH, Skip

Days = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayParts:
    """The parts of a rule that choose days, completed from DTSTART; empty means absent."""

    months: frozenset[int]
    week_numbers: frozenset[int]
    year_days: tuple[int, ...]
    month_days: tuple[int, ...]
    weekdays: tuple[tuple[int, int], ...]
    week_start: int
    skip: Skip


def days_of_year(parts: DayParts, year: Year) -> Days:
    """The days of a YEARLY period, in order."""
    months = _chosen_months(parts, year)
    base: set[int] | None = None
    if parts.week_numbers:
        base = _in_months(_days_of_weeks(parts, year), parts, year)
    if parts.year_days:
        numbered = _year_days(parts, year)
        if parts.week_numbers:
            numbered |= _neighbouring_year_days(parts, year)
        base = _intersection(base, _in_months(numbered, parts, year))
    if parts.month_days:
        if parts.week_numbers:
            # Week one may begin in December, and the last week may end in January.
            around = (year.last_before, year.first_after)
            months += tuple(month for month in around if not parts.months or month[0] in parts.months)
        base = _intersection(base, {day for month in months for day in _month_days(parts, month)})
    if not parts.weekdays:
        return tuple(sorted(base or ()))
    weekdays = {weekday for _, weekday in parts.weekdays} if parts.week_numbers else _weekdays_without_ordinals(parts)
    if base is not None and weekdays is not None:
        first = year.weekday
        return tuple(sorted(day for day in base if (first + day) % 7 in weekdays))
    if parts.months:
        chosen = {day for month in months for day in _nth_weekdays(parts, year, month[1], month[2])}
    else:
        chosen = set(_nth_weekdays(parts, year, 0, year.length))
    return tuple(sorted(_intersection(base, chosen)))


def days_of_month(parts: DayParts, year: Year, number: int) -> Days:
    """The days of a MONTHLY period, the month number ``number`` (from 0) of the year, in order."""
    month = year.months[number]
    label, offset, length = month
    if parts.months and label not in parts.months and month not in _chosen_months(parts, year):
        return ()
    base: set[int] | None = None
    if parts.year_days:
        base = {day for day in _year_days(parts, year) if offset <= day < offset + length}
    if parts.week_numbers:
        base = _intersection(base, _week_limit(parts, year) & set(range(offset, offset + length)))
    if parts.month_days:
        base = _intersection(base, _month_days(parts, month))
    if not parts.weekdays:
        return tuple(sorted(base or ()))
    weekdays = _weekdays_without_ordinals(parts)
    if base is not None and weekdays is not None:
        first = year.weekday
        return tuple(sorted(day for day in base if (first + day) % 7 in weekdays))
    return tuple(sorted(_intersection(base, set(_nth_weekdays(parts, year, offset, length)))))


def days_allowed(parts: DayParts, year: Year) -> Days:
    """The days of the year that the date parts allow for a WEEKLY, DAILY or shorter rule, in order."""
    allowed: set[int] | None = None
    if parts.months:
        spans = (range(offset, offset + length) for label, offset, length in year.months if label in parts.months)
        allowed = {day for span in spans for day in span}
    if parts.month_days:
        # A limit names valid dates only, so SKIP has nothing to move (RFC 7529 §4.1).
        found = {day for month in year.months for day in _valid_month_days(parts, month)}
        allowed = _intersection(allowed, found)
    if parts.year_days:
        allowed = _intersection(allowed, set(_valid_year_days(parts, year)))
    if parts.week_numbers:
        allowed = _intersection(allowed, _week_limit(parts, year))
    if parts.weekdays:
        first = year.weekday
        weekdays = {weekday for _, weekday in parts.weekdays}
        days: Iterable[int] = range(year.length) if allowed is None else allowed
        allowed = {day for day in days if (first + day) % 7 in weekdays}
    return tuple(sorted(allowed if allowed is not None else range(year.length)))


def _intersection(left: set[int] | None, right: set[int]) -> set[int]:
    return right if left is None else left & right


def _weekdays_without_ordinals(parts: DayParts) -> set[int] | None:
    """The weekdays, when none of them has an ordinal."""
    return None if any(ordinal for ordinal, _ in parts.weekdays) else {weekday for _, weekday in parts.weekdays}


def _chosen_months(parts: DayParts, year: Year) -> tuple[Month, ...]:
    """The months that BYMONTH names in this year, with SKIP applied to invalid ones; all without BYMONTH."""
    if not parts.months:
        return year.months
    labels = {label for label, _, _ in year.months}
    chosen = {label for label in parts.months if label in labels}
    if parts.skip is not Skip.OMIT:
        for label in parts.months - labels:
            number = label - LEAP_MONTH if label > LEAP_MONTH else label
            chosen.add(number + 1 if label > LEAP_MONTH and parts.skip is Skip.FORWARD else number)
    return tuple(month for month in year.months if month[0] in chosen)


def _in_months(days: set[int], parts: DayParts, year: Year) -> set[int]:
    if not parts.months:
        return days
    months = (year.last_before, *year.months, year.first_after)
    spans = [(offset, offset + length) for label, offset, length in months if label in parts.months]
    return {day for day in days if any(start <= day < end for start, end in spans)}


def _month_days(parts: DayParts, month: Month) -> set[int]:
    if parts.skip is Skip.OMIT:
        return _valid_month_days(parts, month)
    _, offset, length = month
    return {_skipped(day, length, parts.skip) + offset for day in parts.month_days}


def _valid_month_days(parts: DayParts, month: Month) -> set[int]:
    _, offset, length = month
    return {offset + (day - 1 if day > 0 else length + day) for day in parts.month_days if -length <= day <= length}


def _year_days(parts: DayParts, year: Year) -> set[int]:
    if parts.skip is Skip.OMIT:
        return _valid_year_days(parts, year)
    return {_skipped(day, year.length, parts.skip) for day in parts.year_days}


def _valid_year_days(parts: DayParts, year: Year) -> set[int]:
    length = year.length
    return {day - 1 if day > 0 else length + day for day in parts.year_days if -length <= day <= length}


def _neighbouring_year_days(parts: DayParts, year: Year) -> set[int]:
    before, after = year.previous_length, year.next_length
    days = {day - 1 - before if day > 0 else day for day in parts.year_days if abs(day) <= before}
    start = year.length
    return days | {start + (day - 1 if day > 0 else after + day) for day in parts.year_days if abs(day) <= after}


def _skipped(day: int, length: int, skip: Skip) -> int:
    """The offset of a numbered day of a month or year; an invalid one moves to the next or previous valid date."""
    offset = day - 1 if day > 0 else length + day
    if 0 <= offset < length:
        return offset
    if offset >= length:
        return length if skip is Skip.FORWARD else length - 1
    return 0 if skip is Skip.FORWARD else -1


def _nth_weekdays(parts: DayParts, year: Year, offset: int, length: int) -> Iterable[int]:
    """The days that BYDAY names between ``offset`` and ``offset + length``; ordinals count from either end."""
    end = offset + length
    for ordinal, weekday in parts.weekdays:
        first = offset + (weekday - year.weekday - offset) % 7
        if ordinal == 0:
            yield from range(first, end, 7)
            continue
        day = first + 7 * (ordinal - 1) if ordinal > 0 else first + 7 * ((end - 1 - first) // 7 + 1 + ordinal)
        if offset <= day < end:
            yield day


def _week_one(weekday: int, week_start: int) -> int:
    """The offset of week number one, from the weekday of the year's first day: at least four of its days are inside."""
    into = (weekday - week_start) % 7
    return -into if into <= 3 else 7 - into


def _weeks(parts: DayParts, year: Year) -> tuple[int, int]:
    first = _week_one(year.weekday, parts.week_start)
    after = year.length + _week_one((year.weekday + year.length) % 7, parts.week_start)
    return first, (after - first) // 7


def _days_of_weeks(parts: DayParts, year: Year) -> set[int]:
    """All days of the weeks that BYWEEKNO names; the first and last week may reach into the neighbouring years."""
    first, count = _weeks(parts, year)
    chosen = {number if number > 0 else count + 1 + number for number in parts.week_numbers}
    starts = (first + 7 * (number - 1) for number in chosen if 1 <= number <= count)
    return {day for start in starts for day in range(start, start + 7)}


def _week_limit(parts: DayParts, year: Year) -> set[int]:
    """BYWEEKNO outside a YEARLY rule (RFC 5545 forbids it) as a limit, whichever year the week belongs to."""
    first, count = _weeks(parts, year)
    days = {day for day in _days_of_weeks(parts, year) if 0 <= day < year.length}
    if first > 0:
        previous = _week_one((year.weekday - year.previous_length) % 7, parts.week_start) - year.previous_length
        if {(first - previous) // 7, -1} & parts.week_numbers:
            days.update(range(first))
    after = first + 7 * count
    weekday = (year.weekday + year.length + year.next_length) % 7
    next_count = (year.length + year.next_length + _week_one(weekday, parts.week_start) - after) // 7
    if {1, -next_count} & parts.week_numbers:
        days.update(range(after, year.length))
    return days


def week_year_of(system: CalendarSystem, day: int, week_start: int) -> int:
    """The year whose numbered weeks contain ``day``; near New Year it may differ from the calendar year."""
    year = system.year_of(day)
    shape = system.year(year)
    offset = day - system.start_of(year)
    if offset < _week_one(shape.weekday, week_start):
        return year - 1
    after = shape.length + _week_one((shape.weekday + shape.length) % 7, week_start)
    return year + 1 if offset >= after else year
