"""Occurrences in a window: the part of the recurrence set of RFC 5545 §3.8.5 that is asked for.

Rules of this module: a recurrence set and a window in, occurrences out. ``rules`` gives starts in wall time, and the
clock of the zone turns each into an instant. Starts of the same instant are one occurrence; a series in a DST gap can
have two. An override is shown where it is now, even when the rule no longer yields its occurrence or an EXDATE excludes
it: a user's edit must not vanish because the rule changed around it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from protocol.errors import Refusal
from protocol.ical.components import Component
from protocol.ical.recurrence.recurrence_set import BoundRule, Extra, Override, RecurrenceSet
from protocol.ical.rules.budget import Budget
from protocol.ical.rules.series import END
from protocol.ical.timezones.zone import Zone, ZoneClock, clock_of
from protocol.ical.timing import Timing
from protocol.ical.values import wall_of
from protocol.model import DAY, FOREVER, HOUR, TimeRange

_GAP_DISORDER = 2 * HOUR
"""In a DST gap the order of instants differs from that of wall times, by at most this much."""
_RULE_COST = 10
"""What expanding a rule costs in units of the budget, even when it yields nothing."""
_LINEAR_SEARCH = 16
"""Below this number, testing every date is faster than a search."""
_ONE_WALK = 8 * DAY
"""Dates at most this far apart are compared with EXRULEs in one pass: weekly dates are."""


class Occurrence(NamedTuple):
    """One instance of a recurrence set, in epoch seconds; floating and all-day data is wall time read as UTC."""

    start: int
    end: int
    floating: bool
    """True for floating DATE-TIME and for DATE."""
    wall: int
    """The original start in wall seconds of the master's zone."""
    whole_day: bool
    """Whether the original start is a DATE."""
    component: Component
    """The master, or the override that describes this occurrence."""
    is_override: bool

    @property
    def recurrence_id(self) -> datetime | date:
        """The original start as a value: naive wall time in the master's zone, or a DATE (RFC 5545 §3.8.4.4)."""
        wall = wall_of(self.wall)
        return wall.date() if self.whole_day else wall


class Window(NamedTuple):
    """A window as numbers: as instants, and as wall time in the zone of floating data."""

    low: int
    high: int
    wall_low: int
    wall_high: int


def window_of(window: TimeRange, zone_floating: Zone | None) -> Window:
    """The numbers of a range; floating and all-day data is compared in ``zone_floating`` (``None``: UTC)."""
    low = -FOREVER if window.start is None else window.start
    high = FOREVER if window.end is None else window.end
    if zone_floating is None:
        return Window(low, high, low, high)
    clock = clock_of(zone_floating)
    return Window(
        low,
        high,
        low if window.start is None else clock.to_wall(low),
        high if window.end is None else clock.to_wall(high),
    )


def expand(recurrence: RecurrenceSet, window: Window, budget: Budget, limit: int | None = None) -> list[Occurrence]:
    """The occurrences that overlap the window, sorted by start; at most the first ``limit``.

    An occurrence without length is in the window in which it begins. Refuses with CALDAV:max-instances when the budget
    is used up.
    """
    found: list[Occurrence] = []
    if recurrence.timing is not None and recurrence.master is not None:
        if recurrence.recurring or recurrence.excluded or recurrence.excluded_days:
            _expand_series(recurrence, recurrence.timing, recurrence.master, window, budget, limit, found)
        else:
            start = recurrence.timing.start
            _add(found, window, recurrence.timing, start.wall, start.instant, start.wall, recurrence.master)
    for override in _overrides_near(recurrence, window, budget):
        start = override.timing.start
        _add(found, window, override.timing, start.wall, start.instant, override.wall, override.component, recurrence)
    found.sort(key=attrgetter("start"))
    return found if limit is None else found[:limit]


def _overrides_near(recurrence: RecurrenceSet, window: Window, budget: Budget) -> tuple[Override, ...]:
    """The overrides that may meet the window."""
    found = recurrence.overrides_by_start
    if len(found) < _LINEAR_SEARCH:
        return found
    begins = attrgetter("starts_at")
    first = bisect_left(found, min(window.low, window.wall_low) - recurrence.longest_override, key=begins)
    found = found[first : bisect_right(found, max(window.high, window.wall_high), key=begins)]
    budget.spend(len(found))
    return found


def _add(
    found: list[Occurrence],
    window: Window,
    timing: Timing,
    wall: int,
    instant: int,
    original: int,
    component: Component,
    recurrence: RecurrenceSet | None = None,
    length: int | None = None,
) -> None:
    """Add an occurrence if the window meets it; ``recurrence`` is given for an override, ``length`` for a PERIOD."""
    end = timing.end(wall, instant) if length is None else instant + length
    floating = timing.start.clock is None
    low, high = (window.wall_low, window.wall_high) if floating else (window.low, window.high)
    if instant < high and (end > low or (end == instant and instant >= low)):
        whole_day = timing.all_day
        if recurrence is not None and recurrence.timing is not None:
            whole_day = recurrence.timing.all_day
        found.append(Occurrence(instant, end, floating, original, whole_day, component, recurrence is not None))


def _expand_series(
    recurrence: RecurrenceSet,
    timing: Timing,
    master: Component,
    window: Window,
    budget: Budget,
    limit: int | None,
    found: list[Occurrence],
) -> None:
    clock = timing.start.clock
    low, high = (window.wall_low, window.wall_high) if clock is None else (window.low, window.high)
    first, last = _wall_window(recurrence, timing, low, high)
    skipped = recurrence.skipped
    excluded_days = recurrence.excluded_days
    extras = _extras_in(recurrence, first, last, budget) if recurrence.extras else ()
    # A rule and a PERIOD may yield the same start: then the PERIOD gives the length, because it is more specific.
    with_end = {extra.key for extra in extras if extra.end is not None}
    seen = set(with_end)
    floating = clock is None
    whole_day = timing.all_day
    simple_end = not timing.days or timing.exact or clock is None
    length = timing.days * DAY + timing.seconds
    range_overrides = recurrence.range_overrides
    budget.spend(len(range_overrides))
    stop = None
    walls = _starts(recurrence, timing, first, last, budget)
    if recurrence.exclusion_rules:
        walls = _not_excluded(recurrence, walls, first, last, budget)
    for wall in walls:
        if stop is not None and wall > stop:
            break
        instant = wall if clock is None else clock.to_epoch(wall)
        if instant in skipped or instant in seen:
            continue
        seen.add(instant)
        if excluded_days and wall // DAY in excluded_days:
            continue
        if range_overrides and instant > range_overrides[0].key:
            budget.spend(1)
            _add_after_range_override(recurrence, window, wall, instant, found)
        else:
            end = instant + length if simple_end else timing.end(wall, instant)
            if instant < high and (end > low or (end == instant and instant >= low)):
                found.append(Occurrence(instant, end, floating, wall, whole_day, master, False))
        if limit is not None and stop is None and len(found) >= limit:
            stop = wall + _disorder(recurrence, clock)
    if extras:
        seen -= with_end
        _expand_extras(recurrence, timing, master, window, budget, extras, seen, found)


def _extras_in(recurrence: RecurrenceSet, first: int, last: int, budget: Budget) -> tuple[Extra, ...]:
    """The RDATEs with an original start between two wall times, or earlier ones whose PERIODs last long enough."""
    extras = recurrence.extras
    if len(extras) >= _LINEAR_SEARCH:
        begins = attrgetter("key")
        low = bisect_left(extras, first - DAY - recurrence.longest_extra, key=begins)
        extras = extras[low : bisect_right(extras, last + DAY, key=begins)]
        budget.spend(len(extras))
    return extras


def _expand_extras(
    recurrence: RecurrenceSet,
    timing: Timing,
    master: Component,
    window: Window,
    budget: Budget,
    extras: tuple[Extra, ...],
    seen: set[int],
    found: list[Occurrence],
) -> None:
    floating = timing.start.clock is None
    low, high = (window.wall_low, window.wall_high) if floating else (window.low, window.high)
    kept = _dates_not_excluded(recurrence, extras, budget) if recurrence.exclusion_rules else None
    for extra in extras:
        if extra.key in recurrence.skipped or extra.key in seen or extra.wall // DAY in recurrence.excluded_days:
            continue
        if kept is not None and extra.wall not in kept:
            continue
        if recurrence.range_overrides and extra.key > recurrence.range_overrides[0].key:
            length = None if extra.end is None else extra.end - extra.key
            _add_after_range_override(recurrence, window, extra.wall, extra.key, found, length)
            continue
        end = timing.end(extra.wall, extra.key) if extra.end is None else extra.end
        if extra.key < high and (end > low or (end == extra.key and extra.key >= low)):
            found.append(Occurrence(extra.key, end, floating, extra.wall, timing.all_day, master, False))


def _dates_not_excluded(recurrence: RecurrenceSet, extras: tuple[Extra, ...], budget: Budget) -> set[int]:
    """The wall times of RDATEs that no EXRULE yields; dates near each other are compared in one pass."""
    walls = sorted({extra.wall for extra in extras})
    kept: set[int] = set()
    begin = 0
    for place in range(1, len(walls) + 1):
        if place == len(walls) or walls[place] - walls[place - 1] > _ONE_WALK:
            near = walls[begin:place]
            kept.update(_not_excluded(recurrence, near, near[0], near[-1] + 1, budget))
            begin = place
    return kept


def _add_after_range_override(
    recurrence: RecurrenceSet,
    window: Window,
    wall: int,
    instant: int,
    found: list[Occurrence],
    length: int | None = None,
) -> None:
    """An occurrence after a range override, moved and with the length of that override (RFC 5545 §3.2.13, §3.8.4.4).

    ``length`` is given for an RDATE with a PERIOD, which keeps its own length (RFC 5545 §3.8.5.3).
    """
    place = bisect_right(recurrence.range_overrides, instant, key=attrgetter("key")) - 1
    override = recurrence.range_overrides[place]
    moved = wall + override.shift
    clock = override.timing.start.clock
    start = moved if clock is None else clock.to_epoch(moved)
    _add(found, window, override.timing, moved, start, wall, override.component, recurrence, length)


def _disorder(recurrence: RecurrenceSet, clock: ZoneClock | None) -> int:
    least, most = recurrence.shifts
    return (0 if clock is None else _GAP_DISORDER) + most - least


def _wall_window(recurrence: RecurrenceSet, timing: Timing, low: int, high: int) -> tuple[int, int]:
    """The wall times between which an occurrence that meets ``[low, high)`` has its original start."""
    longest = timing.longest
    if recurrence.range_overrides:
        least, most = recurrence.shifts
        low, high = low - most - DAY, high - least + DAY
        longest = max(longest, recurrence.longest_range_override)
    first = max(low - longest, -END)
    last = min(high, END)
    clock = timing.start.clock
    if clock is not None:
        least, most = clock.offset_bounds(first, last)
        first, last = first + least, min(last + most, END)
    # An occurrence without length at the very start of the window is in it.
    return first, last


def _starts(recurrence: RecurrenceSet, timing: Timing, first: int, last: int, budget: Budget) -> Iterable[int]:
    """Original starts in ``[first, last)``: DTSTART and the starts of the rules."""
    rules = recurrence.rules
    if not rules:
        start = timing.start.wall
        return (start,) if first <= start < last else ()
    clock = timing.start.clock
    if len(rules) == 1:
        return _starts_until(rules[0], clock, first, last, budget)
    start = timing.start.wall
    itself = (start,) if first <= start < last else ()
    budget.spend(_RULE_COST * len(rules))
    return merge(itself, *(_starts_until(rule, clock, first, last, budget) for rule in rules))


def _starts_until(rule: BoundRule, clock: ZoneClock | None, first: int, last: int, budget: Budget) -> Iterator[int]:
    starts = rule.series.starts(first, last, budget)
    until = rule.until
    if until is None or clock is None or last + DAY < until:
        return starts
    begin = rule.series.start
    return (wall for wall in starts if wall == begin or clock.to_epoch(wall) <= until)


def _not_excluded(
    recurrence: RecurrenceSet, walls: Iterable[int], first: int, last: int, budget: Budget
) -> Iterator[int]:
    """The starts that no EXRULE yields (RFC 2445 §4.8.5.2: obsolete, but clients still send it)."""
    clock = recurrence.timing.start.clock if recurrence.timing else None
    budget.spend(_RULE_COST * len(recurrence.exclusion_rules))
    excluded = merge(*(_starts_until(rule, clock, first, last, budget) for rule in recurrence.exclusion_rules))
    next_excluded = next(excluded, END)
    for wall in walls:
        while next_excluded < wall:
            next_excluded = next(excluded, END)
        if next_excluded != wall:
            yield wall


def span_of(recurrence: RecurrenceSet, budget: Budget) -> tuple[int, int]:
    """The first start and the last end of all occurrences, as bounds: UNTIL counts as a start.

    ``FOREVER`` for a series without end or with a COUNT that costs too much; ``(-FOREVER, FOREVER)`` for an object
    without any time.
    """
    starts: list[int] = []
    ends: list[int] = []
    for override in recurrence.overrides.values():
        start = override.timing.start
        starts.append(start.instant)
        ends.append(override.timing.end(start.wall, start.instant))
    timing = recurrence.timing
    if timing is not None:
        first, last = _span_of_series(recurrence, timing, budget)
        starts.append(first)
        ends.append(last)
    return (min(starts), max(ends)) if starts else (-FOREVER, FOREVER)


def _span_of_series(recurrence: RecurrenceSet, timing: Timing, budget: Budget) -> tuple[int, int]:
    start = timing.start
    first = start.instant
    last = timing.end(start.wall, first)
    for extra in recurrence.extras:
        first = min(first, extra.key)
        last = max(last, timing.end(extra.wall, extra.key) if extra.end is None else extra.end)
    for rule in recurrence.rules:
        if rule.series.forever:
            last = FOREVER
            break
        try:
            wall = rule.series.last(budget)
        except Refusal:
            last = FOREVER
            break
        if wall is not None and wall > start.wall:
            last = max(last, timing.end(wall, wall if start.clock is None else start.clock.to_epoch(wall)))
    if recurrence.range_overrides and last < FOREVER:
        last += recurrence.shifts[1] + recurrence.longest_range_override
    if recurrence.range_overrides:
        first += recurrence.shifts[0]
    return first, last
