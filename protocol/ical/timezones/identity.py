"""A time zone by its name: IANA names, and the names that programs use instead (RFC 5545 §3.8.3.1, RFC 7808).

Exchange sends Windows names (CLDR maps them), Evolution and Mozilla put an authority before the IANA name, Lotus and
Outlook send what their users see. Rules of this module: names in, IANA keys out; it reads no definition. A name that
needs more than the table and the steps below would be a guess, and ``definitions`` knows better.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_UTC_NAMES = frozenset(
    {"utc", "gmt", "z", "etc/utc", "etc/gmt", "zulu", "uct", "universal", "greenwich", "etc/zulu", "etc/uct"}
    | {"etc/universal", "etc/greenwich", "gmt0", "etc/gmt0", "gmt+0", "gmt-0", "etc/gmt+0", "etc/gmt-0", "0"}
    | {"coordinated universal time", "(utc) coordinated universal time", "utc+00:00", "gmt+00:00"}
)

AMBIGUOUS = frozenset({"est", "mst", "hst"})
"""IANA gives these a fixed offset, but programs mean the American zone with summer time: a definition wins."""

_ADDITIONS = {
    # Lotus Notes
    "romance": "Europe/Paris",
    "western/central europe": "Europe/Berlin",
    "w. europe": "Europe/Berlin",
    "central european": "Europe/Warsaw",
    "central europe": "Europe/Budapest",
    "e. europe": "Europe/Chisinau",
    "gmt standard": "Europe/London",
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "atlantic": "America/Halifax",
    "alaskan": "America/Anchorage",
    "hawaiian": "Pacific/Honolulu",
    "tokyo": "Asia/Tokyo",
    # what Outlook and Outlook.com show
    "eastern time (us & canada)": "America/New_York",
    "central time (us & canada)": "America/Chicago",
    "mountain time (us & canada)": "America/Denver",
    "pacific time (us & canada)": "America/Los_Angeles",
    "atlantic time (canada)": "America/Halifax",
    "eastern time": "America/New_York",
    "central time": "America/Chicago",
    "mountain time": "America/Denver",
    "pacific time": "America/Los_Angeles",
    "central america": "America/Guatemala",
    "indiana (east)": "America/Indiana/Indianapolis",
    "arizona": "America/Phoenix",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "newfoundland": "America/St_Johns",
    "brasilia": "America/Sao_Paulo",
    "greenland": "America/Nuuk",
    "azores": "Atlantic/Azores",
    "west central africa": "Africa/Lagos",
    "bern": "Europe/Zurich",
    "abu dhabi": "Asia/Dubai",
    "chennai": "Asia/Kolkata",
    "mumbai": "Asia/Kolkata",
    "new delhi": "Asia/Kolkata",
    "sri jayawardenepura": "Asia/Colombo",
    "beijing": "Asia/Shanghai",
    "osaka": "Asia/Tokyo",
    "hanoi": "Asia/Bangkok",
    "wellington": "Pacific/Auckland",
    "pretoria": "Africa/Johannesburg",
    "kyiv": "Europe/Kyiv",
    # Windows names that CLDR dropped, and common misspellings
    "kamchatka standard time": "Asia/Kamchatka",
    "mid-atlantic standard time": "Atlantic/South_Georgia",
    "armenian standard time": "Asia/Yerevan",
    "mexico standard time": "America/Mexico_City",
    "mexico standard time 2": "America/Chihuahua",
    "us-eastern": "America/New_York",
    "us-central": "America/Chicago",
    "us-mountain": "America/Denver",
    "us-pacific": "America/Los_Angeles",
    "mexico/general": "America/Mexico_City",
    "europe/germany": "Europe/Berlin",
    "america/sanjose": "America/Los_Angeles",
    "america-sanjose": "America/Los_Angeles",
}

_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2}):?(\d{2})?\Z", re.ASCII)
_DISPLAY = re.compile(r"\((?:utc|gmt)\s*([+-]\d{1,2}(?::?\d{2})?)?\)\s*(.*)\Z", re.ASCII)
_COPY_NUMBER = re.compile(r"\s+\d{1,2}\Z", re.ASCII)
_MAX_NAME = 255


def _windows_names() -> dict[str, str]:
    """CLDR's table; loaded when a name first needs it, because its package is large."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return WINDOWS_TO_OLSON


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Lower-case IANA keys, Windows names, and cities that end an IANA key."""
    keys = files("tzdata").joinpath("zones").read_text("ascii").split()
    iana = {key.lower(): key for key in keys}
    windows = {name.lower(): key for name, key in _windows_names().items()}
    cities: dict[str, str] = {}
    for key in keys:
        area, slash, city = key.rpartition("/")
        if slash and not area.startswith("Etc"):
            cities.setdefault(city.lower().replace("_", " "), key)
    return iana, windows, cities


def canonical_keys() -> tuple[str, ...]:
    """One IANA key for each set of rules in use today: the common ones of CLDR's Windows table."""
    return tuple(dict.fromkeys(_windows_names().values()))


@lru_cache(maxsize=4096)
def zone_by_name(tzid: str) -> tzinfo | None:
    """The zone of a TZID by its name alone; ``None`` when it is not the name of a zone."""
    name = tzid.strip().strip('"').strip().replace("\\,", ",").replace("\\;", ";")
    if not name or len(name) > _MAX_NAME:
        return None
    lowered = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    if lowered in _UTC_NAMES:
        return UTC
    key = _key(lowered)
    if key is None:
        return _by_offset(lowered)
    return UTC if key.lower() in _UTC_NAMES else ZoneInfo(key)


def _key(name: str) -> str | None:
    iana, windows, _ = _tables()
    for form in (name, name.replace(" ", "_"), name.replace("-", "/", 1)):
        if form in iana:
            return iana[form]
    key = _ADDITIONS.get(name) or windows.get(name) or windows.get(f"{name} standard time")
    if key is not None:
        return key
    if name.startswith("tzone://"):
        return _key(name.rpartition("/")[2])
    return _without_authority(name) or _without_copy_number(name) or _by_display_name(name)


def _without_authority(name: str) -> str | None:
    """``/freeassociation.sourceforge.net/Europe/Berlin``: a globally unique TZID (RFC 5545 §3.2.19)."""
    if not name.startswith("/"):
        return None
    iana = _tables()[0]
    parts = name[1:].split("/")
    for first in range(len(parts)):
        rest = "/".join(parts[first:])
        # A single last part such as "Custom" or "EST" is not enough after an authority.
        if rest in iana and ("/" in rest or first == 0):
            return iana[rest]
    return None


def _without_copy_number(name: str) -> str | None:
    """``GMT Standard Time 1``: Outlook numbers a zone that it changed or found twice."""
    shorter = _COPY_NUMBER.sub("", name)
    return _key(shorter) if shorter != name and " " in shorter else None


def _by_display_name(name: str) -> str | None:
    """``(UTC+01:00) Amsterdam, Berlin``, ``Kuala Lumpur, Singapore``: the first place that is an IANA city."""
    found = _DISPLAY.match(name)
    if found is None and "," not in name:
        return None
    cities = _tables()[2]
    places = found[2] if found else name
    for place in (places, *places.split(",")):
        stripped = place.strip()
        key = _ADDITIONS.get(stripped) or cities.get(stripped)
        if key is not None:
            return key
    return None


def _by_offset(name: str) -> tzinfo | None:
    """``+01``, ``UTC+02:00``, ``(UTC-03:00)``: an offset alone."""
    found = _OFFSET.match(name.removeprefix("(").removesuffix(")"))
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if minutes >= 24 * 60 or int(found[3] or 0) >= 60:
        return None
    if minutes == 0:
        return UTC
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
