"""When alarms go off (RFC 5545 §3.6.6 and §3.8.6, RFC 9074, RFC 4791 §9.9 for VALARM).

Rules of this module: it says at which instants; whom to tell and how is elsewhere. A filter asks for every trigger
(``overlaps``), a reminder only for those that shall be heard (``due``): not acknowledged, not ACTION:NONE, not of what
is cancelled or done. Nominal days of a trigger are days of the calendar of the zone its component is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.instants import instant, zone_of
from protocol.ical.recurrence import Budget
from protocol.ical.schedule import Scheduled, all_scheduled, recurs, stretch
from protocol.ical.timezones import UTC, Zone, from_epoch, to_epoch
from protocol.ical.values import Duration, parse_duration
from protocol.model import FOREVER, TimeRange

_DAY = 86400
_SILENT_STATUS = frozenset({"CANCELLED", "COMPLETED"})
_FIRST_LOOK = 32 * _DAY
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class AlarmInstant:
    """One moment at which an alarm goes off; ``start`` is that of the occurrence it warns of, if it has one."""

    at: int
    alarm: Component
    component: Component
    start: int | None = None


@dataclass(frozen=True, slots=True)
class _Trigger:
    """A VALARM read: an instant of its own, or an offset from the start or end of its component; then its repeats."""

    absolute: int | None
    offset: Duration
    from_end: bool
    repeats: int
    every: int

    @property
    def tail(self) -> int:
        """Seconds from the first to the last time it goes off."""
        return self.repeats * self.every

    def times(self, first: int, window: TimeRange) -> range:
        """The instants in a window, given the first one."""
        low, high = window.start, window.end
        since = 0 if low is None or low <= first else -((first - low) // max(self.every, 1))
        until = self.repeats + 1
        if high is not None:
            until = min(until, -((first - high) // max(self.every, 1)))
        if self.every == 0:
            inside = (low is None or low <= first) and (high is None or first < high)
            return range(first, first + inside)
        return range(first + since * self.every, first + until * self.every, self.every)


def overlaps(
    document: Document, component: Component, alarm: Component, window: TimeRange, zone: Zone | None, budget: Budget
) -> bool:
    """Whether an alarm of a component goes off in a window, for whichever of its occurrences (RFC 4791 §9.9)."""
    return any(True for _ in _instants(document, component, [alarm], window, zone, budget))


def due(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[AlarmInstant]:
    """The alarms to be heard in a window, in order of time.

    ``zone`` is where floating and all-day data are at home (``None``: UTC). An alarm acknowledged at or after the
    moment it goes off stays silent, its later ones do not (RFC 9074 §6); a snooze is an alarm of its own (§7).
    Refuses with ``max-instances`` when the budget does not suffice.
    """
    found: list[AlarmInstant] = []
    for component in document.members:
        if _is_settled(component):
            continue
        audible = [alarm for alarm in component.components if alarm.name == "VALARM" and not _is_mute(alarm)]
        if audible:
            heard = _acknowledged(component, document, "X-MOZ-LASTACK")
            found.extend(
                item
                for item in _instants(document, component, audible, window, zone, budget)
                if item.at > max(heard, _acknowledged(item.alarm, document, "ACKNOWLEDGED"))
            )
    found.sort(key=lambda item: item.at)
    return found


def next_due(document: Document, after: int, until: int, zone: Zone | None, budget: Budget) -> AlarmInstant | None:
    """The first alarm to be heard later than ``after`` and before ``until``; ``None`` when there is none."""
    low, width = after + 1, _FIRST_LOOK
    while low < until:
        high = min(low + width, until)
        found = due(document, TimeRange(low, high), zone, budget)
        if found:
            return found[0]
        low, width = high, width * _GROWTH
    return None


def _is_settled(component: Component) -> bool:
    if component.first("COMPLETED") is not None:
        return True
    return (component.value("STATUS") or "").strip().upper() in _SILENT_STATUS


def _is_mute(alarm: Component) -> bool:
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
    triggers = [(alarm, trigger) for alarm in alarms if (trigger := _read(alarm, document, zone)) is not None]
    relative = []
    for alarm, trigger in triggers:
        if trigger.absolute is None:
            relative.append((alarm, trigger))
            continue
        for at in trigger.times(trigger.absolute, window):
            budget.spend(1)
            yield AlarmInstant(at, alarm, component)
    if not relative:
        return
    for item in _occurrences(document, component, [trigger for _, trigger in relative], window, zone, budget):
        times = stretch(item, document, zone)
        if times is None:
            continue
        for alarm, trigger in relative:
            first = _shift(times[trigger.from_end], trigger.offset, _home(component, document, zone))
            for at in trigger.times(first, window):
                budget.spend(1)
                yield AlarmInstant(at, alarm, component, times[0])


def _occurrences(
    document: Document,
    component: Component,
    triggers: list[_Trigger],
    window: TimeRange,
    zone: Zone | None,
    budget: Budget,
) -> Iterator[Scheduled]:
    """The occurrences that a component describes and whose alarms can go off in a window."""
    if not recurs(document):
        window = TimeRange()
    # A day of room: a nominal day has up to 25 hours.
    latest = max(trigger.offset.total + trigger.tail for trigger in triggers) + _DAY
    earliest = min(trigger.offset.total for trigger in triggers) - _DAY
    wider = TimeRange(
        None if window.start is None else window.start - latest, None if window.end is None else window.end - earliest
    )
    for item in all_scheduled(document, wider, zone, budget):
        if item.component is component:
            yield item


def _home(component: Component, document: Document, zone: Zone | None) -> Zone:
    """The zone whose calendar counts the days of a trigger."""
    for name in ("DTSTART", "DUE"):
        line = component.first(name)
        if line is not None:
            if line.value.rstrip()[-1:] in "Zz":
                return UTC
            return zone_of(line, document.timezones) or zone or UTC
    return UTC


def _shift(at: int, offset: Duration, zone: Zone) -> int:
    if not offset.days or zone is UTC:
        return at + offset.total
    return to_epoch(from_epoch(at, zone) + timedelta(days=offset.days), zone) + offset.seconds


def _read(alarm: Component, document: Document, zone: Zone | None) -> _Trigger | None:
    """The trigger of a VALARM; ``None`` when it has none that can be read."""
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
    """REPEAT and the seconds between; both properties or none (RFC 5545 §3.8.6.2)."""
    count, pause = (alarm.value("REPEAT") or "").strip(), alarm.value("DURATION")
    if not count.isdecimal() or len(count) > 6 or pause is None:
        return 0, 0
    try:
        every = parse_duration(pause.strip()).total
    except ValueError:
        return 0, 0
    return (int(count), every) if every > 0 else (0, 0)
