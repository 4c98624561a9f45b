"""Which zone a TZID means: identity first, a known zone with the same rules second, the definition itself last.

RFC 5545 §3.2.19, §3.6.5; RFC 7808. Clients ship stale and broken definitions of well-known zones; the
zone's own law is what its users live by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

from protocol.ical.components import Component
from protocol.ical.timezones.definitions import zone_of_definition
from protocol.ical.timezones.identity import AMBIGUOUS, zone_by_name
from protocol.ical.timezones.tzids import definition_of
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
