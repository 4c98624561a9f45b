"""Time zones: which zone a TZID means, and conversions between wall time and instants (RFC 5545 §3.6.5, §3.3.5).

``resolution`` decides by name (``identity``) and by VTIMEZONE rules (``definitions``). ``zone`` converts, ``rendering``
writes VTIMEZONEs for generated answers, ``tzids`` compares TZIDs. Zone data comes from ``zoneinfo`` with ``tzdata``.
"""

from __future__ import annotations

from datetime import UTC

from protocol.ical.timezones.definitions import CustomZone
from protocol.ical.timezones.identity import zone_by_name
from protocol.ical.timezones.rendering import render_vtimezone
from protocol.ical.timezones.resolution import (
    resolve,
    zone_name,
    zone_of_tzid,
)
from protocol.ical.timezones.tzids import definition_of, definitions_of, tzid_of
from protocol.ical.timezones.zone import Zone, ZoneClock, clock_of, to_epoch

__all__ = [
    "UTC",
    "CustomZone",
    "Zone",
    "ZoneClock",
    "clock_of",
    "definition_of",
    "definitions_of",
    "render_vtimezone",
    "resolve",
    "to_epoch",
    "tzid_of",
    "zone_by_name",
    "zone_name",
    "zone_of_tzid",
]
