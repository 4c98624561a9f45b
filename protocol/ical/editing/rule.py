"""The text of a recurrence rule with some parts changed (RFC 5545 §3.3.10).

Rules of this module: unchanged parts keep their text and their order.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime

from protocol.ical.components import Property
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import with_value
from protocol.ical.names import TIMES_OF_DAY, WEEKDAYS
from protocol.ical.recurrence import Budget, Series
from protocol.ical.values import Form, parse_when, render_when, wall_of, wall_seconds
from protocol.model import DAY, HOUR, MINUTE

_GREGORIAN = ("GREGORIAN", "GREGORY")
_LAST = wall_seconds(parse_when("99991231T235959")[0])
_DAY_PARTS = frozenset({"BYMONTH", "BYMONTHDAY", "BYDAY"})
_OTHER_DAY_PARTS = frozenset({"BYYEARDAY", "BYWEEKNO", "BYSETPOS"})
_MONTHLY = frozenset({"MONTHLY", "YEARLY"})


def parts_of(line: Property) -> dict[str, str]:
    """The parts of a rule, names in upper case."""
    pairs = (part.partition("=") for part in line.value.split(";") if part)
    return {name.strip().upper(): value for name, _, value in pairs}


def with_parts(line: Property, **changes: str | None) -> Property:
    """The rule with parts replaced, added at its end, or (``None``) removed."""
    parts = parts_of(line)
    for name, value in changes.items():
        if value is None:
            parts.pop(name, None)
        else:
            parts[name] = value
    return with_value(line, ";".join(f"{name}={value}" for name, value in parts.items()), drop=frozenset())


def ended_before(line: Property, time: SeriesTime, instant: int) -> Property:
    """The rule ended before an instant; UNTIL has the form that RFC 5545 §3.3.10 requires for its DTSTART."""
    if time.form is Form.DATE:
        until = render_when(wall_of(instant - DAY), Form.DATE)
    else:
        until = render_when(wall_of(instant - 1), Form.LOCAL if time.clock is None else Form.UTC)
    return with_parts(line, COUNT=None, UNTIL=until)


def moved_until(text: str, old: SeriesTime, new: SeriesTime, delta: int, after: Series) -> str | None:
    """The UNTIL of a series that moved by ``delta`` seconds of wall time; ``None`` when it is unreadable.

    ``after`` is the moved rule without its end.
    """
    try:
        at, form = parse_when(text)
    except ValueError:
        return None
    wall = wall_seconds(at)
    if form is Form.DATE and old.form is not Form.DATE:
        wall += DAY - 1  # the whole of that day
    until = wall
    if form is Form.UTC and old.clock is not None:
        wall = old.clock.to_wall(until)
    else:
        until = old.instant(wall)
    wall = min(wall + delta, _LAST)
    if new.form is Form.DATE:
        return render_when(wall_of(wall), Form.DATE)
    if new.clock is None:
        return render_when(wall_of(wall), Form.LOCAL)
    disorder = max(old.disorder(wall - delta), new.disorder(wall))
    near = list(after.starts(wall - disorder, wall + disorder + 1, Budget()))
    kept = [new.instant(start) for start in near if old.instant(start - delta) <= until]
    dropped = [new.instant(start) for start in near if old.instant(start - delta) > until]
    instant = new.instant(wall)
    if any(start > instant for start in kept) or any(start <= instant for start in dropped):
        # Near a DST transition the order of wall times differs from that of instants.
        instant = max(kept) if kept else min(dropped) - 1
    return render_when(wall_of(min(instant, _LAST)), Form.UTC)


def ways_to_move(parts: dict[str, str], old: SeriesTime, new: SeriesTime) -> Iterator[dict[str, str | None]]:
    """The changes that may adapt a rule's days and times to its moved DTSTART, the smallest first."""
    tried: list[dict[str, str | None]] = []
    for changes in _candidate_changes(parts, old, new):
        if changes not in tried:
            tried.append(changes)
            yield changes


def _candidate_changes(parts: dict[str, str], old: SeriesTime, new: SeriesTime) -> Iterator[dict[str, str | None]]:
    times = moved_times(parts, old, new)
    yield {}
    yield times
    days = new.wall // DAY - old.wall // DAY
    if not days:
        return
    by_day: dict[str, str | None] = {}
    if "BYDAY" in parts:
        by_day["BYDAY"] = ",".join(_shifted_weekday(day, days) for day in parts["BYDAY"].upper().split(","))
        yield times | by_day
        # The weekdays of a fortnight stay together only when WKST moves as far (RFC 5545 §3.3.10).
        yield times | by_day | {"WKST": _shifted_weekday(parts.get("WKST", "MO").strip().upper(), days)}
    for name, most in (("BYMONTHDAY", 31), ("BYYEARDAY", 366)):
        if name in parts and (numbers := _shifted_numbers(parts[name], days, most)):
            yield times | by_day | {name: numbers}
    before, after = wall_of(old.wall), wall_of(new.wall)
    like_start = times | _parts_like_start(parts, before, after)
    yield like_start
    if "BYMONTH" in parts:
        yield like_start | {"BYMONTH": _shifted_months(parts["BYMONTH"], after.month - before.month)}


def moved_times(parts: dict[str, str], old: SeriesTime, new: SeriesTime) -> dict[str, str | None]:
    """BYHOUR, BYMINUTE and BYSECOND, moved as far as the hour, minute and second of DTSTART."""
    if new.form is Form.DATE:
        return {name: None for name in TIMES_OF_DAY if name in parts}
    if old.form is Form.DATE:
        return {}
    changes: dict[str, str | None] = {}
    for name, unit, size in (("BYHOUR", HOUR, 24), ("BYMINUTE", MINUTE, 60), ("BYSECOND", 1, 60)):
        later = new.wall // unit - old.wall // unit
        numbers = parts.get(name, "").split(",")
        if later % size and all(number.strip().isdecimal() for number in numbers):
            changes[name] = ",".join(map(str, sorted({(int(number) + later) % size for number in numbers})))
    return changes


def parts_for_start(parts: dict[str, str], old: datetime, new: datetime) -> dict[str, str | None] | None:
    """The month, day of the month or n-th weekday of the new DTSTART in place of the old one's.

    ``None``: the rule does not have exactly one occurrence a month, on the day of DTSTART.
    """
    changes = _parts_like_start(parts, old, new)
    frequency, scale = parts.get("FREQ", "").upper(), parts.get("RSCALE", "GREGORIAN").upper()
    if frequency not in _MONTHLY or scale not in _GREGORIAN or parts.get("SKIP", "OMIT").upper() != "OMIT":
        return None
    if _OTHER_DAY_PARTS & parts.keys() or any("," in parts.get(name, "") for name in TIMES_OF_DAY):
        return None
    if {"BYDAY", "BYMONTHDAY"} <= parts.keys() or not (_DAY_PARTS & parts.keys()) <= changes.keys():
        return None
    return changes


def _parts_like_start(parts: dict[str, str], old: datetime, new: datetime) -> dict[str, str | None]:
    """The parts that named the month, day of the month or n-th weekday of the old DTSTART, for the new one."""
    by_day = parts.get("BYDAY", "").upper()
    changes: dict[str, str | None] = {}
    if parts.get("BYMONTHDAY") == str(old.day):
        changes["BYMONTHDAY"] = str(new.day)
    if parts.get("BYMONTH") == str(old.month):
        changes["BYMONTH"] = str(new.month)
    if by_day in _nth_weekdays(old):
        place = _nth_weekdays(old).index(by_day)
        names = _nth_weekdays(new)
        # Few months have a fifth one, so count from the other end.
        changes["BYDAY"] = names[1 - place] if "5" in names[place] else names[place]
    return changes


def _shifted_numbers(text: str, days: int, most: int) -> str:
    """Days of a month or year, ``days`` later, counted from the same end; empty when one does not exist."""
    later = []
    for item in text.split(","):
        if not item.strip().lstrip("+-").isdecimal():
            later.append(item)
            continue
        number = int(item)
        moved = number + days
        if (number < 0) is not (moved < 0) or not moved:
            moved += 1 if number < 0 else -1  # past the end: there is no day 0
        if not 0 < abs(moved) <= most:
            return ""
        later.append(str(moved))
    return ",".join(later)


def _shifted_months(text: str, months: int) -> str:
    """Months, ``months`` later; what is not a month stays."""
    items = [item.strip() for item in text.split(",")]
    return ",".join(str((int(item) - 1 + months) % 12 + 1) if item.isdecimal() else item for item in items)


def _shifted_weekday(day: str, days: int) -> str:
    code = day[-2:]
    if code not in WEEKDAYS:
        return day
    return day[:-2] + WEEKDAYS[(WEEKDAYS.index(code) + days) % 7]


def _nth_weekdays(at: datetime) -> tuple[str, str]:
    """A date as n-th weekday of its month, counted from the front and from the back."""
    weekday = WEEKDAYS[at.weekday()]
    length = monthrange(at.year, at.month)[1]
    return f"{(at.day - 1) // 7 + 1}{weekday}", f"-{(length - at.day) // 7 + 1}{weekday}"
