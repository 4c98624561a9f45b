"""recurring-ical-events as an oracle for whole objects: zones, EXDATE, RDATE, moved occurrences.

It steps python-dateutil underneath, so that what it adds is everything around the rule. Deliberate differences are in
``DIFFERENCES``; the generator makes no object that shows one of them, and ``test_recurrence_documents`` has a case for
each.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import icalendar
import recurring_ical_events

from protocol.ical.rules import Budget, Series, parse_rule
from protocol.ical.values import wall_of, wall_seconds
from testing.builders import calendar, component

DIFFERENCES = {
    "count": """
        recurring-ical-events adds a DTSTART that the rule does not yield and then still counts COUNT starts of the
        rule; here DTSTART is one of them (RFC 5545 §3.3.10).""",
    "exact-duration": """
        It adds DURATION, and DTEND minus DTSTART, to the wall clock; here hours are hours and a DTEND gives every
        occurrence the same exact duration, also over a change of the clocks (RFC 5545 §3.3.6, §3.8.5.3).""",
    "same-instant": """
        An HOURLY rule that runs through a DST gap gives it two occurrences at one instant; here that is one occurrence
        (RFC 5545 §3.8.5.3 "Duplicate instances are ignored").""",
    "several-a-day": """
        An EXDATE or RECURRENCE-ID of one of several occurrences of a day sometimes takes others of that day away there;
        here a DATE-TIME names one occurrence (RFC 5545 §3.8.5.1).""",
    "override-before-start": """
        It shows an override of a time before DTSTART; here there is nothing to override before the series begins,
        unless an RDATE says so.""",
}

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "America/Sao_Paulo", "UTC", "")
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;BYDAY=SA,SU;WKST=SU",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=30",
)


@dataclass(frozen=True)
class Object:
    """An iCalendar text and a window in epoch seconds."""

    text: str
    low: int
    high: int
    exact: int | None
    """How many seconds every occurrence lasts, when its DURATION is exact."""


def random_object(rng: random.Random) -> Object:
    """A recurring event whose DTSTART its rule yields, with exceptions, extra dates and moved occurrences."""
    zone = rng.choice(ZONES)
    all_day = rng.random() < 0.2
    rule = rng.choice(RULES[:-1] if all_day else RULES)
    clock = 0 if all_day else rng.choice((0, 5400, 9000, 7200, 36000, 84600))
    somewhere = wall_seconds(datetime.fromisoformat("20240101")) + 86400 * rng.randint(0, 400) + clock
    series = Series(parse_rule(rule), somewhere, all_day=all_day, include_start=False)
    walls = list(series.starts(somewhere, somewhere + 86400 * 366 * 6, Budget(10**6)))
    if rng.random() < 0.3:
        rule += f";COUNT={rng.randint(1, 40)}"
    elif rng.random() < 0.3:
        rule += f";UNTIL={_when(rng.choice(walls), all_day, '' if not zone or all_day else 'UTC', zone)}"
    length = "P1D" if all_day else rng.choice(("PT30M", "PT1H", "P1D", "PT0S"))
    body = [_line("DTSTART", walls[0], all_day, zone), f"DURATION:{length}", f"RRULE:{rule}"]
    several = "BYHOUR" in rule  # the row "several-a-day"
    exceptions = [] if several else rng.sample(walls[1:30], min(2, len(walls) - 1))
    body += [_line("EXDATE", wall, all_day, zone) for wall in exceptions if rng.random() < 0.4]
    body += [
        _line("RDATE", walls[0] + 86400 * rng.randint(1, 90) + (0 if all_day else 3601), all_day, zone)
        for _ in range(2)
        if rng.random() < 0.3
    ]
    parts = [_event(body)]
    bounded = several or "COUNT" in rule or "UNTIL" in rule
    for wall in rng.sample(walls[1:20], min(3, len(walls) - 1)):
        if rng.random() < 0.3 and not bounded and not any(_when(wall, all_day, zone, zone) in line for line in body):
            moved = wall + rng.choice((-3, 0, 1, 40)) * 86400 + (0 if all_day else rng.choice((0, 1800)))
            lines = [_line("RECURRENCE-ID", wall, all_day, zone), _line("DTSTART", moved, all_day, zone)]
            parts.append(_event([*lines, f"DURATION:{length}"]))
    low = walls[0] + 86400 * rng.randint(-20, 500)
    text = calendar(*parts).decode()
    exact = {"PT0S": 0, "PT30M": 1800, "PT1H": 3600}.get(length)
    return Object(text, low, low + 86400 * rng.choice((1, 7, 31, 120)), exact)


def _event(lines: list[str]) -> str:
    return component("VEVENT", *lines, uid="object")


def _when(wall: int, all_day: bool, zone: str, own_zone: str) -> str:
    moment = wall_of(wall)
    if all_day:
        return f"{moment:%Y%m%d}"
    if zone == "UTC":
        if own_zone not in ("", "UTC"):
            from zoneinfo import ZoneInfo

            moment = moment.replace(tzinfo=ZoneInfo(own_zone)).astimezone(UTC)
        return f"{moment:%Y%m%dT%H%M%SZ}"
    return f"{moment:%Y%m%dT%H%M%S}"


def _line(name: str, wall: int, all_day: bool, zone: str) -> str:
    if all_day:
        return f"{name};VALUE=DATE:{_when(wall, True, zone, zone)}"
    tzid = f";TZID={zone}" if zone not in ("", "UTC") else ""
    return f"{name}{tzid}:{_when(wall, False, zone, zone)}"


def occurrences(made: Object) -> set[tuple[int, int]]:
    """``(start, end)`` of what recurring-ical-events finds in the window; floating time read as UTC."""
    calendar = icalendar.Calendar.from_ical(made.text)
    low, high = (datetime.fromtimestamp(each, UTC) for each in (made.low, made.high))
    # Floating data is compared in the window's own zone there, so a day more is asked for and cut here.
    found = recurring_ical_events.of(calendar).between(low - timedelta(days=1), high + timedelta(days=1))
    pairs = {(instant_of(event.start), instant_of(event.end)) for event in found}
    if made.exact is not None:  # the row "exact-duration" of DIFFERENCES
        pairs = {(start, start + made.exact) for start, _ in pairs}
    # The row "same-instant": of two that begin at one instant, the one whose wall time the gap took away is kept.
    single: dict[int, int] = {}
    for start, end in pairs:
        single[start] = min(end, single.get(start, end))
    return {
        (start, end)
        for start, end in single.items()
        if start < made.high and (end > made.low or (start == end and start >= made.low))
    }


def instant_of(value: object) -> int:
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return wall_seconds(datetime.fromisoformat(f"{value}"))
