"""The value of CALDAV:calendar-timezone and CALDAV:timezone: a VCALENDAR text with one VTIMEZONE.

RFC 4791 §5.2.2 and §9.8. ``render`` makes that text from a name, for CALDAV:calendar-timezone-id (RFC 7809 §5.2).
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import PRODID, Component, Property, render_component
from protocol.ical.document import parse_calendar
from protocol.ical.timezones import Zone, render_vtimezone, resolve, tzid_of, zone_name


def parse(text: str) -> tuple[Zone, str | None]:
    """The zone of a text, and its IANA key when it has one.

    Refuses with CALDAV:valid-calendar-data unless the text has exactly one VTIMEZONE that names or defines a zone.
    """
    try:
        calendar = parse_calendar(text.encode())
    except Refusal as refusal:
        raise Refusal(Condition.VALID_CALENDAR_DATA, refusal.message) from None
    definitions = [each for each in calendar.components if each.name == "VTIMEZONE"]
    if len(definitions) != 1:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The time zone must be one VTIMEZONE.")
    zone = resolve(tzid_of(definitions[0]), definitions[0])
    if zone is None:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The VTIMEZONE neither names nor defines a time zone.")
    return zone, zone_name(zone)


def render(name: str) -> str | None:
    """The text of a zone known by name, from 1970 on and without end; ``None`` for an unknown name."""
    zone = resolve(name, None)
    if zone is None:
        return None
    header = [Property.make("VERSION", "2.0"), Property.make("PRODID", PRODID)]
    return render_component(Component("VCALENDAR", header, [render_vtimezone(zone, None, None, name)]))
