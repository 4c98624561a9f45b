"""What an object states about its occurrences: rules, extra dates, exceptions, overrides (RFC 5545 §3.8.5).

Rules of this module: lines to values, no window. The *key* of an occurrence is the instant of its original start (wall
seconds for floating and all-day series), because two texts of one instant mean the same occurrence (RFC 5545 §3.8.4.4).
Values of another type than DTSTART are coerced: a DATE in a timed series means the whole local day (EXDATE), or the
time of DTSTART on that day (RDATE, RECURRENCE-ID); a DATE-TIME in an all-day series means its date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from protocol.errors import Condition, Refusal
from protocol.ical.compat.duplicates import rank
from protocol.ical.components import Component, Property
from protocol.ical.names import RECURRENCE_NAMES, RULE_NAMES
from protocol.ical.rules.budget import Budget
from protocol.ical.rules.rule import Rule, parse_rule
from protocol.ical.rules.series import END, Series
from protocol.ical.timing import Moment, Timing, Zones, moment_of, moments_of, timing_of
from protocol.ical.values import Duration, Form, parse_period
from protocol.model import DAY

_ORDINARY = 10_000
"""Reading is free up to this cost, in units of the budget: 5,000 dates, more than any real calendar has."""
_MOST = 20_000
"""No object may cost more than this to read: half of an index budget, so that enough remains for its windows."""
_OF_RULE, _OF_LINE, _OF_DATE, _OF_PERIOD, _OF_OVERRIDE = 40, 1, 2, 3, 5


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A series, and the last instant it may have when UNTIL is an instant and its zone has transitions."""

    series: Series
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """An RDATE: its original start, and the end of a PERIOD."""

    wall: int
    key: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A component with RECURRENCE-ID: the occurrence it changes, and when that occurrence is now."""

    component: Component
    timing: Timing
    wall: int
    key: int
    has_range: bool = False
    """RANGE=THISANDFUTURE."""

    @property
    def shift(self) -> int:
        """How far it moved its occurrence, in wall time; a new zone alone does not change wall time."""
        return self.timing.start.wall - self.wall

    @property
    def starts_at(self) -> int:
        """The instant at which it begins now."""
        return self.timing.start.instant


@dataclass(slots=True)
class RecurrenceSet:
    """The recurrence set of one master and its overrides."""

    zones: Zones
    master: Component | None
    timing: Timing | None
    rules: tuple[BoundRule, ...] = ()
    exclusion_rules: tuple[BoundRule, ...] = ()
    extras: tuple[Extra, ...] = ()
    """In order of their keys."""
    excluded: frozenset[int] = frozenset()
    excluded_days: frozenset[int] = frozenset()
    """Local days (wall seconds // 86,400) that are excluded as a whole."""
    overrides: Mapping[int, Override] = field(default_factory=dict)
    range_overrides: tuple[Override, ...] = ()
    """The overrides that also change later occurrences, in order."""
    overrides_by_start: tuple[Override, ...] = ()
    """All overrides, in order of their present starts."""
    skipped: frozenset[int] = frozenset()
    """The keys that rules and RDATEs must not produce: excluded or overridden."""
    longest_extra: int = 0
    """The length of the longest PERIOD among the RDATEs."""
    longest_override: int = 0
    shifts: tuple[int, int] = (0, 0)
    """How far range overrides moved later occurrences, in seconds: the least (0 or less) and the most."""
    longest_range_override: int = 0

    @property
    def recurring(self) -> bool:
        """Whether the object can have more than one occurrence."""
        return bool(self.rules or self.extras or self.overrides)


def recurrence_set_of(
    master: Component | None,
    overrides: Iterable[Component],
    timezones: Mapping[str, Component],
    count_until: int | None = None,
    budget: Budget | None = None,
) -> RecurrenceSet:
    """Read a master and its overrides.

    Refuses with CALDAV:supported-rscale (RFC 7529 §5.4), and with CALDAV:max-instances when reading the rules and dates
    alone costs more than ``budget``.
    """
    overrides = tuple(overrides)
    cost = _parse_cost(master, overrides)
    if cost > _ORDINARY:
        if cost > _MOST:
            raise Refusal(Condition.MAX_INSTANCES, "The object has more rules, dates and exceptions than can be read.")
        (budget or Budget()).spend(cost - _ORDINARY)
    zones = Zones(timezones)
    timing = timing_of(master, zones) if master is not None else None
    recurrence = RecurrenceSet(zones, master, timing)
    if master is not None and timing is not None:
        _read_recurrence(recurrence, master, timing, count_until)
    recurrence.skipped = recurrence.excluded
    if overrides:
        _read_overrides(recurrence, overrides)
    return recurrence


def _parse_cost(master: Component | None, overrides: tuple[Component, ...]) -> int:
    """What reading costs, estimated before anything is read."""
    cost = _OF_OVERRIDE * len(overrides)
    for line in master.properties if master is not None else ():
        name = line.name
        if name in RECURRENCE_NAMES:
            text = line.value
            if name in RULE_NAMES:
                cost += _OF_RULE + len(text) // 3
            else:
                cost += _OF_LINE + _OF_DATE * (1 + text.count(",")) + _OF_PERIOD * text.count("/") + (len(text) >> 6)
    return cost


def _read_recurrence(recurrence: RecurrenceSet, master: Component, timing: Timing, count_until: int | None) -> None:
    lines = [line for line in master.properties if line.name in RECURRENCE_NAMES]
    if not lines:
        return
    rules = [line for line in lines if line.name == "RRULE"]
    resolved = count_until if len(rules) == 1 else None
    # With several rules (RFC 5545 §3.8.5.3: undefined) a COUNT counts the starts of its rule; ``expand`` adds DTSTART.
    alone = len(rules) == 1
    recurrence.rules = tuple(
        _bound(parse_rule(line.value), timing, count_until=resolved, include_start=alone) for line in rules
    )
    recurrence.exclusion_rules = tuple(
        _bound(parse_rule(line.value), timing, include_start=False) for line in lines if line.name == "EXRULE"
    )
    extras = {
        extra.key: extra for line in lines if line.name == "RDATE" for extra in _extras(line, timing, recurrence.zones)
    }
    recurrence.extras = tuple(extras[key] for key in sorted(extras))
    recurrence.longest_extra = max(
        (extra.end - extra.key for extra in recurrence.extras if extra.end is not None), default=0
    )
    excluded: set[int] = set()
    days: set[int] = set()
    for line in lines:
        if line.name == "EXDATE":
            for moment in moments_of(line, recurrence.zones):
                if moment.form is Form.DATE and not timing.all_day:
                    days.add(moment.wall // DAY)
                else:
                    excluded.add(_key(moment, timing)[1])
    recurrence.excluded = frozenset(excluded)
    recurrence.excluded_days = frozenset(days)


def _bound(rule: Rule, timing: Timing, *, count_until: int | None = None, include_start: bool = True) -> BoundRule:
    start = timing.start
    until = instant = None
    if rule.until is not None:
        until = rule.until.wall
        if timing.all_day:
            until -= until % DAY
        elif rule.until.form is Form.DATE:
            until += DAY - 1
        elif rule.until.form is Form.UTC and start.clock is not None:
            # Near a transition the order of wall times differs from that of instants: allow a little more here,
            # ``expand`` decides by the instant.
            instant = until
            until = min(start.clock.to_wall(until) + DAY, END)
    series = Series(
        rule,
        start.wall,
        all_day=timing.all_day,
        until=until,
        count_until=count_until,
        include_start=include_start,
    )
    return BoundRule(series, instant)


def _key(moment: Moment, timing: Timing) -> tuple[int, int]:
    """A value read as an original start of ``timing``'s series: ``(wall, key)``."""
    start = timing.start
    wall = moment.wall
    if timing.all_day:
        wall -= wall % DAY
        return wall, wall
    if moment.form is Form.DATE:
        wall += start.wall % DAY
    if start.clock is None:
        return wall, wall
    if moment.clock is None or moment.clock is start.clock:
        return wall, start.clock.to_epoch(wall)
    instant = moment.instant
    return start.clock.to_wall(instant), instant


def _extras(line: Property, timing: Timing, zones: Zones) -> Iterable[Extra]:
    for text in line.value.split(","):
        if "/" not in text:
            moment = moment_of(text, line, zones)
            if moment is not None:
                yield Extra(*_key(moment, timing))
            continue
        try:
            _, form, end = parse_period(text)
        except ValueError:
            continue
        moment = moment_of(text.partition("/")[0], line, zones)
        if moment is None or timing.all_day:
            continue
        if form is Form.DATE:
            # Clients send it, though RFC 5545 §3.3.9 has no such PERIOD: whole days of the series' zone.
            moment = Moment(moment.wall, Form.LOCAL, None)
        wall, key = _key(moment, timing)
        yield Extra(wall, key, _period_end(moment, key, end, text, line, zones))


def _period_end(moment: Moment, key: int, end: object, text: str, line: Property, zones: Zones) -> int | None:
    if isinstance(end, Duration):
        length = Timing(moment, end.days, end.seconds, exact=False)
        return max(key + length.end(moment.wall, moment.instant) - moment.instant, key)
    last = moment_of(text.partition("/")[2], line, zones)
    return None if last is None else max(key + last.instant - moment.instant, key)


def _read_overrides(recurrence: RecurrenceSet, components: Iterable[Component]) -> None:
    found: dict[int, Override] = {}
    extra_keys = {extra.key for extra in recurrence.extras}
    for component in components:
        override = _override(component, recurrence)
        if override is None:
            continue
        if (
            recurrence.timing is not None
            and _is_before(override, recurrence.timing.start)
            and override.key not in extra_keys
        ):
            # Left over from a split: before the series begins, there is no occurrence to override.
            continue
        rival = found.get(override.key)
        if rival is None or rank(component) >= rank(rival.component):
            found[override.key] = override
    recurrence.overrides = found
    recurrence.skipped = recurrence.excluded | found.keys()
    recurrence.overrides_by_start = tuple(sorted(found.values(), key=attrgetter("starts_at")))
    recurrence.longest_override = max((_length(override) for override in recurrence.overrides_by_start), default=0)
    recurrence.range_overrides = tuple(found[key] for key in sorted(found) if found[key].has_range)
    if recurrence.range_overrides:
        shifts = [override.shift for override in recurrence.range_overrides]
        recurrence.shifts = min(0, *shifts), max(0, *shifts)
        recurrence.longest_range_override = max(override.timing.longest for override in recurrence.range_overrides)


def _is_before(override: Override, start: Moment) -> bool:
    """Whether an override is before DTSTART: in a DST gap a later wall time may be an earlier instant."""
    return override.key < start.instant and override.wall < start.wall


def _length(override: Override) -> int:
    start = override.timing.start
    return override.timing.end(start.wall, start.instant) - start.instant


def _override(component: Component, recurrence: RecurrenceSet) -> Override | None:
    line = component.first("RECURRENCE-ID")
    moment = moment_of(line.value, line, recurrence.zones) if line is not None else None
    timing = timing_of(component, recurrence.zones)
    if line is None or moment is None:
        return None
    if recurrence.timing is None:
        wall, key = moment.wall, moment.instant
    else:
        wall, key = _key(moment, recurrence.timing)
    if timing is None:
        # A VTODO or VJOURNAL may override without a time of its own: it keeps the original time.
        if recurrence.timing is None:
            return None
        base = recurrence.timing
        timing = Timing(Moment(wall, base.start.form, base.start.clock), base.days, base.seconds, base.exact)
    has_range = (line.param("RANGE") or "").upper() == "THISANDFUTURE" and recurrence.timing is not None
    return Override(component, timing, wall, key, has_range)
