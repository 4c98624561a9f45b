"""The shape of a row of PROPERTIES (RFC 4918 §15, RFC 3744 §5, RFC 4791 §5.2 and the rest).

One row says everything the server knows of a live property: where it exists, how its value is written, whether it
may be set, whether allprop returns it. A getter returns the *content* of the property element as escaped XML text,
the empty string for an empty element, ``None`` where the property does not exist (404).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caldav_server.dav.resources import Kind
from protocol.model import ObjectMeta

if TYPE_CHECKING:
    from caldav_server.dav.view import View

Getter = Callable[[Any, "View"], str | None]
"""Gets a property of a resource; its first parameter is of the types that the row's kinds stand for."""
MemberGetter = Callable[[ObjectMeta, Any, "View"], str | None]
"""Gets a property of a calendar object from its row; the second argument is the object or the collection that holds it.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One live property."""

    name: str
    """Clark notation."""
    kinds: frozenset[Kind] = frozenset()
    """The kinds of resource, members of calendars excepted, that have it."""
    getter: Getter | None = None
    member: MemberGetter | None = None
    """Set when calendar objects have the property."""
    same_for_members: bool = False
    """``member`` depends on the collection alone, so that it is computed once per answer."""
    allprop: bool = False
    """Returned by allprop: the properties RFC 4918 itself defines (RFC 4791 §5.2 wants the others left out)."""
    settable: frozenset[Kind] = field(default=frozenset())
    """Where PROPPATCH, MKCOL and MKCALENDAR may set it; elsewhere it is protected."""
    needs: frozenset[str] = frozenset()
    """What ``resources.prefetch`` must load first: names of ``calendaring.properties``."""


EVERYWHERE = frozenset(Kind) - {Kind.OBJECT}
COLLECTIONS = EVERYWHERE
HOME_COLLECTIONS = frozenset({Kind.CALENDAR, Kind.INBOX, Kind.OUTBOX, Kind.NOTIFICATION})
"""The collections inside a home."""
CALENDARS = frozenset({Kind.CALENDAR})
PRINCIPAL = frozenset({Kind.PRINCIPAL})
