"""The nouns: the glossary as code.

Rules of this module: standard library only, frozen data, no behaviour beyond what a value says about itself.
Every time is UTC epoch seconds unless it says otherwise; every range is half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum
from typing import NamedTuple, NewType

Href = NewType("Href", str)
ETag = NewType("ETag", str)
"""A strong entity tag *without* its quotes."""
Uid = NewType("Uid", str)
PrincipalId = NewType("PrincipalId", bytes)
CalendarId = NewType("CalendarId", bytes)
ObjectId = NewType("ObjectId", bytes)
"""All ids are UUIDv7 made by the application, as 16 bytes."""
Seq = NewType("Seq", int)
"""The number of a change within one calendar: grows by one per changed name, never reused."""

FOREVER = 1 << 53
"""Stands for plus infinity where a column or a sort key must hold an integer; ``-FOREVER`` for minus infinity."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""Lengths in seconds; a day has 24 hours here, whatever the clocks of a zone do."""

MAX_KEY_OCTETS = 2048
"""The longest name of a resource or property and the longest UID, in UTF-8: all are keys of indexes, and the entries of
PostgreSQL's hold 2,704 octets."""


class ComponentKind(IntEnum):
    """The component types a calendar object resource can be made of (RFC 4791 §4.1, RFC 7953)."""

    VEVENT = 1
    VTODO = 2
    VJOURNAL = 3
    VFREEBUSY = 4
    VAVAILABILITY = 5


ALL_COMPONENTS = frozenset(ComponentKind)


class BusyType(IntEnum):
    """What an occurrence does to free-busy time (RFC 5545 §3.2.9); higher wins when periods meet."""

    FREE = 0
    TENTATIVE = 1
    UNAVAILABLE = 2
    BUSY = 3


class PrincipalKind(StrEnum):
    USER = "user"
    GROUP = "group"
    ROOM = "room"
    RESOURCE = "resource"


class CalendarKind(StrEnum):
    """What a collection of a calendar home is for."""

    CALENDAR = "calendar"
    INBOX = "inbox"
    OUTBOX = "outbox"
    NOTIFICATION = "notification"


class Access(IntFlag):
    """What one principal may do with a collection; the faces turn it into privileges (RFC 3744 §3)."""

    NONE = 0
    FREE_BUSY = 1
    READ = 2 | 1
    WRITE_CONTENT = 4
    WRITE_PROPERTIES = 8
    BIND = 16
    UNBIND = 32
    WRITE = 4 | 8 | 16 | 32
    READ_ACL = 64
    WRITE_ACL = 128
    OWN = 255


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range of UTC epoch seconds; ``None`` leaves an end open (RFC 4791 §9.9)."""

    start: int | None = None
    end: int | None = None

    def overlaps(self, start: int, end: int) -> bool:
        """Whether ``[start, end)`` and this range share an instant."""
        return (self.end is None or start < self.end) and (self.start is None or end > self.start)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that owns a calendar home; ``name`` is login and URL segment."""

    principal_id: PrincipalId
    kind: PrincipalKind
    name: str
    display_name: str
    emails: tuple[str, ...] = ()
    time_zone: str = "UTC"
    is_admin: bool = False
    auto_accept: str | None = None
    home_seq: Seq = Seq(0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One collection of a calendar home (always the collection, never its iCalendar text)."""

    principal_id: PrincipalId
    calendar_id: CalendarId
    name: str
    kind: CalendarKind = CalendarKind.CALENDAR
    components: frozenset[ComponentKind] = ALL_COMPONENTS
    display_name: str | None = None
    description: str | None = None
    color: str | None = None
    order: str | None = None
    time_zone: str | None = None
    """The client's own VTIMEZONE text (CALDAV:calendar-timezone), verbatim."""
    time_zone_id: str | None = None
    """The IANA name in force for floating and all-day data; ``None``: the owner's zone."""
    transparent: bool = False
    created_at: int = 0
    seq: Seq = Seq(0)
    min_valid_seq: Seq = Seq(0)
    home_seq: Seq = Seq(0)
    """The value of the home's counter when this collection itself (not its members) last changed."""


class ObjectMeta(NamedTuple):
    """What every listing needs of a stored calendar object resource, without its text.

    A tuple rather than a dataclass: listings make ten thousand of them per request, straight from database rows.
    """

    object_id: ObjectId
    name: str
    uid: Uid
    component: ComponentKind
    etag: ETag
    seq: Seq
    size: int
    schedule_tag: str | None
    created_at: int
    modified_at: int


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """A stored calendar object resource: ``data`` is the client's own bytes."""

    meta: ObjectMeta
    data: bytes


class IndexEntry(NamedTuple):
    """One row of the occurrence index; a tuple, because a series has many and they go to the database as they are.

    The row matches a query ``[a, b)`` exactly when ``start < b and end > a``: ``protocol.ical.index`` shapes the
    interval so that this one test equals the component's row in the tables of RFC 4791 §9.9. When ``floating`` is
    true, both numbers are wall time read as if it were UTC, to be compared with the range in the query's zone.
    """

    start: int
    end: int
    floating: bool = False
    busy: BusyType = BusyType.FREE


@dataclass(frozen=True, slots=True)
class ObjectIndex:
    """Everything derived from an object's text that the database keeps beside it; ``reindex`` can rebuild it."""

    uid: Uid
    component: ComponentKind
    entries: tuple[IndexEntry, ...] = ()
    first_start: int = -FOREVER
    last_end: int = FOREVER
    """The span of all occurrences, overrides included; ``FOREVER`` when the recurrence never ends."""
    indexed_until: int = FOREVER
    """``entries`` is complete for ranges that end at or before this instant; ``FOREVER``: complete."""
    recurring: bool = False
    count_until: int | None = None
    """The resolved last start of a COUNT rule (wall time as UTC), so that COUNT never needs counting again."""
    index_version: int = 1
    zones: tuple[str, ...] = ()
    """The IANA zones the entries were derived with; upkeep re-derives when their law changes."""


@dataclass(frozen=True, slots=True)
class DeadProperty:
    """A property the server stores verbatim and does not interpret (RFC 4918 §4.1)."""

    name: str
    """Clark notation: ``{namespace}local``."""
    xml: str
    """The whole element as sent, serialised with its own namespace declarations."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One way to prove who one is: the account password or an app password."""

    principal_id: PrincipalId
    credential_id: bytes
    kind: str
    label: str
    hash: str
    created_at: int
    extra: dict[str, str] = field(default_factory=dict)
