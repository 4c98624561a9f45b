"""Expansion: every occurrence in a range as a component of its own, in UTC (RFC 4791 §9.6.5).

Rules of this module: content lines are taken over as they stand but for the times. What is the same in every
occurrence of a component is made once (``_Template``), so that one occurrence more costs a few short lines.
"""

from __future__ import annotations

from protocol.ical.components import Component, Property, render_component
from protocol.ical.document import Document
from protocol.ical.instants import Timezones, instants, zone_of
from protocol.ical.lines import TIME_PARAMS, folded, params_without, said_again
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget, Occurrence
from protocol.ical.schedule import RECURRENCE_NAMES, scheduled
from protocol.ical.timezones import UTC, Clock, Zone, clock_of
from protocol.ical.values import parse_duration
from protocol.model import ComponentKind, TimeRange

_DAY = 86400
_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID"})


def expand(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> str:
    """The object as a VCALENDAR of the occurrences that meet a window, without recurrence and without time zones.

    ``zone`` is where floating and all-day data are at home (``None``: UTC) for the comparison; in the answer they
    stay as they are. Every occurrence of a recurring object has its RECURRENCE-ID, the first one too. What does not
    recur (VFREEBUSY among it) comes whole when it meets the window, and VAVAILABILITY as it is: its AVAILABLE
    components recur, in a wall time that UTC could not say. Refuses with ``max-instances`` when the budget does not
    suffice.
    """
    if document.component is ComponentKind.VAVAILABILITY and scheduled(document, window, zone, budget):
        return render_component(document.calendar)
    pieces = ["BEGIN:VCALENDAR"]
    pieces.extend([folded(line.raw) for line in document.calendar.properties])
    templates: dict[int, _Template] = {}
    for component, _, occurrence in scheduled(document, window, zone, budget):
        template = templates.get(id(component))
        if template is not None and occurrence is None:
            continue  # several intervals (FREEBUSY periods) of one component
        if template is None:
            template = templates[id(component)] = _Template(component, document)
        pieces.append(template.alone() if occurrence is None else template.occurrence(occurrence))
    pieces.append("END:VCALENDAR\r\n")
    return "\r\n".join(pieces)


class _Template:
    """One component as text with its times left out."""

    __slots__ = ("_all_day", "_begin", "_duration", "_end_name", "_heads", "_home", "_rest", "_times", "_timezones")

    def __init__(self, component: Component, document: Document) -> None:
        self._timezones = document.timezones
        self._times: dict[str, Property] = {}
        rest: list[str] = []
        for line in component.properties:
            name = line.name
            if name in _TIMES:
                self._times.setdefault(name, line)
            elif name not in RECURRENCE_NAMES:
                rest.append(_in_utc(line, self._timezones))
        for child in component.components:
            _append(child, rest, self._timezones)
        rest.append(f"END:{component.name}")
        self._begin = f"BEGIN:{component.name}"
        self._rest = "\r\n".join(rest)
        self._end_name = "DUE" if component.name == "VTODO" else "DTEND"
        self._heads = {name: name + params_without(line, TIME_PARAMS) for name, line in self._times.items()}
        self._duration = _seconds(self._times.get("DURATION"))
        self._home = _clock_of_series(document)
        start = self._times.get("DTSTART")
        self._all_day = start is not None and len(start.value.strip()) == 8

    def alone(self) -> str:
        """The component as it is, its times in UTC."""
        lines = [_in_utc(line, self._timezones) for line in self._times.values()]
        return "\r\n".join([self._begin, *lines, self._rest])

    def occurrence(self, occurrence: Occurrence) -> str:
        """One occurrence of a recurring object."""
        lines = [self._begin]
        starts = "DTSTART" in self._times
        # An override without a time of its own stands where the series had put it.
        all_day = self._all_day if starts else occurrence.whole_day
        if starts or self._end_name not in self._times:
            lines.append(self._time("DTSTART", occurrence.start, occurrence.floating, all_day))
        if self._end_name in self._times:
            lines.append(self._time(self._end_name, occurrence.end, occurrence.floating, all_day))
        else:
            lines.extend(self._duration_or_end(occurrence, all_day))
        lines.append(self._recurrence_id(occurrence))
        lines.append(self._rest)
        return "\r\n".join(lines)

    def _duration_or_end(self, occurrence: Occurrence, all_day: bool) -> list[str]:
        """DURATION where it says what the end is; else the end, where leaving it out would say another."""
        lasts = occurrence.end - occurrence.start
        if self._duration == lasts:
            return [folded(self._times["DURATION"].raw)]
        # Left over: nominal days that are no 24 hours, or an RDATE that is a PERIOD.
        if self._duration is None and lasts == (_DAY if all_day else 0):
            return []
        return [self._time(self._end_name, occurrence.end, occurrence.floating, all_day)]

    def _time(self, name: str, at: int, floating: bool, all_day: bool) -> str:
        """A DTSTART, DTEND or DUE at an instant (wall seconds when floating), with its foreign parameters."""
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


def _clock_of_series(document: Document) -> Clock | None:
    """The clock whose wall time the original starts of a document are; ``None``: floating."""
    line = None if document.master is None else document.master.first("DTSTART")
    if line is None and document.overrides:
        line = document.overrides[0].first("RECURRENCE-ID")
    if line is None:
        return None
    zone = UTC if line.value.rstrip()[-1:] in "Zz" else zone_of(line, document.timezones)
    return None if zone is None else clock_of(zone)


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
    """A line as text, times that refer to a time zone made UTC; one that cannot be read loses the reference only."""
    raw = line.raw
    if "TZID" not in raw or line.param("TZID") is None:
        return folded(raw)
    found = instants(line, timezones, None)
    if zone_of(line, timezones) is None or len(found) != line.value.count(",") + 1:
        return folded(said_again(line, line.value, drop=frozenset({"TZID"})).raw)
    return folded(said_again(line, ",".join(utc_text(at) for at, _ in found)).raw)
