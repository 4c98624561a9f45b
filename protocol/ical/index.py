"""The occurrence index of a calendar object: what the database keeps beside the text to answer time ranges.

Rules of this module: it decides how far occurrences are indexed, and reports how far that is. ``overlap`` turns a
component into an interval, ``recurrence`` finds the occurrences. An expensive rule is not an error: its object is
indexed as far as the budget goes (``indexed_until``), and queries beyond that expand its text.
"""

from __future__ import annotations

from protocol.errors import Refusal
from protocol.ical.components import property_map
from protocol.ical.document import Document
from protocol.ical.overlap import (
    IntervalOf,
    interval_of,
    intervals_of,
    is_series,
    series_property_map,
)
from protocol.ical.recurrence import Budget, Occurrence, count_until, occurrences, span, zones_used
from protocol.ical.timing import Zones
from protocol.model import DAY, FOREVER, IndexEntry, ObjectIndex, TimeRange

INDEX_VERSION = 2
"""Grows whenever the meaning of an entry changes; upkeep re-indexes objects of an older version."""

_ROOM = 366 * DAY
"""A series is indexed at least this far beyond its first start, however far in the future it begins."""
_BUDGET = 40_000
"""The most periods examined for one object; a daily rule of a century has 36,525."""
_FALLBACK_WINDOW = (30 * DAY, 4_000)
"""Window and budget of a second try when the first was too expensive: only what is near the first start."""


def index_document(document: Document, *, horizon: int, cap: int = 1500) -> ObjectIndex:
    """The index of one object: entries up to ``horizon`` (epoch seconds), at most ``cap`` of a series.

    Refuses only what no query could answer: a rule in an unsupported calendar scale (RFC 7529 §5.4) and, with
    ``max-instances``, more rules, dates and exceptions than can be read (RFC 4791 §5.3.2.1).
    """
    master = document.master
    props = property_map(master) if master is not None else {}
    if master is not None and is_series(master, props, document.overrides):
        return _index_series(document, horizon, cap)
    zones = Zones(document.timezones)
    entries: list[IndexEntry] = []
    for member in document.members:
        try:
            entries.extend(intervals_of(member, props if member is master else property_map(member), zones))
        except (ValueError, OverflowError):
            continue  # validation refuses unreadable times, but a view made elsewhere may hold one
    if len(entries) == 1:
        first, last = entries[0].start, entries[0].end
    else:
        first = min((entry.start for entry in entries), default=FOREVER)
        last = max((entry.end for entry in entries), default=-FOREVER)
    return ObjectIndex(
        uid=document.uid,
        component=document.component,
        entries=tuple(entries),
        first_start=first,
        last_end=last,
        indexed_until=FOREVER,
        recurring=bool(document.overrides),
        index_version=INDEX_VERSION,
        zones=zones.names(),
    )


def _index_series(document: Document, horizon: int, cap: int) -> ObjectIndex:
    first, last = span(document)
    found, complete = _expand(document, first, last, horizon, cap)
    kind = document.component.name
    intervals: dict[int, IntervalOf] = {}
    entries: list[IndexEntry] = []
    for item in found:
        interval = intervals.get(id(item.component))
        if interval is None:
            interval = intervals[id(item.component)] = interval_of(
                kind, series_property_map(item.component, document.master)
            )
        entries.append(interval(item.start, item.end, item.floating))
    entries.sort()
    if complete == FOREVER:
        first = entries[0].start if entries else FOREVER
        last = max((entry.end for entry in entries), default=-FOREVER)
    else:
        # An interval may begin a second before its occurrence, and wall time differs from UTC by less than a day.
        complete -= DAY if any(item.floating for item in found[:1]) else 1
        first -= 1
    return ObjectIndex(
        uid=document.uid,
        component=document.component,
        entries=tuple(entries[:cap]),
        first_start=first,
        last_end=last,
        indexed_until=complete,
        recurring=True,
        count_until=count_until(document),
        index_version=INDEX_VERSION,
        zones=zones_used(document),
    )


def _expand(document: Document, first: int, last: int, horizon: int, cap: int) -> tuple[list[Occurrence], int]:
    """The first ``cap`` occurrences that begin before the horizon, and the instant up to which they are complete."""
    end = max(horizon, min(first, FOREVER - _ROOM) + _ROOM)
    for until, budget in ((end, _BUDGET), (min(end, first + _FALLBACK_WINDOW[0]), _FALLBACK_WINDOW[1])):
        try:
            found = occurrences(document, TimeRange(None, until), budget=Budget(budget), limit=cap + 1)
        except Refusal:
            continue  # out of budget; ``span`` has already made every other refusal
        if len(found) > cap:
            return found[:cap], found[cap].start
        return found, FOREVER if last < until else until
    return [], first
