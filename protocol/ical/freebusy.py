"""Free-busy time of calendar objects, and the VFREEBUSY of an answer (RFC 4791 §7.10, RFC 5545 §3.6.4, RFC 7953 §4).

Rules of this module: it collects the periods of an object and writes the answer; ``periods`` does the arithmetic,
``availability`` reads VAVAILABILITY. Only the times of an object and their types appear in an answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol.ical import availability
from protocol.ical.components import Component, Property, escape, fold, property_map
from protocol.ical.document import Document
from protocol.ical.instants import instant, to_instants
from protocol.ical.instants import periods as periods_of_line
from protocol.ical.names import FBTYPES
from protocol.ical.overlap import busy_type as busy_type_of
from protocol.ical.overlap import fbtype_of
from protocol.ical.periods import FIRST_INSTANT, LAST_INSTANT, BusyPeriod, clip, merge, utc_text
from protocol.ical.recurrence import Budget
from protocol.ical.time_range import range_matches
from protocol.ical.timezones import Zone
from protocol.model import BusyType, ComponentKind, TimeRange

__all__ = ["BusyPeriod", "busy_periods", "busy_type", "merge", "render_freebusy"]


def busy_type(event: Component) -> BusyType:
    """The free-busy time that a VEVENT makes, by the TRANSP and STATUS table of RFC 4791 §7.10."""
    return busy_type_of(property_map(event))


def busy_periods(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[BusyPeriod]:
    """The periods of one object that meet a window, neither clipped nor merged; VTODO and VJOURNAL have none.

    ``zone`` is the zone of floating and all-day data. VAVAILABILITY gives the time that it makes unavailable; to
    combine several by priority, use ``availability.unavailable``. Refuses with ``max-instances`` when the budget is
    used up.
    """
    if document.component is ComponentKind.VEVENT:
        return _event_periods(document, window, zone, budget)
    if document.component is ComponentKind.VFREEBUSY:
        return _stored_periods(document, window, zone)
    if document.component is ComponentKind.VAVAILABILITY:
        found = availability.availabilities(document.calendar, window, zone, budget)
        return availability.unavailable(found, window)
    return []


def _event_periods(document: Document, window: TimeRange, zone: Zone | None, budget: Budget) -> list[BusyPeriod]:
    if not any(busy_type(member) for member in document.members):
        return []
    return [
        BusyPeriod(*to_instants(entry.start, entry.end, entry.floating, zone), entry.busy)
        for _, entry, _ in range_matches(document, window, zone, budget)
        if entry.busy is not BusyType.FREE
    ]


def _stored_periods(document: Document, window: TimeRange, zone: Zone | None) -> list[BusyPeriod]:
    """The FREEBUSY values of a stored VFREEBUSY, within its DTSTART and DTEND if it has them (RFC 5545 §3.6.4)."""
    found: list[BusyPeriod] = []
    for member in document.members:
        begins = instant(member.first("DTSTART"), document.timezones, zone)
        ends = instant(member.first("DTEND"), document.timezones, zone)
        whole = TimeRange(begins[0], ends[0]) if begins is not None and ends is not None else TimeRange()
        for line in member.all("FREEBUSY"):
            kind = fbtype_of(line)
            if kind is BusyType.FREE:
                continue
            spans = clip(periods_of_line(line, document.timezones, zone), whole)
            found.extend(BusyPeriod(start, end, kind) for start, end in spans if window.overlaps(start, end))
    return found


def render_freebusy(
    periods: Iterable[BusyPeriod],
    window: TimeRange,
    *,
    now: int,
    prodid: str,
    uid: str | None = None,
    organizer: Property | None = None,
    attendee: Property | None = None,
    method: str | None = None,
) -> bytes:
    """A VCALENDAR with one VFREEBUSY that lists ``periods`` (from ``merge``) for a window.

    An open end becomes the first or last instant that a DATE-TIME can express, because a VFREEBUSY states the time it
    covers (RFC 5545 §3.6.4). ``organizer`` and ``attendee`` are copied as they are: an answer to an iTIP request
    repeats them (RFC 5546 §3.3.2). All periods are in order of time; consecutive ones of the same type share a
    property.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{escape(prodid)}"]
    if method is not None:
        lines.append(f"METHOD:{method}")
    lines.append("BEGIN:VFREEBUSY")
    if uid is not None:
        lines.append(f"UID:{uid}")
    lines.append(f"DTSTAMP:{utc_text(now)}")
    lines.append(f"DTSTART:{utc_text(FIRST_INSTANT if window.start is None else window.start)}")
    lines.append(f"DTEND:{utc_text(LAST_INSTANT if window.end is None else window.end)}")
    lines.extend(line.raw for line in (organizer, attendee) if line is not None)
    lines.extend(_freebusy_lines(periods))
    lines.extend(("END:VFREEBUSY", "END:VCALENDAR", ""))
    return "\r\n".join([line if len(line) < 19 else fold(line) for line in lines]).encode()


def _freebusy_lines(periods: Iterable[BusyPeriod]) -> list[str]:
    lines: list[str] = []
    values: list[str] = []
    current: BusyType | None = None
    for start, end, kind in periods:
        if start >= LAST_INSTANT or end <= FIRST_INSTANT:
            continue  # no DATE-TIME can express it
        if kind is not current:
            if current is not None:
                lines.append(_freebusy_line(current, values))
            values, current = [], kind
        values.append(f"{utc_text(start)}/{utc_text(end)}")
    if current is not None:
        lines.append(_freebusy_line(current, values))
    return lines


def _freebusy_line(kind: BusyType, values: list[str]) -> str:
    head = "FREEBUSY" if kind is BusyType.BUSY else f"FREEBUSY;FBTYPE={FBTYPES[kind]}"
    return f"{head}:{','.join(values)}"
