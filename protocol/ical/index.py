"""The occurrence index of a calendar object: what the database keeps beside its text to answer time ranges.

Rules of this module: it decides how far occurrences are written down and says how far that was; how one component
becomes an interval is ``overlap``, which occurrences there are is ``recurrence``. Nothing here fails for a rule that is
dear: such an object is indexed as far as it goes, ``indexed_until`` says how far, and queries beyond expand its text.
"""

from __future__ import annotations

from datetime import date, datetime

from protocol.errors import Condition, Refusal
from protocol.ical.compat.rules import rule_parts
from protocol.ical.document import Document
from protocol.ical.overlap import (
    DAY,
    Clock,
    Names,
    entries_of,
    names_of,
    occurrence_entry,
)
from protocol.ical.recurrence import Occurrence, occurrences, span
from protocol.ical.timezones import zone_name
from protocol.ical.values import parse_when, wall_seconds
from protocol.model import FOREVER, IndexEntry, ObjectIndex, TimeRange

INDEX_VERSION = 1
"""Grows with every change of what an entry means; upkeep re-indexes objects of an older version."""

_RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_STEP = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "WEEKLY": 7 * DAY}
_LONGER = {"MONTHLY": 28, "YEARLY": 365}
_DAYS = frozenset({"BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"})
_ROOM = 366 * DAY
"""How far beyond its first start a series is indexed at least, however far in the future it begins."""
_GROWTH = 8
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def index_document(document: Document, *, horizon: int, cap: int = 1500) -> ObjectIndex:
    """The index of one object: entries up to ``horizon`` (epoch seconds), at most ``cap`` of a series.

    Refuses what no later query could answer either: a rule in a calendar scale that is not supported (RFC 7529 §5.4).
    """
    clock = Clock(document.timezones)
    master = document.master
    names = names_of(master) if master is not None else {}
    if not _RECURRENCE.isdisjoint(names):
        return _index_series(document, names, clock, horizon, cap)
    entries: list[IndexEntry] = []
    for member in document.members:
        try:
            entries.extend(entries_of(member, names if member is master else names_of(member), clock))
        except (ValueError, OverflowError):
            continue  # validation lets only times through that can be read; a view made elsewhere may hold others
    return ObjectIndex(
        uid=document.uid,
        component=document.component,
        entries=tuple(entries),
        first_start=min((entry.start for entry in entries), default=FOREVER),
        last_end=max((entry.end for entry in entries), default=-FOREVER),
        indexed_until=FOREVER,
        recurring=bool(document.overrides),
        index_version=INDEX_VERSION,
        zones=_zone_names(clock),
    )


def _index_series(document: Document, names: Names, clock: Clock, horizon: int, cap: int) -> ObjectIndex:
    first, last = span(document)
    found, complete_until = _expand(document, names, first, last, horizon, cap)
    shapes: dict[int, Names] = {}
    kind = document.component.name
    for item in found:
        if id(item.component) not in shapes:
            shapes[id(item.component)] = names_of(item.component)
    entries = [
        occurrence_entry(kind, shapes[id(item.component)], item.start, item.end, item.floating) for item in found
    ]
    entries.sort()
    if len(entries) > cap:
        complete_until = min(complete_until, entries[cap].start)
        del entries[cap:]
    if complete_until < FOREVER and any(entry.floating for entry in entries[:1]):
        complete_until -= DAY  # wall time is ahead of or behind UTC by less than a day
    for member in document.members:
        start = member.first("DTSTART")
        if start is not None and (tzid := start.param("TZID")):
            clock.zone(tzid)
    return ObjectIndex(
        uid=document.uid,
        component=document.component,
        entries=tuple(entries),
        first_start=min((entry.start for entry in entries[:1]), default=first),
        last_end=last if complete_until < FOREVER else max((entry.end for entry in entries), default=-FOREVER),
        indexed_until=complete_until,
        recurring=True,
        count_until=_count_until(names, found) if complete_until == FOREVER else None,
        index_version=INDEX_VERSION,
        zones=_zone_names(clock),
    )


def _expand(
    document: Document, names: Names, first: int, last: int, horizon: int, cap: int
) -> tuple[list[Occurrence], int]:
    """Occurrences from the first on, and the instant up to which they are all; windows grow until one of the ends."""
    begin = first if first > -FOREVER else wall_seconds(parse_when(names["DTSTART"].value)[0]) - DAY
    limit = max(horizon, begin + _ROOM)
    width = _step(names) * cap
    found: list[Occurrence] = []
    complete = begin
    while True:
        end = min(begin + width, limit)
        try:
            found = occurrences(document, TimeRange(None, end))
        except Refusal as refusal:
            if refusal.condition is not Condition.MAX_INSTANCES:
                raise
            return found, complete
        complete = end - 1  # an interval may begin a second before its occurrence
        if last < end:
            return found, FOREVER
        if len(found) > cap or end == limit:
            return found, complete
        width *= _GROWTH


def _step(names: Names) -> int:
    """About the shortest time between two occurrences of the rule, in seconds; never more than it can be."""
    rule = names.get("RRULE")
    if rule is None:
        return 10 * _ROOM
    parts = rule_parts(rule.value)
    frequency = parts.get("FREQ", "")
    step = _STEP.get(frequency, DAY)
    if frequency == "WEEKLY":
        step //= _values(parts, "BYDAY")
    elif _DAYS.isdisjoint(parts):
        step *= _LONGER.get(frequency, 1)
    for name, longest in (("BYHOUR", 3600), ("BYMINUTE", 60), ("BYSECOND", 1)):
        if step > longest:
            step = max(1, step // _values(parts, name))
    interval = parts.get("INTERVAL", "1")
    return step * (int(interval) if interval.isdigit() and len(interval) < 4 else 1)


def _values(parts: dict[str, str], name: str) -> int:
    return parts[name].count(",") + 1 if name in parts else 1


def _count_until(names: Names, found: list[Occurrence]) -> int | None:
    """The last start a COUNT rule gives, wall time as UTC, when all of its occurrences are known."""
    rule = names.get("RRULE")
    if rule is None or "COUNT=" not in rule.value.upper():
        return None
    starts = [_wall(item) for item in found if not item.is_override]
    return max(starts, default=None)


def _wall(item: Occurrence) -> int:
    value = item.recurrence_id
    if isinstance(value, datetime):
        return wall_seconds(value.replace(tzinfo=None))
    return (value.toordinal() - _EPOCH_DAY) * DAY


def _zone_names(clock: Clock) -> tuple[str, ...]:
    """The IANA names among the zones that the entries were derived with."""
    keys = {zone_name(zone) for zone in clock.zones.values() if zone is not None}
    return tuple(sorted(key for key in keys if key))
