"""When a component overlaps a time range, as intervals (RFC 4791 §9.9, §7.10; RFC 7953 §3.1).

Every interval ``[s, e)`` made here matches a query ``[a, b)`` exactly when ``a < e and b > s``. Times are whole
seconds, so ``a <= x`` is ``a < x + 1`` and ``b >= x`` is ``b > x - 1``; with that, each row of the tables of RFC 4791
§9.9 becomes one interval (S: DTSTART, E: DTEND, U: DUE, D: DURATION, C: COMPLETED, K: CREATED, F: for ever):

========== ============================ ======================= ==============================
component  properties                   interval                busy time (else none)
========== ============================ ======================= ==============================
VEVENT     S E                          [S, E)                  the interval
VEVENT     S D, D > 0                   [S, S+D)                the interval
VEVENT     S D, D = 0                   [S, S+1)
VEVENT     S is a DATE-TIME             [S, S+1)
VEVENT     S is a DATE                  [S, S+1 day)            the interval
VTODO      S D, D > 0                   [S, S+D+1)
VTODO      S D, D = 0                   [S-1, S+1)
VTODO      S U, U > S                   [S, U)
VTODO      S U, U = S                   [S-1, S+1)
VTODO      S                            [S, S+1)
VTODO      U                            [U-1, U)
VTODO      C K                          [min(C, K)-1, max(C, K)+1)
VTODO      C                            [C-1, C+1)
VTODO      K                            [K, F)
VTODO      none of them                 [-F, F)
VJOURNAL   S is a DATE-TIME             [S, S+1)
VJOURNAL   S is a DATE                  [S, S+1 day)
VJOURNAL   none                         nothing
VFREEBUSY  S E                          [S, E+1)                its periods within [S, E)
VFREEBUSY  FREEBUSY periods             each period             the period
VFREEBUSY  none of them                 nothing
VAVAILAB.  S, E or D, or neither        [S or -F, end or F)     (by RFC 7953 §4, not from here)
========== ============================ ======================= ==============================

Rules of this module: one component at a time; ``recurrence`` handles recurrence, ``compat`` repairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from protocol.ical.components import Component, Property, PropertyMap, property_map
from protocol.ical.names import BUSY_TYPES, RECURRENCE_NAMES, START_NAMES, TIME_NAMES
from protocol.ical.timing import Moment, Zones, read_moment
from protocol.ical.values import Duration, Form, parse_duration, parse_period, parse_when, wall_seconds
from protocol.model import DAY, FOREVER, BusyType, IndexEntry

_DATE_LENGTH = 8
_RECURRING_KINDS = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
IntervalOf = Callable[[int, int, bool], IndexEntry]
"""Makes the interval of an occurrence from its start, its end, and whether these are floating."""

_FREE = BusyType.FREE


def after(start: Moment, duration: Duration) -> int:
    """``start`` plus a duration: days by the calendar, then seconds by the clock (RFC 5545 §3.3.6)."""
    if start.clock is None or not duration.days:
        return start.instant + duration.total
    return start.clock.to_epoch(start.wall + duration.days * DAY) + duration.seconds


def interval_of(kind: str, props: PropertyMap) -> IntervalOf:
    """A function that makes the interval of each occurrence of a series of ``kind`` with these properties."""
    if kind == "VEVENT":
        return partial(_event_entry, busy_type(props))
    if kind == "VTODO":
        return partial(todo_entry, props)
    begin = props.get("DTSTART")
    all_day = begin is not None and len(begin.value.strip()) == _DATE_LENGTH
    return lambda start, _end, floating: journal_entry(start, all_day, floating)


def is_series(master: Component, props: PropertyMap, overrides: tuple[Component, ...]) -> bool:
    """Whether a master is a series: its kind can recur, it has a start, and it has a recurrence property or an
    override.

    A master with an override but without a rule is itself the occurrence that the override may replace (RFC 5545
    §3.8.4.4).
    """
    is_described = bool(overrides) or not RECURRENCE_NAMES.isdisjoint(props)
    return is_described and not props.keys().isdisjoint(START_NAMES) and master.name in _RECURRING_KINDS


def series_property_map(component: Component, master: Component | None) -> PropertyMap:
    """``property_map`` of one component of a series; an override without a time of its own has the master's times."""
    props = property_map(component)
    if master is None or not props.keys().isdisjoint(START_NAMES):
        return props
    return {**{name: line for name, line in property_map(master).items() if name in TIME_NAMES}, **props}


def intervals_of(component: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    """The intervals of a component that does not recur; ``ValueError`` or ``OverflowError`` for unreadable times."""
    return _INTERVALS[component.name](component, props, zones)


def _event(_: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    if "DTSTART" not in props:
        return []
    start = read_moment(props["DTSTART"], zones)
    begin, end = start.instant, end_of(props, start, zones, "DTEND")
    if end is None:
        end = begin + DAY if start.form is Form.DATE else begin
    return [_event_entry(busy_type(props), begin, end, start.floating)]


def _event_entry(busy: BusyType, start: int, end: int, floating: bool) -> IndexEntry:
    """The interval of one VEVENT occurrence ``[start, end)``; without a length it is never busy."""
    return IndexEntry(start, end, floating, busy) if end > start else IndexEntry(start, start + 1, floating, _FREE)


def busy_type(props: PropertyMap) -> BusyType:
    """The free-busy time that a VEVENT makes (RFC 4791 §7.10)."""
    transparency = props.get("TRANSP")
    if transparency is not None and transparency.value.strip().upper() == "TRANSPARENT":
        return _FREE
    status = props.get("STATUS")
    if status is None:
        return BusyType.BUSY
    value = status.value.strip().upper()
    return _FREE if value == "CANCELLED" else BusyType.TENTATIVE if value == "TENTATIVE" else BusyType.BUSY


def fbtype_of(line: Property) -> BusyType:
    """The kind of the periods of a FREEBUSY line; an unknown FBTYPE is BUSY (RFC 5545 §3.2.9)."""
    return BUSY_TYPES.get((line.param("FBTYPE") or "BUSY").upper(), BusyType.BUSY)


def end_of(props: PropertyMap, start: Moment, zones: Zones, name: str) -> int | None:
    """The end by DTEND (or DUE) or DURATION, never before the start; ``None`` when the component has none of them."""
    line = props.get(name)
    if line is not None:
        end = read_moment(line, zones)
        # When only one of start and end has a zone, both are compared as wall time.
        seconds = end.instant if end.floating == start.floating else end.wall
        return max(seconds, start.instant)
    line = props.get("DURATION")
    if line is None:
        return None
    duration = parse_duration(line.value)
    if start.form is Form.DATE:
        # A DATE lasts whole days (RFC 5545 §3.6.1): hours round up to days, and no days count as no end.
        days = duration.days - (-duration.seconds // DAY)
        return start.instant + days * DAY if days > 0 else None
    return max(after(start, duration), start.instant)


def _todo(_: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    if "DTSTART" in props:
        start = read_moment(props["DTSTART"], zones)
        end = end_of(props, start, zones, "DUE")
        return [todo_entry(props, start.instant, start.instant if end is None else end, start.floating)]
    if "DUE" in props:
        due = read_moment(props["DUE"], zones)
        return [IndexEntry(due.instant - 1, due.instant, due.floating)]
    created, completed = (_utc(props.get(name)) for name in ("CREATED", "COMPLETED"))
    if completed is not None:
        known = (completed,) if created is None else (created, completed)
        return [IndexEntry(min(known) - 1, max(known) + 1)]
    return [IndexEntry(-FOREVER if created is None else created, FOREVER)]


def todo_entry(props: PropertyMap, start: int, end: int, floating: bool) -> IndexEntry:
    """The interval of a VTODO occurrence; without DTSTART ``start`` is its DUE, else ``end`` is by DUE or DURATION."""
    if "DTSTART" not in props:
        return IndexEntry(start - 1, start, floating)
    if "DUE" in props:
        return IndexEntry(start, end, floating) if end > start else IndexEntry(start - 1, start + 1, floating)
    if "DURATION" in props:
        return IndexEntry(start if end > start else start - 1, max(start, end) + 1, floating)
    return IndexEntry(start, start + 1, floating)


def _utc(line: Property | None) -> int | None:
    """CREATED or COMPLETED, always read as UTC (RFC 5545 requires it); ``None`` when it is unreadable."""
    if line is None:
        return None
    try:
        return wall_seconds(parse_when(line.value)[0])
    except ValueError:
        return None


def _journal(_: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    if "DTSTART" not in props:
        return []
    start = read_moment(props["DTSTART"], zones)
    return [journal_entry(start.instant, start.form is Form.DATE, start.floating)]


def journal_entry(start: int, day: bool, floating: bool) -> IndexEntry:
    """The interval of one VJOURNAL occurrence."""
    return IndexEntry(start, start + (DAY if day else 1), floating)


def _freebusy(component: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    low, high = -FOREVER, FOREVER
    entries: list[IndexEntry] = []
    if "DTSTART" in props and "DTEND" in props:
        start, end = read_moment(props["DTSTART"], zones), read_moment(props["DTEND"], zones)
        low, high = start.instant, max(start.instant, end.instant)
        entries.append(IndexEntry(low, high + 1, start.floating))
    for line in component.all("FREEBUSY"):
        busy = fbtype_of(line)
        if entries and busy is _FREE:
            continue
        for text in line.value.split(","):
            period = _period(text, low, high)
            if period is not None:
                entries.append(IndexEntry(*period, False, busy))
    return entries


def _period(text: str, low: int, high: int) -> tuple[int, int] | None:
    """A FREEBUSY period (UTC) cut to ``[low, high)``; ``None`` when nothing is left or it is unreadable."""
    try:
        start, _, until = parse_period(text)
    except ValueError:
        return None
    first = wall_seconds(start)
    last = first + until.total if isinstance(until, Duration) else wall_seconds(until)
    first, last = max(first, low), min(last, high)
    return (first, last) if first < last else None


def _availability(_: Component, props: PropertyMap, zones: Zones) -> list[IndexEntry]:
    if "DTSTART" not in props:
        end = read_moment(props["DTEND"], zones) if "DTEND" in props else None
        return [IndexEntry(-FOREVER, FOREVER if end is None else end.instant, end is not None and end.floating)]
    start = read_moment(props["DTSTART"], zones)
    last = end_of(props, start, zones, "DTEND")
    return [IndexEntry(start.instant, FOREVER if last is None else max(last, start.instant + 1), start.floating)]


_INTERVALS = {
    "VEVENT": _event,
    "VTODO": _todo,
    "VJOURNAL": _journal,
    "VFREEBUSY": _freebusy,
    "VAVAILABILITY": _availability,
}
