"""RSCALE: which calendar systems rules may use (RFC 7529 §5, CLDR calendar names)."""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.rules.calendars import GREGORIAN, CalendarSystem

_GREGORIAN_NAMES = frozenset({"GREGORIAN", "GREGORY"})


def calendar_system(rscale: str | None) -> CalendarSystem:
    """The calendar an RSCALE names; refuses with CALDAV:supported-rscale (RFC 7529 §5.4) when it is unknown."""
    if rscale is None or rscale in _GREGORIAN_NAMES:
        return GREGORIAN
    raise Refusal(Condition.SUPPORTED_RSCALE, f"The calendar system {rscale[:40]} is not supported here.")
