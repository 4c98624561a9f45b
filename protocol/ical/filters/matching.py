"""Whether a document matches a filter (RFC 4791 §9.7 to §9.9).

Rules of this module: it asks ``schedule`` and ``alarms`` about time and ``text`` about text. A component matches
when one and the same component (the master, or one override) satisfies everything that its comp-filter says;
an occurrence counts for the component that describes it, so one that an override moved away no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol.ical import alarms, availability
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.filters.text import param_matches, satisfies, texts_of
from protocol.ical.filters.tree import ANY, CompFilter, PropFilter
from protocol.ical.instants import instant, instants, wall_range
from protocol.ical.recurrence import Budget, occurrences_of, span
from protocol.ical.schedule import Scheduled, own_stretch, recurs, scheduled, stretch
from protocol.ical.timezones import Zone
from protocol.model import FOREVER, TimeRange

_YEAR = 366 * 86400
_FIRST_STEP = 32 * 86400
_GROWTH = 4
_ROOM = 2 * 86400
_EFFECTIVE = frozenset({"DTSTART", "DTEND", "DUE"})


def matches(filter_: CompFilter, document: Document, zone: Zone | None, budget: Budget) -> bool:
    """Whether an object matches a VCALENDAR filter.

    ``zone`` is where floating and all-day data are at home (``None``: UTC). Refuses with ``max-instances`` when
    the budget does not suffice to tell.
    """
    if filter_.name not in ("VCALENDAR", ANY):
        return filter_.is_not_defined
    return not filter_.is_not_defined and _Matcher(document, zone, budget).calendar(filter_)


class _Matcher:
    """One document under one filter: remembers what its time ranges found."""

    __slots__ = ("_budget", "_chunks", "_document", "_members", "_zone")

    def __init__(self, document: Document, zone: Zone | None, budget: Budget) -> None:
        self._document = document
        self._zone = zone
        self._budget = budget
        self._members = {id(member): member for member in document.members}
        self._chunks: dict[tuple[int | None, int | None], list[Scheduled]] = {}

    def calendar(self, filter_: CompFilter) -> bool:
        document = self._document
        kind = document.component.name
        # Of two overrides for one occurrence only one counts; the other is still in the text.
        children = [item for item in document.calendar.components if item.name != kind or id(item) in self._members]
        return self._component(filter_, document.calendar, children, None)

    def _component(
        self, filter_: CompFilter, component: Component, children: list[Component], parent: Component | None
    ) -> bool:
        """Whether a component satisfies what its comp-filter says; an empty filter is satisfied."""
        tests = self._tests(filter_, component, children, parent)
        if filter_.test == "anyof":
            empty = filter_.time_range is None and not filter_.prop_filters and not filter_.comp_filters
            return empty or any(tests)
        return all(tests)

    def _tests(
        self, filter_: CompFilter, component: Component, children: list[Component], parent: Component | None
    ) -> Iterator[bool]:
        """The tests of a comp-filter, the cheap ones first."""
        for prop in filter_.prop_filters:
            yield self._property(prop, component)
        if filter_.time_range is not None:
            yield self._in_range(component, parent, filter_.time_range)
        for child in filter_.comp_filters:
            yield self._any_child(child, children, component)

    def _any_child(self, filter_: CompFilter, scope: list[Component], parent: Component) -> bool:
        named = [item for item in scope if filter_.name in (ANY, item.name)]
        if filter_.is_not_defined:
            return not named
        return any(self._component(filter_, item, item.components, parent) for item in named)

    # -- time

    def _in_range(self, component: Component, parent: Component | None, window: TimeRange) -> bool:
        if id(component) in self._members:
            return any(item.component is component for item in self._scheduled(component, window))
        if parent is None or id(parent) not in self._members:
            return False
        if component.name == "VALARM":
            return alarms.overlaps(self._document, parent, component, window, self._zone, self._budget)
        return component.name == "AVAILABLE" and self._available(component, parent, window)

    def _available(self, component: Component, parent: Component, window: TimeRange) -> bool:
        timezones = self._document.timezones
        for master, overrides in availability.series_of(parent):
            found = occurrences_of(master, overrides, timezones, window, zone_floating=self._zone, budget=self._budget)
            if any(item.component is component for item in found):
                return True
        return False

    def _scheduled(self, component: Component, window: TimeRange) -> Iterator[Scheduled]:
        """The occurrences in a window, in pieces from the near end on, so that one that exists is found soon."""
        for low, high in self._pieces(component, window):
            found = self._chunks.get((low, high))
            if found is None:
                found = scheduled(self._document, TimeRange(low, high), self._zone, self._budget)
                self._chunks[low, high] = found
            yield from (item for item in found if self._meets(item, window))

    def _meets(self, item: Scheduled, window: TimeRange) -> bool:
        """Whether a piece's occurrence is in the window, which the piece need not be part of."""
        return (wall_range(window, self._zone) if item.entry.floating else window).overlaps(
            item.entry.start, item.entry.end
        )

    def _pieces(self, component: Component, window: TimeRange) -> Iterator[tuple[int | None, int | None]]:
        low, high = window.start, window.end
        if not recurs(self._document) or (low is not None and high is not None and high - low <= _YEAR):
            yield low, high
            return
        recurrence_id = component.first("RECURRENCE-ID")
        if recurrence_id is not None and recurrence_id.param("RANGE") is None:
            # It describes one occurrence: where that is, not where the series is, is the place to look.
            times = own_stretch(component, self._document, self._zone)
            at = instant(recurrence_id, self._document.timezones, self._zone)
            if times is not None:
                yield times[0] - 1, times[1] + 1
            elif at is not None:
                yield at[0] - 1, at[0] + 1  # without times of its own it stays where it was
            return
        first, last = span(self._document)
        low = max(-FOREVER if low is None else low, first - _ROOM)
        high = min(FOREVER if high is None else high, last + _ROOM, self._succeeded_at(component) + _ROOM)
        step = _FIRST_STEP
        while low < high:
            yield low, min(low + step, high)
            low, step = low + step, step * _GROWTH

    def _succeeded_at(self, component: Component) -> int:
        """From when on a later THISANDFUTURE override describes the series instead of a component."""
        own, shift = -FOREVER, 0
        followers = []
        for override in self._document.overrides:
            line = override.first("RECURRENCE-ID")
            found = instant(line, self._document.timezones, self._zone)
            if line is None or found is None or line.param("RANGE") is None:
                continue
            if override is component:
                own = found[0]
                times = own_stretch(override, self._document, self._zone)
                shift = 0 if times is None else max(times[0] - own, 0)
            followers.append(found[0])
        return min((at for at in followers if at > own), default=FOREVER) + shift

    # -- properties

    def _property(self, filter_: PropFilter, component: Component) -> bool:
        lines = [line for line in component.properties if line.name == filter_.name]
        if filter_.is_not_defined:
            return not lines
        window = filter_.time_range
        if window is None:
            return any(_line_matches(filter_, line, False) for line in lines)
        if filter_.name in _EFFECTIVE and id(component) in self._members:
            if not lines:
                untested = not filter_.param_filters or filter_.test == "anyof"
                effective = untested and _has_effective(component, filter_.name)
                return effective and self._effective(component, filter_.name, window)
            in_range = self._effective(component, filter_.name, window)
            return any(_line_matches(filter_, line, in_range) for line in lines)
        return any(_line_matches(filter_, line, self._line_in_range(line, window)) for line in lines)

    def _line_in_range(self, line: Property, window: TimeRange) -> bool:
        return any(window.overlaps(at, at + 1) for at, _ in instants(line, self._document.timezones, self._zone))

    def _effective(self, component: Component, name: str, window: TimeRange) -> bool:
        """Whether an occurrence's effective DTSTART, or DTEND or DUE, is in a window (RFC 4791 §9.9)."""
        is_end = name != "DTSTART"
        if not recurs(self._document):
            times = own_stretch(component, self._document, self._zone)
            return times is not None and window.overlaps(times[is_end], times[is_end] + 1)
        # An occurrence that ends at the first second of the range no longer meets it.
        wider = TimeRange(None if window.start is None else window.start - 1, window.end)
        for item in self._scheduled(component, wider):
            if item.component is component:
                times = stretch(item, self._document, self._zone)
                if times is not None and window.overlaps(times[is_end], times[is_end] + 1):
                    return True
        return False


def _has_effective(component: Component, name: str) -> bool:
    """Whether a component without ``name`` still has an effective value of it (RFC 4791 §9.9)."""
    wanted = {"DTEND": "VEVENT", "DUE": "VTODO"}.get(name)
    return component.name == wanted and component.first("DURATION") is not None


def _line_matches(filter_: PropFilter, line: Property, in_range: bool) -> bool:
    tests = [param_matches(item, line) for item in filter_.param_filters]
    if filter_.time_range is not None:
        tests.append(in_range)
    if filter_.text_match is not None:
        tests.append(satisfies(filter_.text_match, texts_of(line)))
    return not tests or (any(tests) if filter_.test == "anyof" else all(tests))
