"""Which VTIMEZONE of an object a TZID parameter means (RFC 5545 §3.2.19, §3.8.3.1).

A property's TZID is a parameter, quoted where it must be; a VTIMEZONE's is TEXT, with commas, semicolons and
backslashes escaped (RFC 5545 §3.3.11). Rules of this module: the only place where the two are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from protocol.ical.components import Component, unescape

T = TypeVar("T")


def tzid_of(vtimezone: Component) -> str:
    """The TZID of a VTIMEZONE as the parameters of other properties write it."""
    return as_parameter(vtimezone.value("TZID") or "")


def as_parameter(text: str) -> str:
    """The value of a VTIMEZONE's TZID line as the parameters of other properties write it."""
    return unescape(text).strip()


def definitions_of(components: Iterable[Component]) -> dict[str, Component]:
    """The VTIMEZONEs among some components by ``tzid_of``; of two with one name the first counts."""
    found: dict[str, Component] = {}
    for component in components:
        if component.name == "VTIMEZONE":
            found.setdefault(tzid_of(component), component)
    return found


def definition_of(tzid: str, definitions: Mapping[str, T]) -> T | None:
    """What belongs to the VTIMEZONE that a parameter's value names, out of a mapping by ``tzid_of``."""
    tzid = tzid.strip()
    found = definitions.get(tzid)
    # Seen: a parameter escaped like the TEXT it was copied from.
    return definitions.get(as_parameter(tzid)) if found is None and "\\" in tzid else found
