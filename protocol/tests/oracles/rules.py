"""Random recurrence rules with DTSTART and windows: plain ``random`` with a seed, because a million must be cheap."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_HORIZON_DAYS = {
    "YEARLY": 6000,
    "MONTHLY": 1500,
    "WEEKLY": 700,
    "DAILY": 400,
    "HOURLY": 45,
    "MINUTELY": 3,
    "SECONDLY": 1,
}


@dataclass(frozen=True)
class Case:
    """One rule: its parts, its DTSTART and how far from it a window may lie."""

    parts: tuple[tuple[str, str], ...]
    start: datetime
    horizon: timedelta

    @property
    def text(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.parts)

    def part(self, name: str) -> str | None:
        return dict(self.parts).get(name)

    @property
    def freq(self) -> str:
        return self.part("FREQ") or ""


def _some(rng: random.Random, values: range | tuple[str, ...], most: int) -> str:
    return ",".join(str(value) for value in sorted(rng.sample(list(values), rng.randint(1, most))))


def _signed(rng: random.Random, highest: int, most: int) -> str:
    numbers = {rng.choice((1, 1, -1)) * rng.randint(1, highest) for _ in range(rng.randint(1, most))}
    return ",".join(map(str, sorted(numbers)))


def _date_parts(rng: random.Random, freq: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    if rng.random() < 0.3:
        parts.append(("BYMONTH", _some(rng, range(1, 13), 4)))
    if freq == "YEARLY" and rng.random() < 0.15:
        parts.append(("BYWEEKNO", _signed(rng, 53, 4)))
    if freq in ("YEARLY", "HOURLY", "MINUTELY", "SECONDLY") and rng.random() < 0.12:
        parts.append(("BYYEARDAY", _signed(rng, 366, 12)))
    if freq != "WEEKLY" and rng.random() < 0.25:
        parts.append(("BYMONTHDAY", _signed(rng, 31, 8)))
    if rng.random() < 0.4:
        days = rng.sample(WEEKDAYS, rng.randint(1, 5))
        if freq in ("YEARLY", "MONTHLY") and rng.random() < 0.5 and not any(name == "BYWEEKNO" for name, _ in parts):
            highest = 5 if freq == "MONTHLY" or any(name == "BYMONTH" for name, _ in parts) else 53
            days = [f"{rng.choice((1, -1)) * rng.randint(1, highest)}{day}" for day in days]
        parts.append(("BYDAY", ",".join(days)))
    return parts


def _time_parts(rng: random.Random, freq: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    if rng.random() < 0.15:
        parts.append(("BYHOUR", _some(rng, range(24), 5)))
    if rng.random() < 0.15:
        parts.append(("BYMINUTE", _some(rng, range(60), 5)))
    if rng.random() < 0.1:
        parts.append(("BYSECOND", _some(rng, range(60), 4)))
    return parts


def _set_size(freq: str, parts: dict[str, str]) -> int:
    """How many starts a period shorter than a day has: dateutil walks to the end of time for a place beyond it."""
    size = 1 if freq in ("HOURLY", "MINUTELY", "SECONDLY") else 99
    for name, within in (("BYMINUTE", ("HOURLY",)), ("BYSECOND", ("HOURLY", "MINUTELY"))):
        if freq in within and name in parts:
            size *= len(parts[name].split(","))
    return size


def random_case(rng: random.Random) -> Case:
    """A rule such as RFC 5545 §3.3.10 allows; long periods are more likely than short ones."""
    freq = rng.choice(FREQUENCIES[:4] * 3 + FREQUENCIES[4:])
    parts = [("FREQ", freq)]
    if rng.random() < 0.5:
        parts.append(("INTERVAL", str(rng.choice((2, 2, 3, 4, 5, 7, 12, 25, 60, 90)))))
    chosen = _date_parts(rng, freq) + _time_parts(rng, freq)
    parts += chosen
    if chosen and rng.random() < 0.2:
        parts.append(("BYSETPOS", _signed(rng, min(6, _set_size(freq, dict(chosen))), 3)))
    if rng.random() < 0.3:
        parts.append(("WKST", rng.choice(WEEKDAYS)))
    start = datetime.fromisoformat("20000101").replace(
        year=rng.choice((1970, 1997, 1999, 2000, 2016, 2019, 2024)),
        month=rng.randint(1, 12),
        day=rng.choice((1, 2, 15, 28)) if rng.random() < 0.5 else rng.randint(1, 28),
        hour=rng.randint(0, 23),
        minute=rng.choice((0, 30, rng.randint(0, 59))),
        second=rng.choice((0, 0, rng.randint(0, 59))),
    )
    if rng.random() < 0.15:
        start = start.replace(month=rng.choice((1, 3, 5, 7, 8, 10, 12)), day=31)
    elif rng.random() < 0.05:
        start = start.replace(year=2000, month=2, day=29)
    horizon = timedelta(days=_HORIZON_DAYS[freq])
    bound = rng.random()
    if bound < 0.2:
        parts.append(("COUNT", str(rng.choice((1, 2, 3, 7, 10, 30, 100)))))
    elif bound < 0.35:
        until = start + horizon * rng.random()
        parts.append(("UNTIL", f"{until:%Y%m%dT%H%M%S}"))
    return Case(tuple(parts), start, horizon)


def random_window(rng: random.Random, case: Case) -> tuple[datetime, datetime]:
    """A window somewhere around the first stretch of the rule, often at its DTSTART."""
    low = case.start + case.horizon * rng.uniform(-0.1, 0.95)
    if rng.random() < 0.15:
        low = case.start
    size = case.horizon * rng.choice((0.002, 0.02, 0.2, 1.0))
    low = low.replace(microsecond=0)
    high = (low + size).replace(microsecond=0) + timedelta(seconds=1)
    return low, min(high, case.start + case.horizon)
