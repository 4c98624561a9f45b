"""The parts that a rule leaves out, taken from DTSTART: days, times of day, month (RFC 5545 §3.3.10).

Rules of this module: pure functions of a rule and a DTSTART; times are seconds within a period.
"""

from __future__ import annotations

from protocol.ical.rules.calendars import CalendarSystem
from protocol.ical.rules.days import DayParts, Days
from protocol.ical.rules.rule import Freq, Rule
from protocol.ical.rules.times import Times, product
from protocol.model import DAY, HOUR, MINUTE


def with_start_parts(rule: Rule, system: CalendarSystem, day: int) -> DayParts:
    """The date parts of a rule, with missing ones taken from DTSTART (RFC 5545 §3.3.10)."""
    months, month_days, weekdays = rule.by_month, rule.by_month_day, rule.by_day
    numbered = bool(month_days or rule.by_year_day)
    if weekdays or rule.freq < Freq.WEEKLY:
        pass
    elif numbered:
        if rule.freq is Freq.WEEKLY:
            weekdays = tuple((0, weekday) for weekday in range(7))  # the numbers choose the days of the week
    elif rule.freq is Freq.WEEKLY or rule.by_week_no:
        weekdays = ((0, (day + 3) % 7),)
    else:
        _, label, number = month_at(system, system.year_of(day), day)
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


def month_at(system: CalendarSystem, year: int, day: int) -> tuple[int, int, int]:
    """For a day in ``year``: the place of its month in the year, the label of the month, the day of the month."""
    offset = day - system.start_of(year)
    for place, (label, begin, length) in enumerate(system.year(year).months):
        if offset < begin + length:
            return place, label, offset - begin + 1
    raise ValueError("a day outside of its year")


def times_of(rule: Rule, time: int, all_day: bool) -> Times:
    """The seconds at which a period has starts; for a period of a week or longer, within each day."""
    if all_day:
        times: Times = (0,)
    else:
        seconds = rule.by_second or (time % 60,)
        minutes = rule.by_minute or (time // MINUTE % 60,)
        hours = rule.by_hour or (time // HOUR,)
        if rule.freq < Freq.DAILY:
            hours = (0,)
        if rule.freq < Freq.HOURLY:
            minutes = (0,)
        if rule.freq < Freq.MINUTELY:
            seconds = (0,)
        times = product(hours, minutes, seconds)
    if rule.by_set_pos and rule.freq <= Freq.DAILY:
        return at_positions((0,), times, rule.by_set_pos)
    return times


def at_positions(days: Days, times: Times, positions: tuple[int, ...]) -> Days:
    """BYSETPOS: the chosen seconds of the set ``days x times``, without making the set."""
    size = len(days) * len(times)
    places = {position - 1 if position > 0 else size + position for position in positions}
    width = len(times)
    return tuple(days[place // width] * DAY + times[place % width] for place in sorted(places) if 0 <= place < size)
