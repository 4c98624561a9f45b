"""The times of day of a rule: the product of BYHOUR, BYMINUTE and BYSECOND (RFC 5545 §3.3.10).

Three lists of at most 60 numbers describe up to 86,400 times. Rules of this module: a long product is never built,
because a small object may have hundreds of such rules; it is counted, indexed and bisected as if it existed.
"""

from __future__ import annotations

from protocol.ical.rules.days import Days
from protocol.model import HOUR, MINUTE

MOST_WRITTEN_OUT = 60
"""Up to this many times are a tuple, which is faster; any real rule has fewer."""


class ManyTimes:
    """The ordered product of hours, minutes and seconds."""

    __slots__ = ("_hours", "_minutes", "_per_hour", "_seconds")

    def __init__(self, hours: Days, minutes: Days, seconds: Days) -> None:
        self._hours = hours
        self._minutes = minutes
        self._seconds = seconds
        self._per_hour = len(minutes) * len(seconds)

    def __len__(self) -> int:
        return len(self._hours) * self._per_hour

    def __getitem__(self, place: int) -> int:
        hour, rest = divmod(place, self._per_hour)
        minute, second = divmod(rest, len(self._seconds))
        return self._hours[hour] * HOUR + self._minutes[minute] * MINUTE + self._seconds[second]


Times = Days | ManyTimes


def product(hours: Days, minutes: Days, seconds: Days) -> Times:
    """Every combination of an hour, a minute and a second, in order."""
    if len(hours) * len(minutes) * len(seconds) > MOST_WRITTEN_OUT:
        return ManyTimes(hours, minutes, seconds)
    return tuple(hour * HOUR + minute * MINUTE + second for hour in hours for minute in minutes for second in seconds)
