"""Which zone a TZID means: first by its name, then by a known zone with the same rules, last by its definition.

RFC 5545 §3.2.19, §3.6.5; RFC 7808. Clients send old and broken definitions of well-known zones, but their users live by
the zone's present law.
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
    """The zone of a TZID, given the object's VTIMEZONE of that name; ``None`` when neither identifies a zone."""
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
    """The zone of a TZID parameter in an object with these VTIMEZONEs (from ``definitions_of``)."""
    return resolve(tzid.strip(), definition_of(tzid, definitions))


def zone_name(zone: Zone) -> str | None:
    """The IANA key of a zone; ``None`` for a client's own definition or a plain offset."""
    if zone is UTC:
        return "UTC"
    return zone.key if isinstance(zone, ZoneInfo) else None
