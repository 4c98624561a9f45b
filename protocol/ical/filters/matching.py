"""Whether a document matches a filter (RFC 4791 §9.7 to §9.9).

Rules of this module: ``time_range`` and ``alarms`` decide about time, ``text`` about text. One and the same component
(the master, or one override) must satisfy everything in its comp-filter. An occurrence counts for the component that
describes it, so an occurrence that an override moved away no longer counts for the master.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from protocol.ical import alarms, availability
from protocol.ical.components import Component, Property
from protocol.ical.document import Document
from protocol.ical.filters.text import param_matches, satisfies, texts_of
from protocol.ical.filters.tree import ANY, CompFilter, PropFilter
from protocol.ical.instants import instant, instants, to_instants, wall_range_of, widened
from protocol.ical.names import END_NAMES, START_NAMES
from protocol.ical.recurrence import Budget, occurrences_of, span
from protocol.ical.time_range import (
    RangeMatch,
    effective_span,
    meets,
    override_matches,
    own_span,
    range_matches,
    recurs,
)
from protocol.ical.timezones import Zone
from protocol.model import DAY, FOREVER, TimeRange

_YEAR = 366 * DAY
_FIRST_STEP = 32 * DAY
_GROWTH = 4
_ROOM = 2 * DAY
_EFFECTIVE = frozenset({*START_NAMES, *END_NAMES})


def matches(filter_: CompFilter, document: Document, zone: Zone | None, budget: Budget) -> bool:
    """Whether an object matches a VCALENDAR filter.

    ``zone`` is the zone of floating and all-day data (``None``: UTC). Refuses with ``max-instances`` when the budget is
    used up before the answer is known.
    """
    if filter_.name not in ("VCALENDAR", ANY):
        return filter_.is_not_defined
    return not filter_.is_not_defined and _Matcher(document, zone, budget).calendar(filter_)


class _Matcher:
    """One document under one filter; it remembers what its time ranges found."""

    __slots__ = ("_budget", "_chunks", "_document", "_members", "_overrides", "_range_starts", "_span", "_zone")

    def __init__(self, document: Document, zone: Zone | None, budget: Budget) -> None:
        self._document = document
        self._zone = zone
        self._budget = budget
        self._members = {id(member): member for member in document.members}
        self._chunks: dict[tuple[int | None, int | None], dict[int, list[RangeMatch]]] = {}
        self._overrides: dict[int, RangeMatch] | None = None
        self._span: tuple[int, int] | None = None
        self._range_starts: list[int] | None = None
        """The original starts of the range overrides."""

    def calendar(self, filter_: CompFilter) -> bool:
        document = self._document
        kind = document.component.name
        # Of two overrides for one occurrence only one counts, but the text still has both.
        children = [item for item in document.calendar.components if item.name != kind or id(item) in self._members]
        return self._component(filter_, document.calendar, children, None)

    def _component(
        self, filter_: CompFilter, component: Component, children: list[Component], parent: Component | None
    ) -> bool:
        """Whether a component satisfies its comp-filter; an empty filter is satisfied."""
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
            return any(item.component is component for item in self._matches_in(component, window))
        if parent is None or id(parent) not in self._members:
            return False
        if component.name == "VALARM":
            return alarms.overlaps(self._document, parent, component, window, self._zone, self._budget)
        return component.name == "AVAILABLE" and self._available(component, parent, window)

    def _available(self, component: Component, parent: Component, window: TimeRange) -> bool:
        timezones, zone = self._document.timezones, self._zone
        wider = widened(window, zone)
        self._budget.spend(len(parent.components))
        for master, overrides in availability.series_of(parent):
            if component is not master and not any(component is each for each in overrides):
                continue  # the component of the other UID tests its own occurrences
            found = occurrences_of(master, overrides, timezones, wider, zone_floating=zone, budget=self._budget)
            for item in found:
                start, end = to_instants(item.start, item.end, item.floating, zone)
                if item.component is component and window.overlaps(start, max(end, start + 1)):
                    return True
        return False

    def _matches_in(self, component: Component, window: TimeRange) -> Iterable[RangeMatch]:
        """A component's occurrences in a window, found in chunks from the near end on, so that the first comes soon."""
        document, zone = self._document, self._zone
        low, high = window.start, window.end
        if not recurs(document) or (low is not None and high is not None and high - low <= _YEAR):
            return self._matches_between(component, low, high)
        walls = wall_range_of(window, zone)
        # A chunk may reach beyond the window.
        chunks = self._matches_by_chunks(component, low, high)
        return (item for items in chunks for item in items if meets(item, document, window, walls, zone))

    def _matches_by_chunks(self, component: Component, low: int | None, high: int | None) -> Iterator[list[RangeMatch]]:
        recurrence_id = component.first("RECURRENCE-ID")
        if recurrence_id is not None and recurrence_id.param("RANGE") is None:
            # It describes one occurrence: look where that is, not where the series is.
            yield self._own_match(component)
            return
        if self._span is None:
            self._span = span(self._document)
        first, last = self._span
        low = max(-FOREVER if low is None else low, first - _ROOM)
        # End where the series ends, not where another component takes over, so that all components share the chunks.
        high = min(FOREVER if high is None else high, last + _ROOM)
        until = min(high, self._described_until(component) + _ROOM)
        step = _FIRST_STEP
        while low < until:
            yield self._matches_between(component, low, min(low + step, high))
            low, step = low + step, step * _GROWTH

    def _matches_between(self, component: Component, low: int | None, high: int | None) -> list[RangeMatch]:
        """The occurrences of a component in a range; one search serves all components."""
        found = self._chunks.get((low, high))
        if found is None:
            found = self._chunks[low, high] = {}
            for item in range_matches(self._document, TimeRange(low, high), self._zone, self._budget):
                found.setdefault(id(item.component), []).append(item)
        return found.get(id(component), [])

    def _own_match(self, override: Component) -> list[RangeMatch]:
        if self._overrides is None:
            self._overrides = override_matches(self._document, self._zone, self._budget)
        item = self._overrides.get(id(override))
        return [] if item is None else [item]

    def _described_until(self, component: Component) -> int:
        """The instant from which a later range override describes the series instead of a component."""
        if self._range_starts is None:
            lines = ((override, override.first("RECURRENCE-ID")) for override in self._document.overrides)
            found = (
                instant(line, self._document.timezones, self._zone)
                for _, line in lines
                if line is not None and line.param("RANGE") is not None
            )
            self._range_starts = sorted({at[0] for at in found if at is not None})
        own = instant(component.first("RECURRENCE-ID"), self._document.timezones, self._zone)
        place = 0 if own is None else bisect_right(self._range_starts, own[0])
        if place == len(self._range_starts):
            return FOREVER
        times = None if own is None else own_span(component, self._document, self._zone)
        shift = 0 if times is None or own is None else max(times[0] - own[0], 0)
        return self._range_starts[place] + shift

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
            times = own_span(component, self._document, self._zone)
            return times is not None and window.overlaps(times[is_end], times[is_end] + 1)
        # An occurrence that ends at the first second of the range does not meet the range itself.
        wider = TimeRange(None if window.start is None else window.start - 1, window.end)
        for item in self._matches_in(component, wider):
            if item.component is component:
                times = effective_span(item, self._document, self._zone)
                if times is not None and window.overlaps(times[is_end], times[is_end] + 1):
                    return True
        return False


def _has_effective(component: Component, name: str) -> bool:
    """Whether a component without ``name`` has an effective value of it (RFC 4791 §9.9)."""
    wanted = {"DTEND": "VEVENT", "DUE": "VTODO"}.get(name)
    return component.name == wanted and component.first("DURATION") is not None


def _line_matches(filter_: PropFilter, line: Property, in_range: bool) -> bool:
    tests = [param_matches(item, line) for item in filter_.param_filters]
    if filter_.time_range is not None:
        tests.append(in_range)
    if filter_.text_match is not None:
        tests.append(satisfies(filter_.text_match, texts_of(line)))
    return not tests or (any(tests) if filter_.test == "anyof" else all(tests))
