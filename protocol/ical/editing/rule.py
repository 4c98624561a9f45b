"""A recurrence rule's text with one part changed (RFC 5545 §3.3.10).

Rules of this module: parts that are not changed keep their text and their order.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime

from protocol.ical.components import Property
from protocol.ical.editing.times import DAY, SeriesTime
from protocol.ical.lines import said_again
from protocol.ical.values import Form, parse_when, render_when, wall_of, wall_seconds

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONTHLY = frozenset({"MONTHLY", "YEARLY"})


def parts_of(line: Property) -> dict[str, str]:
    """The parts of a rule, names in upper case."""
    pairs = (part.partition("=") for part in line.value.split(";") if part)
    return {name.strip().upper(): value for name, _, value in pairs}


def with_parts(line: Property, **changes: str | None) -> Property:
    """The rule with parts put in place, added at its end, or (``None``) taken away."""
    parts = parts_of(line)
    for name, value in changes.items():
        if value is None:
            parts.pop(name, None)
        else:
            parts[name] = value
    return said_again(line, ";".join(f"{name}={value}" for name, value in parts.items()), drop=frozenset())


def ended_before(line: Property, time: SeriesTime, wall: int) -> Property:
    """The rule without anything from a wall time on: UNTIL in the form that RFC 5545 §3.3.10 wants of its DTSTART."""
    if time.form is Form.DATE:
        until = render_when(wall_of(wall - DAY), Form.DATE)
    elif time.clock is None:
        until = render_when(wall_of(wall - 1), Form.LOCAL)
    else:
        until = render_when(wall_of(time.instant(wall) - 1), Form.UTC)
    return with_parts(line, COUNT=None, UNTIL=until)


def moved_rule(line: Property, old: SeriesTime, new: SeriesTime, delta: int) -> Property:
    """The rule of a series that moved by ``delta`` seconds of wall time: the days it names move along.

    Weekdays of a weekly rule all move by the same number of days; of a monthly or yearly rule, a month, day of the
    month or n-th weekday that is the old DTSTART's becomes the new one's. Other parts stay, since they say no day.
    """
    parts = parts_of(line)
    changes: dict[str, str | None] = {}
    if "UNTIL" in parts and (until := _moved_until(parts["UNTIL"], old, new, delta)) is not None:
        changes["UNTIL"] = until
    days = new.wall // DAY - old.wall // DAY
    if days:
        changes.update(_moved_days(parts, wall_of(old.wall), wall_of(new.wall), days))
    changes = {name: value for name, value in changes.items() if value != parts.get(name)}
    return with_parts(line, **changes) if changes else line


def _moved_until(text: str, old: SeriesTime, new: SeriesTime, delta: int) -> str | None:
    try:
        at, form = parse_when(text)
    except ValueError:
        return None
    wall = wall_seconds(at)
    if form is Form.UTC and old.clock is not None:
        wall = old.clock.to_wall(wall)
    elif form is Form.DATE and old.form is not Form.DATE:
        wall += DAY - 1  # the whole of that day
    wall += delta
    if new.form is Form.DATE:
        return render_when(wall_of(wall), Form.DATE)
    if new.clock is None:
        return render_when(wall_of(wall), Form.LOCAL)
    return render_when(wall_of(new.instant(wall)), Form.UTC)


def _moved_days(parts: dict[str, str], old: datetime, new: datetime, days: int) -> dict[str, str | None]:
    frequency = parts.get("FREQ", "").upper()
    by_day = parts.get("BYDAY", "").upper().split(",") if parts.get("BYDAY") else []
    changes: dict[str, str | None] = {}
    if frequency == "WEEKLY" and by_day:
        changes["BYDAY"] = ",".join(_later(day, days) for day in by_day)
    if frequency in _MONTHLY:
        if parts.get("BYMONTHDAY") == str(old.day):
            changes["BYMONTHDAY"] = str(new.day)
        if parts.get("BYMONTH") == str(old.month):
            changes["BYMONTH"] = str(new.month)
        if len(by_day) == 1 and by_day[0] in _nth_weekdays(old):
            place = _nth_weekdays(old).index(by_day[0])
            changes["BYDAY"] = _nth_weekdays(new)[place]
    return changes


def _later(day: str, days: int) -> str:
    code = day[-2:]
    if code not in _WEEKDAYS:
        return day
    return day[:-2] + _WEEKDAYS[(_WEEKDAYS.index(code) + days) % 7]


def _nth_weekdays(at: datetime) -> tuple[str, str]:
    """A date as n-th weekday of its month, from the front and from the back."""
    weekday = _WEEKDAYS[at.weekday()]
    length = monthrange(at.year, at.month)[1]
    return f"{(at.day - 1) // 7 + 1}{weekday}", f"-{(length - at.day) // 7 + 1}{weekday}"
