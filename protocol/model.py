"""The nouns: the glossary as code.

Rules of this module: standard library only, frozen data, no behaviour except what a value says about itself. Every time
is UTC epoch seconds unless stated otherwise; every range is half-open.
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
"""All ids are UUIDv7, made by the application, as 16 bytes."""
Seq = NewType("Seq", int)
"""The number of a change within one calendar: it grows by one per changed name and is never reused."""

FOREVER = 1 << 53
"""Plus infinity for columns and sort keys, which must be integers; ``-FOREVER`` is minus infinity."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""Lengths in seconds; a day has 24 hours here, even when the clocks of a zone change."""

MAX_KEY_OCTETS = 2048
"""The longest name of a resource or property and the longest UID, as UTF-8: all are keys of indexes, whose entries hold
2,704 octets in PostgreSQL."""


class ComponentKind(IntEnum):
    """The component types of calendar object resources (RFC 4791 §4.1, RFC 7953)."""

    VEVENT = 1
    VTODO = 2
    VJOURNAL = 3
    VFREEBUSY = 4
    VAVAILABILITY = 5


ALL_COMPONENTS = frozenset(ComponentKind)


class BusyType(IntEnum):
    """The free-busy time that an occurrence makes (RFC 5545 §3.2.9); where periods meet, the higher one wins."""

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
    """The purpose of a collection in a calendar home."""

    CALENDAR = "calendar"
    INBOX = "inbox"
    OUTBOX = "outbox"
    NOTIFICATION = "notification"


class Access(IntFlag):
    """What one principal may do with a collection; each face says it in its own words (RFC 3744 §3 for DAV).

    A level holds all that is below it: whoever reads texts may read titles, whoever reads titles sees when time is
    busy.
    """

    NONE = 0
    READ_FREE_BUSY = 1 << 0
    READ_TITLES = 1 << 1 | READ_FREE_BUSY
    READ = 1 << 2 | READ_TITLES
    WRITE_CONTENT = 1 << 3
    WRITE_PROPERTIES = 1 << 4
    BIND = 1 << 5
    UNBIND = 1 << 6
    WRITE = WRITE_CONTENT | WRITE_PROPERTIES | BIND | UNBIND
    UNLOCK = 1 << 7
    READ_ACL = 1 << 8
    WRITE_ACL = 1 << 9
    SHARE = 1 << 10
    SCHEDULE_DELIVER_INVITE = 1 << 11
    SCHEDULE_DELIVER_REPLY = 1 << 12
    SCHEDULE_QUERY_FREEBUSY = 1 << 13
    SCHEDULE_DELIVER = SCHEDULE_DELIVER_INVITE | SCHEDULE_DELIVER_REPLY | SCHEDULE_QUERY_FREEBUSY
    SCHEDULE_SEND_INVITE = 1 << 14
    SCHEDULE_SEND_REPLY = 1 << 15
    SCHEDULE_SEND_FREEBUSY = 1 << 16
    SCHEDULE_SEND = SCHEDULE_SEND_INVITE | SCHEDULE_SEND_REPLY | SCHEDULE_SEND_FREEBUSY
    """RFC 6638 §6: deliver is granted on an inbox, send on an outbox."""
    OWN = (1 << 17) - 1


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
    """A person, group, room or resource that owns a calendar home; ``name`` is the login and the URL segment."""

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
    """One collection of a calendar home (never its iCalendar text)."""

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
    """The IANA name of the zone for floating and all-day data; ``None``: the owner's zone."""
    transparent: bool = False
    created_at: int = 0
    seq: Seq = Seq(0)
    min_valid_seq: Seq = Seq(0)
    home_seq: Seq = Seq(0)
    """The value of the home's counter when this collection itself (not its members) last changed."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A calendar as one principal sees it: its name in URLs, and what the principal's clients show of it.

    The owner's binding is part of the calendar's row.
    """

    principal_id: PrincipalId
    calendar_id: CalendarId
    name: str
    display_name: str | None = None
    color: str | None = None
    order: str | None = None
    transparent: bool = False


class ObjectMeta(NamedTuple):
    """What a listing needs of a stored calendar object resource, without its text.

    A tuple rather than a dataclass, because listings make ten thousand per request from database rows.
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
    """A stored calendar object resource; ``data`` is the bytes that the client sent."""

    meta: ObjectMeta
    data: bytes


class IndexEntry(NamedTuple):
    """One row of the occurrence index; a tuple, because a series has many and they go to the database as they are.

    The row matches a query ``[a, b)`` exactly when ``start < b and end > a``: ``protocol.ical.index`` makes the
    interval so that this test equals the tables of RFC 4791 §9.9. When ``floating`` is true, both numbers are wall time
    read as if it were UTC, to compare with the range in the query's zone.
    """

    start: int
    end: int
    floating: bool = False
    busy: BusyType = BusyType.FREE


@dataclass(frozen=True, slots=True)
class ObjectIndex:
    """Everything that the database keeps beside an object's text, derived from it; ``reindex`` can rebuild it."""

    uid: Uid
    component: ComponentKind
    entries: tuple[IndexEntry, ...] = ()
    first_start: int = -FOREVER
    last_end: int = FOREVER
    """The span of all occurrences, overrides included; ``FOREVER`` when the recurrence never ends."""
    indexed_until: int = FOREVER
    """``entries`` is complete for ranges that end at or before this instant; ``FOREVER``: for all ranges."""
    recurring: bool = False
    count_until: int | None = None
    """The last start of a COUNT rule (wall time as UTC), so that it is counted only once."""
    index_version: int = 1
    zones: tuple[str, ...] = ()
    """The IANA zones that the entries depend on; upkeep indexes again when their law changes."""


@dataclass(frozen=True, slots=True)
class DeadProperty:
    """A property that the server stores verbatim and does not interpret (RFC 4918 §4.1)."""

    name: str
    """Clark notation: ``{namespace}local``."""
    xml: str
    """The whole element as sent, serialised with its namespace declarations."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One way to log in: the account password or an app password."""

    principal_id: PrincipalId
    credential_id: bytes
    kind: str
    label: str
    hash: str
    created_at: int
    extra: dict[str, str] = field(default_factory=dict)
