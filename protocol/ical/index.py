"""The occurrence index of a calendar object: what the database keeps beside its text to answer time ranges.

Rules of this module: it decides how far occurrences are written down and says how far that was; how one component
becomes an interval is ``overlap``, which occurrences there are is ``recurrence``. Nothing here fails for a rule that is
dear: such an object is indexed as far as it goes, ``indexed_until`` says how far, and queries beyond expand its text.
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
"""Grows with every change of what an entry means; upkeep re-indexes objects of an older version."""

_ROOM = 366 * DAY
"""How far beyond its first start a series is indexed at least, however far in the future it begins."""
_BUDGET = 40_000
"""Periods examined for one object at most; a daily rule of a century has 36,525."""
_FALLBACK_WINDOW = (30 * DAY, 4_000)
"""The window and the budget of a second try, where the whole was too dear: what is near the first start."""


def index_document(document: Document, *, horizon: int, cap: int = 1500) -> ObjectIndex:
    """The index of one object: entries up to ``horizon`` (epoch seconds), at most ``cap`` of a series.

    Refuses only what no query could answer: a rule in a calendar scale that is not supported (RFC 7529 §5.4), and with
    ``max-instances`` more rules, dates and exceptions than can be read (RFC 4791 §5.3.2.1).
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
            continue  # validation lets only times through that can be read; a view made elsewhere may hold others
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
        # An interval may begin a second before its occurrence, and wall time is less than a day away from UTC.
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
    """The first ``cap`` occurrences that begin before the horizon, and the instant up to which they are all."""
    end = max(horizon, min(first, FOREVER - _ROOM) + _ROOM)
    for until, budget in ((end, _BUDGET), (min(end, first + _FALLBACK_WINDOW[0]), _FALLBACK_WINDOW[1])):
        try:
            found = occurrences(document, TimeRange(None, until), budget=Budget(budget), limit=cap + 1)
        except Refusal:
            continue  # the budget: what else there is to refuse, ``span`` has refused before
        if len(found) > cap:
            return found[:cap], found[cap].start
        return found, FOREVER if last < until else until
    return [], first
