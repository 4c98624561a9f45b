"""How the generated series recur: the text of a rule, and the days it means by plain date arithmetic.

No recurrence library has a say here, ours least of all: what a server answers is compared with these days.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LAST_DAY = dt.date(2027, 3, 1)
"""Nothing is expanded past this day, and no query of the benchmark reaches it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The first day, the days that follow it, and the rule that says so (without its end)."""

    first: dt.date
    rule: str
    days: Iterator[dt.date]
    usual: int
    """How many occurrences a series with an end has at most."""


def _daily(day: dt.date, chance: random.Random) -> Pattern:
    step = chance.choice((1, 1, 2, 3))
    days = (day + dt.timedelta(days=step * n) for n in itertools.count())
    return Pattern(day, "FREQ=DAILY" + (f";INTERVAL={step}" if step > 1 else ""), days, 20)


def _weekly(day: dt.date, chance: random.Random) -> Pattern:
    on = {day.weekday(), *(chance.sample(range(7), chance.choice((0, 0, 0, 1, 2))))}
    codes = ",".join(CODES[each] for each in sorted(on))
    days = (each for each in (day + dt.timedelta(days=n) for n in itertools.count()) if each.weekday() in on)
    return Pattern(day, f"FREQ=WEEKLY;BYDAY={codes}", days, 45)


def _fortnightly(day: dt.date, _chance: random.Random) -> Pattern:
    return Pattern(day, "FREQ=WEEKLY;INTERVAL=2", (day + dt.timedelta(days=14 * n) for n in itertools.count()), 30)


def _months(day: dt.date) -> Iterator[dt.date]:
    for n in itertools.count(day.month - 1):
        yield dt.date(day.year + n // 12, n % 12 + 1, 1)


def _month_day(day: dt.date, _chance: random.Random) -> Pattern:
    day = day.replace(day=min(day.day, 28))
    days = (month.replace(day=day.day) for month in _months(day))
    return Pattern(day, f"FREQ=MONTHLY;BYMONTHDAY={day.day}", days, 24)


def _nth_weekday(day: dt.date, _chance: random.Random) -> Pattern:
    day = day.replace(day=min(day.day, 28))
    nth, weekday = (day.day - 1) // 7, day.weekday()

    def in_month(month: dt.date) -> dt.date:
        return month + dt.timedelta(days=(weekday - month.weekday()) % 7 + 7 * nth)

    return Pattern(day, f"FREQ=MONTHLY;BYDAY={nth + 1}{CODES[weekday]}", map(in_month, _months(day)), 24)


def _last_weekday(day: dt.date, _chance: random.Random) -> Pattern:
    weekday = day.weekday()

    def in_month(month: dt.date) -> dt.date:
        last = (month + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
        return last - dt.timedelta(days=(last.weekday() - weekday) % 7)

    return Pattern(
        in_month(day.replace(day=1)), f"FREQ=MONTHLY;BYDAY=-1{CODES[weekday]}", map(in_month, _months(day)), 18
    )


def _yearly(day: dt.date, _chance: random.Random) -> Pattern:
    day = day.replace(day=min(day.day, 28))
    return Pattern(day, "FREQ=YEARLY", (day.replace(year=day.year + n) for n in itertools.count()), 3)


PATTERNS: dict[Callable[[dt.date, random.Random], Pattern], int] = {
    _weekly: 45,
    _fortnightly: 12,
    _daily: 13,
    _month_day: 8,
    _nth_weekday: 7,
    _last_weekday: 5,
    _yearly: 10,
}
"""The kinds of series and how often each one comes."""


def choose(day: dt.date, chance: random.Random) -> Pattern:
    """A pattern that begins on or near a day."""
    kind = chance.choices(list(PATTERNS), list(PATTERNS.values()))[0]
    return kind(day, chance)
