"""What the server understands of the properties clients set (RFC 4791 §5.2, RFC 6638 §9.1, RFC 7809 §5.2).

``INTERPRETERS`` has one row per property that is more than text to keep: it reads the element into fields of the
calendar or refuses it. The element itself is stored verbatim beside them, so that what a client wrote (attributes,
alpha channels, CDATA) is what it reads back. Rules of this module: pure; no look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from caldav_server.calendaring.calendars import CalendarFields, PropertyChanges
from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.resources import Kind
from protocol.dav import names
from protocol.dav.requests import RemoveProperty, SetProperty
from protocol.dav.xml import Element, serialize, text_of
from protocol.errors import Condition, Refusal
from protocol.ical import calendar_timezone, timezones
from protocol.model import ALL_COMPONENTS, MAX_KEY_OCTETS, ComponentKind, DeadProperty


@dataclass(frozen=True, slots=True)
class PropertyStatus:
    """What became of one instruction: 200, or the status and condition of its refusal."""

    name: str
    status: int = 200
    condition: Condition | None = None
    message: str = ""


@dataclass(slots=True)
class Reading:
    """Instructions read so far, and what each came to."""

    fields: CalendarFields = field(default_factory=lambda: CalendarFields())
    keep: dict[str, DeadProperty] = field(default_factory=dict)
    drop: dict[str, None] = field(default_factory=dict)
    statuses: list[PropertyStatus] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether any instruction was refused, so that none may be carried out (RFC 4918 §9.2)."""
        return any(each.status != 200 for each in self.statuses)

    def changes(self) -> PropertyChanges:
        """What to store."""
        return PropertyChanges(self.fields, tuple(self.keep.values()), tuple(self.drop))


# --- interpreters: element (None: remove) -> fields ---


def _display_name(element: Element | None) -> CalendarFields:
    return {"display_name": None if element is None else text_of(element)}


def _description(element: Element | None) -> CalendarFields:
    return {"description": None if element is None else text_of(element)}


def _color(element: Element | None) -> CalendarFields:
    return {"color": None if element is None else text_of(element).strip()}


def _order(element: Element | None) -> CalendarFields:
    return {"order": None if element is None else text_of(element).strip()}


def _time_zone(element: Element | None) -> CalendarFields:
    if element is None:
        return {"time_zone": None, "time_zone_id": None}
    text = text_of(element)
    _, iana = calendar_timezone.parse(text)
    return {"time_zone": text, "time_zone_id": iana}


def _time_zone_id(element: Element | None) -> CalendarFields:
    if element is None:
        return {"time_zone": None, "time_zone_id": None}
    name = text_of(element).strip()
    if timezones.resolve(name, None) is None:
        raise Refusal(Condition.VALID_TIMEZONE, "The server does not know this time zone.")
    return {"time_zone": None, "time_zone_id": name}


def _transparency(element: Element | None) -> CalendarFields:
    return {"transparent": element is not None and element.find(names.caldav("transparent")) is not None}


def _components(element: Element | None) -> CalendarFields:
    if element is None:
        return {"components": ALL_COMPONENTS}
    kinds = {
        ComponentKind[name]
        for each in element.iterchildren(names.COMP)
        if (name := (each.get("name") or "").upper()) in ComponentKind.__members__
    }
    if not kinds:
        raise Refusal(Condition.SUPPORTED_CALENDAR_COMPONENT, "None of these components can be stored here.")
    return {"components": frozenset(kinds)}


Interpreter = Callable[["Element | None"], CalendarFields]
INTERPRETERS: dict[str, Interpreter] = {
    names.DISPLAYNAME: _display_name,
    names.CALENDAR_DESCRIPTION: _description,
    names.CALENDAR_COLOR: _color,
    names.CALENDAR_ORDER: _order,
    names.CALENDAR_TIMEZONE: _time_zone,
    names.CALENDAR_TIMEZONE_ID: _time_zone_id,
    names.SCHEDULE_CALENDAR_TRANSP: _transparency,
    names.SUPPORTED_CALENDAR_COMPONENT_SET: _components,
}
ALTERNATES = {
    names.CALENDAR_TIMEZONE: names.CALENDAR_TIMEZONE_ID,
    names.CALENDAR_TIMEZONE_ID: names.CALENDAR_TIMEZONE,
}
"""Two ways of saying one thing: to set one adjusts the other (RFC 7809 §3.1.5), whose kept element goes away."""
ONLY_AT_CREATION = frozenset({names.SUPPORTED_CALENDAR_COMPONENT_SET})
"""RFC 4791 §5.2.3: protected once the calendar exists, since objects may depend on it."""
NOT_VERBATIM = frozenset({names.SUPPORTED_CALENDAR_COMPONENT_SET, names.SCHEDULE_CALENDAR_TRANSP})
"""Answered from what was understood, never from what was written: an unknown component must not be promised."""


def read(
    instructions: Iterable[SetProperty | RemoveProperty],
    kind: Kind,
    *,
    creating: bool,
    max_bytes: int,
) -> Reading:
    """Read the instructions of a PROPPATCH or of a new calendar, in document order."""
    reading = Reading()
    for each in instructions:
        try:
            _read_one(reading, each, kind, creating=creating, max_bytes=max_bytes)
        except Refusal as refusal:
            reading.statuses.append(
                PropertyStatus(each.name, refusal.condition.status, refusal.condition, refusal.message)
            )
        else:
            reading.statuses.append(PropertyStatus(each.name))
    said = {each.name for each in reading.statuses}
    reading.drop |= {other: None for name, other in ALTERNATES.items() if name in said and other not in said}
    return reading


def _read_one(
    reading: Reading, each: SetProperty | RemoveProperty, kind: Kind, *, creating: bool, max_bytes: int
) -> None:
    row = PROPERTIES.get(each.name)
    protected = row is not None and kind not in row.settable
    if protected or (each.name in ONLY_AT_CREATION and not creating):
        raise Refusal(Condition.CANNOT_MODIFY_PROTECTED_PROPERTY, "This property cannot be changed.")
    element = each.element if isinstance(each, SetProperty) else None
    interpret = INTERPRETERS.get(each.name) if kind is Kind.CALENDAR else None
    if interpret is not None:
        reading.fields.update(interpret(element))
    if element is None:
        reading.keep.pop(each.name, None)
        reading.drop[each.name] = None
        return
    if each.name in NOT_VERBATIM and interpret is not None:
        return
    text = serialize(element)
    if len(each.name.encode()) > MAX_KEY_OCTETS:
        raise Refusal(Condition.QUOTA_NOT_EXCEEDED, f"The name of a property may hold at most {MAX_KEY_OCTETS} octets.")
    if len(text.encode()) > max_bytes:
        raise Refusal(Condition.QUOTA_NOT_EXCEEDED, f"A property may hold at most {max_bytes} bytes.")
    reading.drop.pop(each.name, None)
    reading.keep[each.name] = DeadProperty(each.name, text)
