"""Expansion: each occurrence in a range as a component of its own, in UTC (RFC 4791 §9.6.5).

Rules of this module: content lines are copied, only times change. The common part of a component's occurrences is made
once (``_Template``), so that each further occurrence costs a few short lines. Lines that were not asked for are left
out before anything is repeated.
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, render_component
from protocol.ical.document import Document
from protocol.ical.instants import Timezones, instants, zone_of
from protocol.ical.lines import TIME_PARAMS, folded, params_without, with_value
from protocol.ical.names import RECURRENCE_NAMES, TIME_NAMES
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget, Occurrence
from protocol.ical.rendering.partial import component_request, prune, prune_component, prune_lines
from protocol.ical.rendering.request import CompRequest
from protocol.ical.time_range import range_matches
from protocol.ical.timezones import UTC, Zone, ZoneClock, clock_of
from protocol.ical.values import parse_duration
from protocol.model import DAY, ComponentKind, TimeRange

_TIMES = TIME_NAMES | {"RECURRENCE-ID"}

MAX_REPEATED = 8 * 1024 * 1024
"""Bytes of memory for repeated text of one object in an expansion; its first occurrence does not count."""
_ROOM = 160
"""About the size of the times of one occurrence; its other lines take four bytes a character if one is an emoji."""


def expand(
    document: Document, window: TimeRange, zone: Zone | None, budget: Budget, asked: CompRequest | None = None
) -> str:
    """The object as a VCALENDAR of the occurrences that meet a window, without recurrence and without time zones.

    ``zone`` is the zone of floating and all-day data (``None``: UTC) in the comparison; the answer keeps them as they
    are. Every occurrence of a recurring object has a RECURRENCE-ID, even the first. A component that does not recur
    (such as VFREEBUSY) is copied whole when it meets the window. VAVAILABILITY is copied as it is, because its
    AVAILABLE components recur in wall time, which UTC cannot express. Only what ``asked`` names is included (RFC 4791
    §9.6.1). Refuses with ``max-instances`` when the budget is used up, or before the answer becomes larger than
    ``MAX_REPEATED``.
    """
    found = range_matches(document, window, zone, budget)
    if document.component is ComponentKind.VAVAILABILITY and found:
        return render_component(document.calendar if asked is None else prune(document.calendar, asked))
    lines = document.calendar.properties
    if asked is not None:
        lines = prune(Component(document.calendar.name, lines), asked).properties
    pieces = ["BEGIN:VCALENDAR", *[folded(line.raw) for line in lines]]
    templates: dict[int, _Template] = {}
    repeated = 0
    for component, _, occurrence in found:
        template = templates.get(id(component))
        if template is None:
            template = templates[id(component)] = _Template(component, document, asked)
        elif occurrence is None:
            continue  # several intervals (FREEBUSY periods) of one component
        else:
            repeated += template.size
            if repeated > MAX_REPEATED:
                raise Refusal(Condition.MAX_INSTANCES, "The occurrences would take too much space; ask for less time.")
        if template.is_wanted:
            pieces += template.unexpanded() if occurrence is None else template.occurrence(occurrence)
    budget.answered += len(found)
    pieces.append("END:VCALENDAR\r\n")
    return "\r\n".join(pieces)


class _Template:
    """One component as text without its times, reduced to what was asked for."""

    __slots__ = (
        "_all_day",
        "_asked",
        "_begin",
        "_duration",
        "_end_name",
        "_heads",
        "_home",
        "_rest",
        "_times",
        "_timezones",
        "is_wanted",
        "size",
    )

    def __init__(self, component: Component, document: Document, asked: CompRequest | None) -> None:
        self._timezones = document.timezones
        self._times: dict[str, Property] = {}
        self._asked = None if asked is None else component_request(asked, component.name)
        self.is_wanted = asked is None or self._asked is not None
        rest: list[Property] = []
        for line in component.properties:
            name = line.name
            if name in _TIMES:
                self._times.setdefault(name, line)
            elif name not in RECURRENCE_NAMES:
                rest.append(line)
        self._begin = f"BEGIN:{component.name}"
        if self._asked is not None:
            component = prune_component(Component(component.name, rest, component.components), self._asked)
            rest = component.properties
        lines = [_in_utc(line, self._timezones) for line in rest]
        for child in component.components:
            _append(child, lines, self._timezones)
        lines.append(f"END:{component.name}")
        self._rest = "\r\n".join(lines)
        self.size = self._rest.__sizeof__() + _ROOM if self.is_wanted else 0
        self._end_name = "DUE" if component.name == "VTODO" else "DTEND"
        self._heads = {name: _head(line) for name, line in self._times.items()}
        self._duration = _seconds(self._times.get("DURATION"))
        self._home = _clock_of_series(document)
        start = self._times.get("DTSTART")
        self._all_day = start is not None and len(start.value.strip()) == 8

    def unexpanded(self) -> list[str]:
        """The component as it is, with its times in UTC."""
        return self._whole([_in_utc(line, self._timezones) for line in self._times.values()])

    def _whole(self, times: list[str]) -> list[str]:
        if self._asked is not None:
            times = prune_lines(times, self._asked)
        return [self._begin, *times, self._rest]

    def occurrence(self, occurrence: Occurrence) -> list[str]:
        """One occurrence of a recurring object; the lines that all occurrences share are one text."""
        lines = []
        starts = "DTSTART" in self._times
        # An override without a time of its own keeps the place that the series gave it.
        all_day = self._all_day if starts else occurrence.whole_day
        if starts or self._end_name not in self._times:
            lines.append(self._time("DTSTART", occurrence.start, occurrence.floating, all_day))
        if self._end_name in self._times:
            lines.append(self._time(self._end_name, occurrence.end, occurrence.floating, all_day))
        else:
            lines.extend(self._duration_or_end(occurrence, all_day))
        lines.append(self._recurrence_id(occurrence))
        return self._whole(lines)

    def _duration_or_end(self, occurrence: Occurrence, all_day: bool) -> list[str]:
        """DURATION when it gives the right end; else the end, unless leaving it out gives the right one."""
        lasts = occurrence.end - occurrence.start
        if self._duration == lasts:
            return [folded(self._times["DURATION"].raw)]
        # The remaining cases: nominal days that do not have 24 hours, or an RDATE with a PERIOD.
        if self._duration is None and lasts == (DAY if all_day else 0):
            return []
        return [self._time(self._end_name, occurrence.end, occurrence.floating, all_day)]

    def _time(self, name: str, at: int, floating: bool, all_day: bool) -> str:
        """A DTSTART, DTEND or DUE at an instant (floating time: wall seconds), with its foreign parameters."""
        head = self._heads.get(name, name)
        text = utc_text(at)
        if all_day:
            return folded(f"{head};VALUE=DATE:{text[:8]}")
        if floating:
            text = text[:-1]
        return f"{head}:{text}" if len(head) < 50 else folded(f"{head}:{text}")

    def _recurrence_id(self, occurrence: Occurrence) -> str:
        if occurrence.whole_day:
            return f"RECURRENCE-ID;VALUE=DATE:{utc_text(occurrence.wall)[:8]}"
        if self._home is None:
            return f"RECURRENCE-ID:{utc_text(occurrence.wall)[:-1]}"
        return f"RECURRENCE-ID:{utc_text(self._home.to_epoch(occurrence.wall))}"


def _clock_of_series(document: Document) -> ZoneClock | None:
    """The clock that gives the wall time of a document's original starts; ``None``: floating."""
    master = document.master
    line = None if master is None else master.first("DTSTART")
    if line is None and master is not None and master.name == "VTODO":
        line = master.first("DUE")  # a VTODO without DTSTART recurs by its DUE
    if line is None and document.overrides:
        line = document.overrides[0].first("RECURRENCE-ID")
    if line is None:
        return None
    zone = UTC if line.value.rstrip()[-1:] in "Zz" else zone_of(line, document.timezones)
    return None if zone is None else clock_of(zone)


def _head(line: Property) -> str:
    """The name of a time with its foreign parameters; most times have none."""
    text = line.params_text
    if not text or (text.count(";") == 1 and text.startswith((";TZID=", ";VALUE="))):
        return line.name
    return line.name + params_without(line, TIME_PARAMS)


def _seconds(line: Property | None) -> int | None:
    if line is None:
        return None
    try:
        return parse_duration(line.value.strip()).total
    except ValueError:
        return None


def _append(component: Component, lines: list[str], timezones: Timezones) -> None:
    lines.append(f"BEGIN:{component.name}")
    lines.extend(_in_utc(line, timezones) for line in component.properties)
    for child in component.components:
        _append(child, lines, timezones)
    lines.append(f"END:{component.name}")


def _in_utc(line: Property, timezones: Timezones) -> str:
    """A line as text with times in UTC; an unreadable time only loses its TZID."""
    raw = line.raw
    if "TZID" not in raw or line.param("TZID") is None:
        return folded(raw)
    found = instants(line, timezones, None)
    if zone_of(line, timezones) is None or len(found) != line.value.count(",") + 1:
        return folded(with_value(line, line.value, drop=frozenset({"TZID"})).raw)
    return folded(with_value(line, ",".join(utc_text(at) for at, _ in found)).raw)
