"""A parsed calendar object resource: one UID, its master and its overrides (RFC 4791 §4.1).

Rules of this module: it assembles; ``scanner`` reads, ``validation`` has the rules, ``compat`` the tolerated defects. A
Document is a view: the client's bytes stay the truth. A repair changes the view only, unless ``Parsed.data`` differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.errors import Condition, Refusal
from protocol.ical import compat
from protocol.ical.compat import duplicates, method
from protocol.ical.compat.charsets import transcode
from protocol.ical.components import Component, Property, PropertyMap, property_map, render_component
from protocol.ical.scanner import DEFAULT, Limits, scan
from protocol.ical.timezones.tzids import tzid_of
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
]


@dataclass(slots=True)
class Document:
    """A VCALENDAR of one UID; ``master`` is ``None`` when it has overridden occurrences only."""

    calendar: Component
    uid: Uid
    component: ComponentKind
    master: Component | None
    overrides: tuple[Component, ...] = ()
    timezones: dict[str, Component] = field(default_factory=dict)
    """The VTIMEZONEs of this object by the TZID that parameters write; ``timezones.definition_of`` looks one up."""
    cache: dict[str, object] = field(default_factory=dict, compare=False, repr=False)
    """For results derived from this document alone (parsed rules, resolved zones); two threads never write it."""

    @property
    def members(self) -> tuple[Component, ...]:
        """Master first, then the overrides."""
        return self.overrides if self.master is None else (self.master, *self.overrides)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The result of reading a body: ``data`` is the body itself, unless a repair had to change the text."""

    document: Document
    repairs: tuple[str, ...]
    data: bytes


def parse_document(
    data: bytes, *, limits: Limits = DEFAULT, strict: bool = False, charset: str | None = None, message: bool = False
) -> Parsed:
    """Read one calendar object resource; refuses with the condition of RFC 4791 §5.3.2.1 that it breaks.

    ``charset`` comes from the Content-Type; a text in another charset than UTF-8 is stored as UTF-8. ``strict``
    (``Prefer: handling=strict``) refuses each repair whose row in ``compat`` has a condition. A scheduling ``message``
    keeps its METHOD (RFC 5546 §1.4); any other object may have none (RFC 4791 §4.1).
    """
    text, repairs = transcode(data, charset)
    scanned = scan(text, limits)
    repairs += scanned.repairs
    calendar = _single_calendar(scanned.roots)
    if calendar.first("METHOD") is not None and not message:
        text = method.remove(text, calendar)
        repairs.append("method-removed")
    if strict:
        _refuse_repaired(repairs)
    document, more = document_of(calendar, limits, strict=strict)
    return Parsed(document, tuple(repairs + more), text)


def document_of(calendar: Component, limits: Limits = DEFAULT, *, strict: bool = False) -> tuple[Document, list[str]]:
    """The Document of a VCALENDAR with one UID, and the repairs that its view needed (RFC 4791 §4.1).

    The components of ``calendar`` become the view, so the caller must not use them any more.
    """
    timezones: dict[str, Component] = {}
    members: list[Component] = []
    for component in calendar.components:
        if component.name == "VTIMEZONE":
            timezones.setdefault(tzid_of(component), component)
        elif not component.name.startswith("X-"):
            members.append(component)
    prop_maps = [property_map(member) for member in members]
    uid, kind = check_members(members, prop_maps, limits)
    master, overrides = _split_members(members, prop_maps)
    series = prop_maps[members.index(master)] if master is not None else {}
    repairs = _repair(members, prop_maps, series, strict)
    chosen = duplicates.newest(overrides, master, timezones) if len(overrides) > 1 else overrides
    if len(chosen) < len(overrides):
        repairs.append("duplicate-override")
        if strict:
            _refuse_repaired(repairs)
    return Document(calendar, uid, kind, master, tuple(chosen), timezones), repairs


def _split_members(members: list[Component], prop_maps: list[PropertyMap]) -> tuple[Component | None, list[Component]]:
    master: Component | None = None
    overrides: list[Component] = []
    for member, props in zip(members, prop_maps, strict=True):
        if "RECURRENCE-ID" in props:
            overrides.append(member)
        elif master is None:
            master = member
        else:
            raise Refusal(
                Condition.VALID_CALENDAR_OBJECT_RESOURCE, f"Two {member.name} components have no RECURRENCE-ID."
            )
    return master, overrides


def _repair(members: list[Component], prop_maps: list[PropertyMap], series: PropertyMap, strict: bool) -> list[str]:
    repairs: dict[str, None] = {}
    for member, props in zip(members, prop_maps, strict=True):
        for defect in compat.IN_COMPONENTS:
            if defect.names and defect.names.isdisjoint(props):
                continue
            if defect.repair is not None and defect.repair(member, props, series):
                repairs[defect.name] = None
                if strict:
                    _refuse_repaired([defect.name])
    return list(repairs)


def _refuse_repaired(repairs: list[str]) -> None:
    for name in repairs:
        defect = compat.BY_NAME[name]
        if defect.strict is not None:
            raise Refusal(defect.strict, f"Strict handling was asked for: {defect.when}.")


def parse_calendar(data: bytes, limits: Limits = DEFAULT) -> Component:
    """Any iCalendar stream as one VCALENDAR: several are merged into the first; UIDs are not checked."""
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
        if (root.value("VERSION") or "").strip() == "1.0":
            raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, "vCalendar 1.0 is not iCalendar 2.0.")
    if not roots:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The body holds no VCALENDAR.")
    return roots
