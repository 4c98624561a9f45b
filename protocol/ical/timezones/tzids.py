"""Which VTIMEZONE of an object a TZID parameter means (RFC 5545 §3.2.19, §3.8.3.1).

The TZID of a property is a parameter, quoted if needed. The TZID of a VTIMEZONE is TEXT, with escaped commas,
semicolons and backslashes (RFC 5545 §3.3.11). Rules of this module: no other module compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from protocol.ical.components import Component, unescape

T = TypeVar("T")


def tzid_of(vtimezone: Component) -> str:
    """The TZID of a VTIMEZONE, as the parameters of other properties write it."""
    return as_parameter(vtimezone.value("TZID") or "")


def as_parameter(text: str) -> str:
    """The value of a VTIMEZONE's TZID line, as the parameters of other properties write it."""
    return unescape(text).strip()


def definitions_of(components: Iterable[Component]) -> dict[str, Component]:
    """The VTIMEZONEs among some components, by ``tzid_of``; the first of equal names counts."""
    found: dict[str, Component] = {}
    for component in components:
        if component.name == "VTIMEZONE":
            found.setdefault(tzid_of(component), component)
    return found


def definition_of(tzid: str, definitions: Mapping[str, T]) -> T | None:
    """The value for the VTIMEZONE that a parameter names, from a mapping by ``tzid_of``."""
    tzid = tzid.strip()
    found = definitions.get(tzid)
    # Some clients escape the parameter like the TEXT it was copied from.
    return definitions.get(as_parameter(tzid)) if found is None and "\\" in tzid else found
