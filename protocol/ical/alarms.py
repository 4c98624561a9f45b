"""When alarms go off (RFC 5545 §3.6.6 and §3.8.6, RFC 9074, RFC 4791 §9.9 for VALARM).

Rules of this module: it gives instants, and does not decide whom to tell and how. A filter asks for every trigger
(``overlaps``). A reminder asks for those that a person should notice (``due``): not acknowledged, not ACTION:NONE, and
not of a component that is cancelled or done. The days of a trigger are calendar days in the zone of its component.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.instants import instant, zone_of
from protocol.ical.names import START_NAMES
from protocol.ical.periods import Span
from protocol.ical.recurrence import Budget
from protocol.ical.time_range import candidate_matches, effective_span, recurs
from protocol.ical.timezones import UTC, Zone, clock_of
from protocol.ical.values import Duration, parse_duration
from protocol.model import DAY, FOREVER, HOUR, TimeRange

_SILENT_STATUS = frozenset({"CANCELLED", "COMPLETED"})
_NEAR = 6 * HOUR
_CACHE_KEY = "alarms"


@dataclass(frozen=True, slots=True)
class AlarmInstant:
    """One moment at which an alarm goes off; ``start`` is the start of its occurrence, if it has one."""

    at: int
    alarm: Component
    component: Component
    start: int | None = None


@dataclass(frozen=True, slots=True)
class _Trigger:
    """A VALARM that was read: a fixed instant, or an offset from the start or end of its component; and its repeats."""

    fixed: int | None
    offset: Duration
    from_end: bool
    repeats: int
    every: int

    @property
    def repeat_span(self) -> int:
        """Seconds from the first time it goes off to the last."""
        return self.repeats * self.every

    @property
    def reach(self) -> int:
        """An upper bound for the distance of the alarm from its component: some hours, doubled as often as needed."""
        farthest = max(abs(self.offset.total), abs(self.offset.total + self.repeat_span)) + self.tolerance
        return _NEAR << (farthest // _NEAR).bit_length()

    @property
    def tolerance(self) -> int:
        """A generous bound for how far nominal days differ from 24 hours, and floating time from its zone."""
        return DAY if self.offset.days else 2 * HOUR

    def times(self, first: int, window: TimeRange) -> range:
        """Its instants in a window, when the first is ``first``."""
        low, high = window.start, window.end
        since = 0 if low is None or low <= first else -((first - low) // max(self.every, 1))
        until = self.repeats + 1
        if high is not None:
            until = min(until, -((first - high) // max(self.every, 1)))
        if self.every == 0:
            inside = (low is None or low <= first) and (high is None or first < high)
            return range(first, first + inside)
        return range(first + since * self.every, first + until * self.every, self.every)


class _Expanded(NamedTuple):
    """What ``_spans_around`` found for one window, by reach."""

    window: TimeRange
    zone: Zone | None
    spans: dict[int, dict[int, tuple[list[Span], list[Span]]]]


def overlaps(
    document: Document, component: Component, alarm: Component, window: TimeRange, zone: Zone | None, budget: Budget
) -> bool:
    """Whether an alarm of a component goes off in a window, for any of its occurrences (RFC 4791 §9.9)."""
    return any(True for _ in _instants(document, component, [alarm], window, zone, budget))


def due(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[AlarmInstant]:
    """The alarms to notice in a window, in order of time.

    ``zone`` is the zone of floating and all-day data (``None``: UTC). An alarm acknowledged at or after the moment it
    goes off stays silent, but its later ones do not (RFC 9074 §6). A snooze is an alarm of its own (§7). Refuses with
    ``max-instances`` when the budget is used up.
    """
    found: list[AlarmInstant] = []
    for component in document.members:
        if _is_done(component):
            continue
        audible = [alarm for alarm in component.components if alarm.name == "VALARM" and not _is_silent(alarm)]
        if audible:
            heard = _acknowledged(component, document, "X-MOZ-LASTACK")
            found.extend(
                item
                for item in _instants(document, component, audible, window, zone, budget)
                if item.at > max(heard, _acknowledged(item.alarm, document, "ACKNOWLEDGED"))
            )
    found.sort(key=lambda item: item.at)
    return found


def _is_done(component: Component) -> bool:
    if component.first("COMPLETED") is not None:
        return True
    return (component.value("STATUS") or "").strip().upper() in _SILENT_STATUS


def _is_silent(alarm: Component) -> bool:
    return (alarm.value("ACTION") or "").strip().upper() == "NONE"


def _acknowledged(component: Component, document: Document, name: str) -> int:
    found = instant(component.first(name), document.timezones, None)
    return -FOREVER if found is None else found[0]


def _instants(
    document: Document,
    component: Component,
    alarms: list[Component],
    window: TimeRange,
    zone: Zone | None,
    budget: Budget,
) -> Iterator[AlarmInstant]:
    for alarm in alarms:
        trigger = _trigger_of(alarm, document, zone)
        if trigger is None:
            continue
        if trigger.fixed is not None:
            for at in trigger.times(trigger.fixed, window):
                budget.spend(1)
                yield AlarmInstant(at, alarm, component)
            continue
        zone_of_days = _zone_of_days(component, document, zone)
        for times in _occurrences_near(document, component, trigger, window, zone, budget):
            first = _shift(times[trigger.from_end], trigger.offset, zone_of_days)
            for at in trigger.times(first, window):
                budget.spend(1)
                yield AlarmInstant(at, alarm, component, times[0])


def _occurrences_near(
    document: Document, component: Component, trigger: _Trigger, window: TimeRange, zone: Zone | None, budget: Budget
) -> Iterator[Span]:
    """The occurrences of a component whose alarm may go off in a window."""
    known = _spans_around(document, trigger.reach, window, zone, budget).get(id(component))
    if known is None:
        return
    times, place = known[trigger.from_end], itemgetter(int(trigger.from_end))
    offset = trigger.offset.total
    latest, earliest = offset + trigger.repeat_span + trigger.tolerance, offset - trigger.tolerance
    first = 0 if window.start is None else bisect_left(times, window.start - latest, key=place)
    last = len(times) if window.end is None else bisect_right(times, window.end - earliest, key=place)
    for number in range(first, last):
        budget.spend(1)
        yield times[number]


def _spans_around(
    document: Document, reach: int, window: TimeRange, zone: Zone | None, budget: Budget
) -> dict[int, tuple[list[Span], list[Span]]]:
    """The occurrences of each component (by ``id``) within ``reach`` of a window, sorted by start and by end.

    A component may have hundreds of alarms and an object thousands of components: they share one expansion.
    """
    known = document.cache.get(_CACHE_KEY)
    if not isinstance(known, _Expanded) or (known.window, known.zone) != (window, zone):
        known = document.cache[_CACHE_KEY] = _Expanded(window, zone, {})
    if reach in known.spans:
        return known.spans[reach]
    wider = TimeRange()
    if recurs(document):
        wider = TimeRange(
            None if window.start is None else window.start - reach, None if window.end is None else window.end + reach
        )
    found: dict[int, list[Span]] = {}
    for item in candidate_matches(document, wider, zone, budget):
        times = effective_span(item, document, zone)
        if times is not None:
            found.setdefault(id(item.component), []).append(times)
    spans = {
        each: (sorted(times), sorted(times, key=itemgetter(1))) if len(times) > 1 else (times, times)
        for each, times in found.items()
    }
    known.spans[reach] = spans
    return spans


def _zone_of_days(component: Component, document: Document, zone: Zone | None) -> Zone:
    """The zone whose calendar counts the days of a trigger."""
    for name in START_NAMES:
        line = component.first(name)
        if line is not None:
            if line.value.rstrip()[-1:] in "Zz":
                return UTC
            return zone_of(line, document.timezones) or zone or UTC
    return UTC


def _shift(at: int, offset: Duration, zone: Zone) -> int:
    if not offset.days or zone is UTC:
        return at + offset.total
    clock = clock_of(zone)
    return clock.to_epoch(clock.to_wall(at) + offset.days * DAY) + offset.seconds


def _trigger_of(alarm: Component, document: Document, zone: Zone | None) -> _Trigger | None:
    """The trigger of a VALARM; ``None`` when it has none or it is unreadable."""
    line = alarm.first("TRIGGER")
    if line is None:
        return None
    repeats, every = _repeats(alarm)
    fixed = instant(line, document.timezones, zone)
    if fixed is not None:
        return _Trigger(fixed[0], Duration(), False, repeats, every)
    try:
        offset = parse_duration(line.value.strip())
    except ValueError:
        return None
    return _Trigger(None, offset, (line.param("RELATED") or "").upper() == "END", repeats, every)


def _repeats(alarm: Component) -> tuple[int, int]:
    """REPEAT and the seconds between repeats; 0 unless both properties are there (RFC 5545 §3.8.6.2)."""
    count, pause = (alarm.value("REPEAT") or "").strip(), alarm.value("DURATION")
    if not count.isdecimal() or len(count) > 6 or pause is None:
        return 0, 0
    try:
        every = parse_duration(pause.strip()).total
    except ValueError:
        return 0, 0
    return (int(count), every) if every > 0 else (0, 0)
