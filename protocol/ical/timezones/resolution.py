"""Which zone a TZID means: identity first, a known zone with the same rules second, the definition itself last.

RFC 5545 §3.2.19, §3.6.5; RFC 4791 §5.2.2; RFC 7808. Clients ship stale and broken definitions of well-known zones; the
zone's own law is what its users live by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

from protocol.errors import Condition, Refusal
from protocol.ical.components import PRODID, Component, Property, render_component
from protocol.ical.timezones.definitions import zone_of_definition
from protocol.ical.timezones.identity import AMBIGUOUS, zone_by_name
from protocol.ical.timezones.rendering import render_vtimezone
from protocol.ical.timezones.tzids import definition_of, tzid_of
from protocol.ical.timezones.zone import Zone


def resolve(tzid: str, vtimezone: Component | None = None) -> Zone | None:
    """The zone a TZID means, given the object's VTIMEZONE of that name; ``None`` when nothing says which."""
    named = zone_by_name(tzid)
    if vtimezone is None:
        return named
    if isinstance(named, ZoneInfo) and tzid.strip().lower() not in AMBIGUOUS:
        return named
    if named is UTC:
        return named
    location = vtimezone.value("X-LIC-LOCATION") or vtimezone.value("TZID-ALIAS-OF")
    if location:
        alias = zone_by_name(location)
        if alias is not None:
            return alias
    own, known = zone_of_definition(vtimezone)
    if known is not None:
        return ZoneInfo(known)
    return own or named


def zone_of_tzid(tzid: str, definitions: Mapping[str, Component]) -> Zone | None:
    """The zone that a TZID parameter means in an object with these VTIMEZONEs, as ``definitions_of`` gives them."""
    return resolve(tzid.strip(), definition_of(tzid, definitions))


def zone_name(zone: Zone) -> str | None:
    """The IANA key of a zone; ``None`` for a definition of a client's own or a bare offset."""
    if zone is UTC:
        return "UTC"
    return zone.key if isinstance(zone, ZoneInfo) else None


def timezone_text(name: str) -> str | None:
    """The VCALENDAR text of a zone known by name, from 1970 on and without end (RFC 7809 §3.1.5)."""
    zone = resolve(name, None)
    if zone is None:
        return None
    header = [Property.make("VERSION", "2.0"), Property.make("PRODID", PRODID)]
    return render_component(Component("VCALENDAR", header, [render_vtimezone(zone, None, None, name)]))


def zone_of_timezone_text(text: str) -> tuple[Zone, str | None]:
    """The zone of a VCALENDAR text that holds a VTIMEZONE, and its IANA key (RFC 4791 §5.2.2).

    Refuses with CALDAV:valid-calendar-data unless there is exactly one VTIMEZONE that names or defines a zone.
    """
    from protocol.ical.document import parse_calendar  # here, because reading a document asks for its zones

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
