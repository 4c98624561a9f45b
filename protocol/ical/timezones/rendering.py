"""A VTIMEZONE for a zone, correct for a period and no longer than that needs (RFC 5545 §3.6.5).

Transitions that come every year on the same kind of day become one observance with a rule, the others one observance
with RDATEs. Rules of this module: it only reads the zone's transitions, so a CustomZone is rendered like an IANA zone.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from protocol.ical.components import Component, Property
from protocol.ical.names import WEEKDAYS
from protocol.ical.timezones.zone import Zone, clock_of
from protocol.ical.values import Form, render_when, wall_of
from protocol.model import DAY

_YEAR = 366 * DAY
_DEFAULT_START = 0
"""1970-01-01: an open start begins here."""
_HORIZON = 2_145_916_800
"""2038-01-01: with an open end, transitions without a rule are listed up to here."""
_MAX_LENGTH = 120 * _YEAR


@dataclass(frozen=True, slots=True)
class _Onset:
    instant: int
    before: int
    after: int
    daylight: bool
    name: str

    @property
    def wall(self) -> datetime:
        return wall_of(self.instant + self.before)


def render_vtimezone(zone: Zone, start: int | None, end: int | None, tzid: str | None = None) -> Component:
    """The VTIMEZONE of ``zone``, correct for instants in ``[start, end)``; ``None`` leaves an end open.

    ``tzid`` is its name; the default is the zone's own key, or its offset.
    """
    low = _DEFAULT_START if start is None else start
    high = None if end is None or end - low > _MAX_LENGTH else max(end, low + 1)
    return _rendered(zone, low, high, tzid or str(getattr(zone, "key", None) or zone))


@lru_cache(maxsize=1024)
def _rendered(zone: Zone, low: int, high: int | None, tzid: str) -> Component:
    horizon = max(_HORIZON, low + 12 * _YEAR) if high is None else high
    clock = clock_of(zone)
    # Two more years show whether a yearly pattern continues.
    found = clock.transitions(low - 2 * _YEAR, horizon + 2 * _YEAR)
    earlier = [item for item in found if item[0] <= low]
    onsets = [_onset(zone, *item) for item in (*earlier[-1:], *(each for each in found if each[0] > low))]
    parts: list[Component] = []
    if not earlier:
        offset = clock.offset(low)
        midnight = min(low, 0) // DAY * DAY - (DAY if low < DAY else 0)
        parts.append(_observance([_Onset(midnight - offset, offset, offset, False, _name(zone, low))], None))
    for group in _groups(onsets):
        parts.extend(_observances(group, horizon, ends=high is not None))
    parts.sort(key=lambda part: part.value("DTSTART") or "")
    return Component("VTIMEZONE", [Property.make("TZID", tzid)], parts)


def _onset(zone: Zone, instant: int, before: int, after: int) -> _Onset:
    local = datetime.fromtimestamp(instant, zone)
    return _Onset(instant, before, after, bool(local.dst()), local.tzname() or "")


def _name(zone: Zone, instant: int) -> str:
    return datetime.fromtimestamp(instant, zone).tzname() or ""


def _groups(onsets: list[_Onset]) -> list[list[_Onset]]:
    """Onsets of the same kind together, in order of time."""
    groups: dict[tuple[object, ...], list[_Onset]] = {}
    for onset in onsets:
        wall = onset.wall
        kind = (onset.before, onset.after, onset.daylight, onset.name, wall.month, wall.weekday(), wall.time())
        groups.setdefault(kind, []).append(onset)
    return list(groups.values())


def _observances(group: list[_Onset], horizon: int, *, ends: bool) -> list[Component]:
    runs: list[list[_Onset]] = []
    for onset in group:
        if runs and onset.wall.year == runs[-1][-1].wall.year + 1 and _days_of([*runs[-1], onset]) is not None:
            runs[-1].append(onset)
        else:
            runs.append([onset])
    parts: list[Component] = []
    singles: list[_Onset] = []
    for run in runs:
        inside = [onset for onset in run if onset.instant < horizon]
        days = _days_of(run)
        if len(run) < 3 or days is None:
            singles.extend(inside)
        elif inside:
            last = None if run[-1].instant >= horizon else run[-1]
            if ends and len(inside) == 1:
                singles.extend(inside)
            else:
                parts.append(_observance(inside[:1], (days, last)))
    if singles:
        parts.append(_observance(singles, None))
    return parts


def _days_of(run: list[_Onset]) -> str | None:
    """The rule parts for the day of the month of a run's onsets; ``None`` when there is no pattern."""
    walls = [onset.wall for onset in run]
    weekday = WEEKDAYS[walls[0].weekday()]
    days = [wall.day for wall in walls]
    if all(wall.day + 7 > monthrange(wall.year, wall.month)[1] for wall in walls):
        return f"BYDAY=-1{weekday}"
    nth = {(day - 1) // 7 + 1 for day in days}
    if len(nth) == 1:
        return f"BYDAY={nth.pop()}{weekday}"
    if max(days) - min(days) < 7 and len(run) >= 6:
        return f"BYMONTHDAY={','.join(map(str, range(min(days), min(days) + 7)))};BYDAY={weekday}"
    return None if max(days) - min(days) >= 7 else f"BYMONTHDAY={','.join(map(str, sorted(set(days))))};BYDAY={weekday}"


def _observance(onsets: list[_Onset], rule: tuple[str, _Onset | None] | None) -> Component:
    first, *others = onsets
    lines = [
        Property.make("DTSTART", render_when(first.wall, Form.LOCAL)),
        Property.make("TZOFFSETFROM", _offset(first.before)),
        Property.make("TZOFFSETTO", _offset(first.after)),
    ]
    if first.name:
        lines.append(Property.make("TZNAME", first.name))
    if rule is not None:
        days, last = rule
        until = "" if last is None else f";UNTIL={render_when(wall_of(last.instant), Form.UTC)}"
        lines.append(Property.make("RRULE", f"FREQ=YEARLY;BYMONTH={first.wall.month};{days}{until}"))
    lines.extend(Property.make("RDATE", render_when(other.wall, Form.LOCAL)) for other in others)
    return Component("DAYLIGHT" if first.daylight else "STANDARD", lines)


def _offset(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    minutes, rest = divmod(abs(seconds), 60)
    text = f"{sign}{minutes // 60:02}{minutes % 60:02}"
    return f"{text}{rest:02}" if rest else text
