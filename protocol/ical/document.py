"""A parsed calendar object resource: one UID, its master and its overrides (RFC 4791 §4.1).

Rules of this module: it only assembles; reading is ``scanner``, the rules are ``validation``, tolerated defects are
``compat``. A Document is a view: the client's bytes stay the truth, and whatever a repair changed here is changed
nowhere else unless ``Parsed.data`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, render_component
from protocol.ical.scanner import DEFAULT, Limits, scan
from protocol.ical.splitting import split_by_uid
from protocol.ical.validation import check_members
from protocol.model import ComponentKind, Uid

__all__ = [
    "DEFAULT",
    "Component",
    "Document",
    "Limits",
    "Parsed",
    "Property",
    "document_of",
    "parse_calendar",
    "parse_document",
    "render_component",
    "split_by_uid",
]


@dataclass(slots=True)
class Document:
    """A VCALENDAR of one UID: ``master`` is ``None`` when only overridden occurrences are known."""

    calendar: Component
    uid: Uid
    component: ComponentKind
    master: Component | None
    overrides: tuple[Component, ...] = ()
    timezones: dict[str, Component] = field(default_factory=dict)
    """TZID -> VTIMEZONE, as defined in this object."""
    cache: dict[str, object] = field(default_factory=dict, compare=False, repr=False)
    """For results derived from this document alone (parsed rules, resolved zones); never written by two threads."""

    @property
    def members(self) -> tuple[Component, ...]:
        """Master first, then the overrides."""
        return self.overrides if self.master is None else (self.master, *self.overrides)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What reading a body gave: ``data`` is the body itself unless a repair had to change the text."""

    document: Document
    repairs: tuple[str, ...]
    data: bytes


def parse_document(data: bytes, *, limits: Limits = DEFAULT, strict: bool = False) -> Parsed:
    """Read one calendar object resource; refuses with the condition of RFC 4791 §5.3.2.1 that it breaks."""
    scanned = scan(data, limits)
    calendar = _single_calendar(scanned.roots)
    return Parsed(document_of(calendar, limits), scanned.repairs, data)


def document_of(calendar: Component, limits: Limits = DEFAULT) -> Document:
    """The Document of a VCALENDAR that holds one UID; refuses what RFC 4791 §4.1 forbids."""
    timezones: dict[str, Component] = {}
    members: list[Component] = []
    for component in calendar.components:
        if component.name == "VTIMEZONE":
            timezones.setdefault(component.value("TZID") or "", component)
        else:
            members.append(component)
    uid, kind, master, overrides = check_members(members, limits)
    return Document(calendar, uid, kind, master, overrides, timezones)


def parse_calendar(data: bytes, limits: Limits = DEFAULT) -> Component:
    """Any iCalendar stream as one VCALENDAR: several are merged into the first, no rule about UIDs holds."""
    roots = _calendars(scan(data, limits).roots)
    first, *others = roots
    for other in others:
        first.components.extend(other.components)
    return first


def _single_calendar(roots: list[Component]) -> Component:
    calendars = _calendars(roots)
    if len(calendars) > 1:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, "The body holds more than one VCALENDAR.")
    return calendars[0]


def _calendars(roots: list[Component]) -> list[Component]:
    for root in roots:
        if root.name != "VCALENDAR":
            raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, f"{root.name[:40]} is not iCalendar data.")
    if not roots:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The body holds no VCALENDAR.")
    return roots
