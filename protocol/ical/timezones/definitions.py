"""A time zone by its definition: the rules of a VTIMEZONE (RFC 5545 §3.6.5).

A definition shows which known zone it is, under another name, when the transitions in the reference years are the same.
Otherwise it is the zone itself (``CustomZone``). Rules of this module: an unreadable definition is ``None``, never an
error; the rules of observances run on ``rules.series`` with a budget.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from protocol.errors import Refusal
from protocol.ical.components import Component, Property
from protocol.ical.rules.budget import Budget
from protocol.ical.rules.rule import Rule, parse_rule
from protocol.ical.rules.series import END, Series
from protocol.ical.timezones.identity import canonical_keys
from protocol.ical.timezones.zone import CYCLE, FAR, clock_of
from protocol.ical.values import Form, parse_when, wall_of, wall_seconds
from protocol.model import DAY, HOUR, MINUTE

_OFFSET = re.compile(r"([+-]?)(\d{2}):?(\d{2})(\d{2})?\Z", re.ASCII)
_NEAR = 4_102_444_800
"""2100-01-01: transitions are computed up to here at once, and later ones only when needed."""
_REFERENCE = (1_735_689_600, 1_798_761_600)
"""2025 and 2026: two definitions with the same transitions in these years are the same zone."""
_MAX_OBSERVANCES = 400
_OF_LINE = 20
"""The cost of a rule, however short it is."""
_LISTS = frozenset({"RRULE", "RDATE"})


@dataclass(frozen=True, slots=True)
class Observance:
    """One STANDARD or DAYLIGHT: from each onset on (in wall time before it) the offset is ``after``."""

    is_daylight: bool
    name: str
    before: int
    after: int
    onsets: tuple[int, ...]
    """DTSTART and RDATE as wall seconds."""
    series: tuple[Series, ...]


class _Table(NamedTuple):
    """The onsets up to an instant and the observance in force from each; replaced whole: threads share zones."""

    until: int
    instants: list[int]
    states: list[Observance]


class CustomZone(tzinfo):
    """The zone of a VTIMEZONE; compared by identity, made by ``zone_of_definition``."""

    def __init__(self, tzid: str, observances: tuple[Observance, ...], budget: Budget) -> None:
        self.key = tzid
        self._observances = observances
        self._first = min(observances, key=lambda each: min(each.onsets))
        self._table = self._table_until(_NEAR, budget)

    def _table_until(self, until: int, budget: Budget) -> _Table:
        found: dict[int, Observance] = {}
        for observance in self._observances:
            for wall in _onsets(observance, until, budget):
                found[wall - observance.before] = observance
        ordered = sorted(found.items())
        return _Table(until, [instant for instant, _ in ordered], [state for _, state in ordered])

    def observance_at(self, instant: int) -> Observance | None:
        """The observance in force at an instant; ``None`` before the first onset."""
        if instant >= FAR:
            instant -= ((instant - FAR) // CYCLE + 1) * CYCLE
        table = self._table
        if instant >= table.until:
            try:
                table = self._table_until(FAR, Budget())
            except Refusal:
                table = table._replace(until=FAR)
            self._table = table
        place = bisect_right(table.instants, instant)
        return table.states[place - 1] if place else None

    def offset_at(self, instant: int) -> int:
        """Seconds east of UTC; before the first onset, the offset that it changes from."""
        state = self.observance_at(instant)
        return self._first.before if state is None else state.after

    def _instant(self, wall: datetime) -> int:
        seconds = wall_seconds(wall.replace(tzinfo=None))
        clock = clock_of(self)
        instant = clock.to_epoch(seconds)
        if wall.fold:
            later = seconds - clock.offset(instant + 4 * HOUR)
            if later > instant and clock.to_wall(later) == seconds:
                return later
        return instant

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """The offset at naive wall time ``dt``."""
        return None if dt is None else timedelta(seconds=self.offset_at(self._instant(dt)))

    def dst(self, dt: datetime | None) -> timedelta | None:
        """How far summer time is ahead, by the observance in force."""
        state = None if dt is None else self.observance_at(self._instant(dt))
        return timedelta(seconds=state.after - state.before if state and state.is_daylight else 0)

    def tzname(self, dt: datetime | None) -> str | None:
        """TZNAME of the observance in force, else the TZID."""
        state = None if dt is None else self.observance_at(self._instant(dt))
        return state.name if state and state.name else self.key

    def fromutc(self, dt: datetime) -> datetime:
        """Wall time of a UTC time, with ``fold`` set in the second pass of an overlap."""
        instant = wall_seconds(dt.replace(tzinfo=None))
        wall = wall_of(clock_of(self).to_wall(instant)).replace(microsecond=dt.microsecond, tzinfo=self)
        return wall.replace(fold=int(self._instant(wall) != instant))


def _onsets(observance: Observance, until: int, budget: Budget) -> Iterator[int]:
    yield from (wall for wall in observance.onsets if wall < until)
    for series in observance.series:
        yield from series.starts(-END, until, budget)


@lru_cache(maxsize=512)
def _zone_of_text(tzid: str, lines: tuple[tuple[str, ...], ...]) -> tuple[CustomZone | None, str | None]:
    budget = Budget()  # for reading it, too: a definition may hold thousands of rules and dates
    try:
        observances = tuple(filter(None, (_observance(each, budget) for each in lines[:_MAX_OBSERVANCES])))
        if not observances:
            return None, None
        zone = CustomZone(tzid, observances, budget)
    except Refusal:
        return None, None
    return zone, _known_key(zone)


def zone_of_definition(vtimezone: Component) -> tuple[CustomZone | None, str | None]:
    """The zone of a VTIMEZONE, and the IANA key of a known zone with the same rules; ``None`` when unreadable."""
    lines = tuple(
        (part.name, *(line.raw for line in part.properties))
        for part in vtimezone.components
        if part.name in ("STANDARD", "DAYLIGHT")
    )
    return _zone_of_text(vtimezone.value("TZID") or "", lines)


def _known_key(zone: CustomZone) -> str | None:
    low, high = _REFERENCE
    clock = clock_of(zone)
    wanted = clock.transitions(low, high)
    if not wanted:
        return None  # a fixed offset needs no known zone
    middle = (low + high) // 4 * 2
    for key in canonical_keys():
        known = clock_of(ZoneInfo(key))
        similar = known.offset(low) == clock.offset(low) and known.offset(middle) == clock.offset(middle)
        if similar and known.transitions(low, high) == wanted:
            return key
    return None


def _observance(lines: tuple[str, ...], budget: Budget) -> Observance | None:
    name, *raw = lines
    budget.spend(sum(map(_parse_cost, raw)))
    properties = [
        Property(line.split(";")[0].split(":")[0].upper(), line.partition(":")[2], None, line) for line in raw
    ]
    values = {each.name: each.value for each in reversed(properties)}
    before, after = parse_offset(values.get("TZOFFSETFROM", "")), parse_offset(values.get("TZOFFSETTO", ""))
    before = after if before is None else before
    try:
        start, form = parse_when(values.get("DTSTART", ""))
    except ValueError:
        return None
    if before is None or after is None:
        return None
    wall = wall_seconds(start) + (before if form is Form.UTC else 0)
    rules = [parse_rule(each.value) for each in properties if each.name == "RRULE"]
    try:
        series = tuple(Series(rule, wall, until=_until(rule, before)) for rule in rules)
    except Refusal:
        return None
    dates = [text for each in properties if each.name == "RDATE" for text in each.value.split(",")]
    onsets = tuple(seconds for seconds in (_seconds(text, before) for text in dates) if seconds is not None)
    return Observance(name == "DAYLIGHT", values.get("TZNAME", ""), before, after, (wall, *onsets), series)


def _parse_cost(line: str) -> int:
    """The cost of reading a line, in units of the budget; every value in a list of dates or in a rule counts."""
    return _OF_LINE + len(line) // 3 if line[:5].upper() in _LISTS else 1 + (len(line) >> 6)


def _seconds(text: str, before: int) -> int | None:
    try:
        wall, form = parse_when(text.partition("/")[0])
    except ValueError:
        return None
    return wall_seconds(wall) + (before if form is Form.UTC else 0)


def _until(rule: Rule, before: int) -> int | None:
    if rule.until is None:
        return None
    if rule.until.form is Form.UTC:
        return rule.until.wall + before
    return rule.until.wall + (DAY - 1 if rule.until.form is Form.DATE else 0)


def parse_offset(text: str) -> int | None:
    """A UTC-OFFSET in seconds (RFC 5545 §3.3.14); ``None`` for an invalid one, such as +5730."""
    found = _OFFSET.match(text.strip())
    if found is None:
        return None
    hours, minutes, seconds = int(found[2]), int(found[3]), int(found[4] or 0)
    if hours >= 24 or minutes >= 60 or seconds >= 60:
        return None
    total = hours * HOUR + minutes * MINUTE + seconds
    return -total if found[1] == "-" else total
