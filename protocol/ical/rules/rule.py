"""A recurrence rule as values: the RECUR type (RFC 5545 §3.3.10, RFC 7529 §4).

Rules of this module: text to values, no dates and no arithmetic. Reading is lenient: a value outside its range is
dropped, the first of repeated parts counts, and an unknown part is ignored. A rule without a meaning (no readable FREQ,
COUNT=0, INTERVAL=0, an unreadable UNTIL) is ``empty``: its series is the DTSTART alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from protocol.ical.names import WEEKDAYS
from protocol.ical.values import Form, parse_when, wall_seconds

LEAP_MONTH = 100
"""A leap month is this much more than the regular month before it ("5L" is 105, RFC 7529 §4.2)."""

_WEEKDAY_NUMBERS = {name: number for number, name in enumerate(WEEKDAYS)}
_MAX_NUMBER = 1_000_000_000

RANGES = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
"""Lowest and highest value of a part in the Gregorian calendar; whether it may be negative (RFC 5545 §3.3.10)."""
_OTHER_HIGHEST = {"BYMONTHDAY": 32, "BYYEARDAY": 390, "BYWEEKNO": 60}
"""The highest values in other calendars (RFC 7529)."""


class Freq(IntEnum):
    """FREQ, shortest period first."""

    SECONDLY = 0
    MINUTELY = 1
    HOURLY = 2
    DAILY = 3
    WEEKLY = 4
    MONTHLY = 5
    YEARLY = 6


class Skip(IntEnum):
    """What happens to an invalid date (RFC 7529 §4.1)."""

    OMIT = 0
    FORWARD = 1
    BACKWARD = -1


@dataclass(frozen=True, slots=True)
class Until:
    """UNTIL as written: wall seconds (midnight for a DATE) and its form."""

    wall: int
    form: Form


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; every ``by`` tuple is sorted, without duplicates, and empty when the part is absent."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: Until | None = None
    by_month: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    """``(ordinal or 0, weekday)``, Monday is 0."""
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0
    rscale: str | None = None
    """In upper case; ``None`` without RSCALE, which means the Gregorian calendar without SKIP."""
    skip: Skip = Skip.OMIT
    empty: bool = False
    """The rule has no starts of its own."""


EMPTY = Rule(Freq.YEARLY, empty=True)


def rule_parts(text: str) -> dict[str, str]:
    """The parts of a RECUR value, names and values in upper case; the first of repeated parts counts."""
    parts: dict[str, str] = {}
    for piece in text.upper().split(";"):
        name, equals, value = piece.partition("=")
        if equals:
            parts.setdefault(name.strip(), value.strip())
    return parts


@lru_cache(maxsize=4096)
def parse_rule(text: str) -> Rule:
    """The Rule of a RECUR value; never fails, see ``Rule.empty`` (RFC 5545 §3.3.10)."""
    parts = rule_parts(text)
    interval = _count(parts.get("INTERVAL", "1"))
    count = _count(parts["COUNT"]) if "COUNT" in parts else None
    freq = Freq.__members__.get(parts.get("FREQ", ""))
    if freq is None or not interval or count == 0:
        return EMPTY
    try:
        until = _until(parts["UNTIL"]) if "UNTIL" in parts else None
    except ValueError:
        return EMPTY
    rscale = parts.get("RSCALE") or None
    other = rscale not in (None, "GREGORIAN", "GREGORY")
    return Rule(
        freq=freq,
        interval=interval,
        count=count,
        until=until,
        by_month=_months(parts.get("BYMONTH", ""), other),
        by_week_no=_numbers(parts, "BYWEEKNO", other),
        by_year_day=_numbers(parts, "BYYEARDAY", other),
        by_month_day=_numbers(parts, "BYMONTHDAY", other),
        by_day=_weekdays(parts.get("BYDAY", "")),
        by_hour=_numbers(parts, "BYHOUR"),
        by_minute=_numbers(parts, "BYMINUTE"),
        # RFC 5545 §3.3.12: without support for leap seconds, second 60 is second 59.
        by_second=tuple(sorted({min(number, 59) for number in _numbers(parts, "BYSECOND")})),
        by_set_pos=_numbers(parts, "BYSETPOS"),
        week_start=_WEEKDAY_NUMBERS.get(parts.get("WKST", "MO"), 0),
        rscale=rscale,
        # RFC 7529 §4 forbids SKIP without RSCALE.
        skip=Skip.__members__.get(parts.get("SKIP", "OMIT"), Skip.OMIT) if rscale else Skip.OMIT,
    )


def _count(text: str) -> int:
    digits = text.removeprefix("+")
    return min(int(digits), _MAX_NUMBER) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0


def _until(text: str) -> Until:
    wall, form = parse_when(text)
    return Until(wall_seconds(wall), form)


def _numbers(parts: dict[str, str], name: str, other: bool = False) -> tuple[int, ...]:
    lowest, highest, signed = RANGES[name]
    return _within(parts.get(name, ""), lowest, _OTHER_HIGHEST[name] if other else highest, signed=signed)


def _within(text: str, lowest: int, highest: int, *, signed: bool = False) -> tuple[int, ...]:
    if not text:
        return ()
    found: set[int] = set()
    for item in text.split(","):
        stripped = item.strip()
        digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 4 and lowest <= int(digits) <= highest):
            continue
        if stripped[0] != "-":
            found.add(int(digits))
        elif signed:
            found.add(-int(digits))
    return tuple(sorted(found))


def _months(text: str, other: bool) -> tuple[int, ...]:
    if not other or "L" not in text:
        return _within(text, 1, 13 if other else 12)
    leap = ",".join(item.strip()[:-1] for item in text.split(",") if item.strip().endswith("L"))
    regular = ",".join(item for item in text.split(",") if not item.strip().endswith("L"))
    return _within(regular, 1, 13) + tuple(LEAP_MONTH + number for number in _within(leap, 1, 13))


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    if not text:
        return ()
    found: set[tuple[int, int]] = set()
    for item in text.split(","):
        stripped = item.strip()
        weekday = _WEEKDAY_NUMBERS.get(stripped[-2:])
        if weekday is None:
            continue
        ordinal = stripped[:-2]
        if not ordinal:
            found.add((0, weekday))
        else:
            found.update((number, weekday) for number in _within(ordinal, 1, 60, signed=True))
    return tuple(sorted(found))
