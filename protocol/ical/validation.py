"""What a calendar object resource must satisfy before it is stored (RFC 4791 §4.1 and §5.3.2.1, RFC 6638 §3.2.4.2).

Rules of this module: every refusal names a condition of the RFCs, and nothing else is refused. It repairs nothing;
``compat`` does.
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, PropertyMap
from protocol.ical.scanner import Limits
from protocol.ical.values import parse_when
from protocol.model import ComponentKind, Uid

_BOUNDED = ("DTSTART", "RECURRENCE-ID", "DTEND", "DUE", "RDATE")
_REQUIRED = ("DTSTART", "RECURRENCE-ID")
"""Times that place a component; other times that are unreadable are left out of the view."""


def check_members(members: list[Component], prop_maps: list[PropertyMap], limits: Limits) -> tuple[Uid, ComponentKind]:
    """The UID and kind that all components of a resource share (VTIMEZONEs aside); refuses what breaks a rule."""
    if not members:
        raise _object("The object holds no calendar component.")
    kind = ComponentKind.__members__.get(members[0].name)
    if kind is None:
        raise Refusal(
            Condition.SUPPORTED_CALENDAR_COMPONENT, f"{members[0].name[:40]} components are not stored by this server."
        )
    uid = _uid(prop_maps[0])
    organizer: str | None = None
    for member, props in zip(members, prop_maps, strict=True):
        if member.name != kind.name:
            raise _object(f"The object mixes {kind.name} and {member.name[:40]}.")
        if _uid(props) != uid:
            raise _object("The object holds more than one UID.")
        if "ORGANIZER" in props:
            organizer = _same_organizer(props["ORGANIZER"], organizer)
        _check_attendees(member, limits)
        _check_times(member, props, limits)
    return Uid(uid), kind


def _uid(props: PropertyMap) -> str:
    line = props.get("UID")
    uid = line.value.strip() if line is not None else ""
    if not uid:
        raise _object("A component has no UID.")
    return uid


def _same_organizer(line: Property, organizer: str | None) -> str:
    address = line.value.strip().lower()
    if organizer is not None and address != organizer:
        raise Refusal(Condition.SAME_ORGANIZER_IN_ALL_COMPONENTS, "The components name different organizers.")
    return address


def _check_attendees(member: Component, limits: Limits) -> None:
    if len(member.properties) <= limits.attendees:
        return
    attendees = sum(1 for line in member.properties if line.name == "ATTENDEE")
    if attendees > limits.attendees:
        raise Refusal(
            Condition.MAX_ATTENDEES_PER_INSTANCE,
            f"A component has {attendees} attendees; at most {limits.attendees} are accepted.",
        )


def _check_times(member: Component, props: PropertyMap, limits: Limits) -> None:
    if "DTSTART" not in props and member.name == "VEVENT":
        raise Refusal(Condition.VALID_CALENDAR_DATA, "A VEVENT has no DTSTART.")
    for name in _BOUNDED:
        line = props.get(name)
        if line is None:
            continue
        if name == "RDATE":
            values = [value for each in member.all(name) for value in each.value.split(",")]
        else:
            values = [line.value]
        for value in values:
            _check_time(name, value, limits)


def _check_time(name: str, value: str, limits: Limits) -> None:
    if name in _REQUIRED:
        try:
            parse_when(value)
        except ValueError as error:
            raise Refusal(Condition.VALID_CALENDAR_DATA, f"{name}: {error}.") from None
    # Both are digits in the same order, so text order is time order; the limits leave room for zone offsets.
    digits = value.strip()[:8]
    if digits < limits.min_date_time[:8] and digits.isdigit():
        raise Refusal(Condition.MIN_DATE_TIME, f"{name} is before {limits.min_date_time}.")
    if digits >= limits.max_date_time[:8] and digits.isdigit():
        raise Refusal(Condition.MAX_DATE_TIME, f"{name} is not before {limits.max_date_time}.")


def _object(message: str) -> Refusal:
    return Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, message)
