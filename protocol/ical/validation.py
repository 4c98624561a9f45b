"""What a calendar object resource must satisfy before it is stored (RFC 4791 §4.1 and §5.3.2.1, RFC 6638 §3.2.4.2).

Rules of this module: every refusal names its condition; nothing is repaired here (``compat`` did that before), and
nothing is refused that no condition of the RFCs names.
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component
from protocol.ical.scanner import Limits
from protocol.model import ComponentKind, Uid

Members = tuple[Uid, ComponentKind, Component | None, tuple[Component, ...]]

_KINDS = {kind.name: kind for kind in ComponentKind}


def check_members(members: list[Component], limits: Limits) -> Members:
    """The UID, kind, master and overrides of the components of one resource (VTIMEZONEs left out)."""
    if not members:
        raise _object("The object holds no calendar component.")
    kind = _KINDS.get(members[0].name)
    if kind is None:
        raise Refusal(
            Condition.SUPPORTED_CALENDAR_COMPONENT, f"{members[0].name[:40]} components are not stored by this server."
        )
    uid = members[0].value("UID")
    if not uid:
        raise _object("A component has no UID.")
    master: Component | None = None
    overrides: list[Component] = []
    for member in members:
        if member.name != kind.name:
            raise _object(f"The object mixes {kind.name} and {member.name[:40]}.")
        if member.value("UID") != uid:
            raise _object("The object holds more than one UID.")
        if member.first("RECURRENCE-ID") is not None:
            overrides.append(member)
        elif master is None:
            master = member
        else:
            raise _object(f"The object holds two {kind.name} components without RECURRENCE-ID.")
    return Uid(uid), kind, master, tuple(overrides)


def _object(message: str) -> Refusal:
    return Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, message)
