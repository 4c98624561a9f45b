"""RSCALE: the calendar systems that rules may use (RFC 7529 §5; names and aliases come from CLDR)."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

from protocol.errors import Condition, Refusal
from protocol.ical.rules.calendars import GREGORIAN, CalendarSystem

# Calendars that differ from the Gregorian in their names or year numbers only; months and days are the same.
_GREGORIAN_NAMES = frozenset({"GREGORIAN", "GREGORY", "ISO8601", "BUDDHIST", "JAPANESE", "ROC"})

_ICU_NAMES = {
    "CHINESE": "chinese",
    "COPTIC": "coptic",
    "DANGI": "dangi",
    "ETHIOPIC": "ethiopic",
    "ETHIOPIC-AMETE-ALEM": "ethiopic-amete-alem",
    "ETHIOAA": "ethiopic-amete-alem",
    "HEBREW": "hebrew",
    "INDIAN": "indian",
    "ISLAMIC": "islamic",
    "ISLAMIC-CIVIL": "islamic-civil",
    "ISLAMICC": "islamic-civil",
    "ISLAMIC-TBLA": "islamic-tbla",
    "ISLAMIC-UMALQURA": "islamic-umalqura",
    "PERSIAN": "persian",
}


def supported_rscales() -> tuple[str, ...]:
    """The names for CALDAV:supported-rscale-set, sorted (RFC 7529 §10.1); there are more when PyICU is installed."""
    names = set(_GREGORIAN_NAMES)
    if find_spec("icu") is not None:
        names.update(_ICU_NAMES)
    return tuple(sorted(names))


@lru_cache(maxsize=32)
def calendar_system(rscale: str | None) -> CalendarSystem:
    """The calendar that an RSCALE names; refuses an unknown one with CALDAV:supported-rscale (RFC 7529 §5.4)."""
    if rscale is None or rscale in _GREGORIAN_NAMES:
        return GREGORIAN
    if rscale not in supported_rscales():
        raise Refusal(Condition.SUPPORTED_RSCALE, f"The calendar system {rscale[:40]} is not supported here.")
    from protocol.ical.rules.icu_calendar import IcuCalendar  # an optional dependency

    return IcuCalendar(_ICU_NAMES[rscale])
