"""The resources of the DAV face, a type for each kind (RFC 4918 §5), and how a location becomes one.

A resource is what was opened for the actor, with its href and with what a request needs to know besides. The members of
a calendar are rows, thousands at a time, and are written beside the resource of their collection; only a single one
becomes an ``ObjectResource``. Rules of this module: no XML.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from caldav_server.calendaring import opening, properties
from caldav_server.calendaring.access import AccessDenied, Opened
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar, OpenHome, OpenObject, OpenPrincipal
from caldav_server.calendaring.properties import Extras
from caldav_server.dav.paths import Location, Paths, Place
from caldav_server.dav.refusals import at_href
from protocol.errors import Condition, Refusal
from protocol.model import Access, CalendarKind, Href, ObjectMeta, Principal


class Kind(Enum):
    """The kinds of resource that the property, report and method tables speak of."""

    ROOT = "root"
    PRINCIPALS = "principals"
    PRINCIPAL = "principal"
    HOMES = "homes"
    HOME = "home"
    CALENDAR = "calendar"
    INBOX = "inbox"
    OUTBOX = "outbox"
    NOTIFICATION = "notification"
    OBJECT = "object"


@dataclass(slots=True)
class Resource:
    """One resource as one actor sees it."""

    kind: ClassVar[Kind]
    href: Href
    extras: Extras = field(default_factory=Extras, kw_only=True)
    """What a request needs besides; ``prefetch`` fills it."""

    @property
    def access(self) -> Access:
        """What the actor may do with it."""
        return Access.READ


class RootResource(Resource):
    """``/dav/``."""

    __slots__ = ()
    kind = Kind.ROOT


class PrincipalsResource(Resource):
    """The collection of all principals."""

    __slots__ = ()
    kind = Kind.PRINCIPALS


class HomesResource(Resource):
    """The collection of all homes."""

    __slots__ = ()
    kind = Kind.HOMES


@dataclass(slots=True)
class OwnedResource(Resource):
    """A resource that belongs to a principal."""

    opened: Opened

    @property
    def access(self) -> Access:
        """What the actor may do with it."""
        return self.opened.access

    @property
    def owner(self) -> Principal:
        """Whose it is."""
        return self.opened.owner

    @property
    def resource_id(self) -> bytes:
        """The id under which dead properties are kept."""
        raise NotImplementedError


@dataclass(slots=True)
class PrincipalResource(OwnedResource):
    """A principal."""

    kind = Kind.PRINCIPAL
    opened: OpenPrincipal

    @property
    def resource_id(self) -> bytes:
        """The principal's id."""
        return self.owner.principal_id


@dataclass(slots=True)
class HomeResource(OwnedResource):
    """A calendar home."""

    kind = Kind.HOME
    opened: OpenHome

    @property
    def resource_id(self) -> bytes:
        """The complement of the principal's id: a principal and its home are two resources of one row."""
        return bytes(byte ^ 0xFF for byte in self.owner.principal_id)


@dataclass(slots=True)
class CollectionResource(OwnedResource):
    """A collection of a home."""

    opened: OpenCalendar

    @property
    def resource_id(self) -> bytes:
        """The calendar's id."""
        return self.opened.calendar.calendar_id


class CalendarResource(CollectionResource):
    """A calendar collection (RFC 4791 §4.2)."""

    __slots__ = ()
    kind = Kind.CALENDAR


class InboxResource(CollectionResource):
    """A scheduling inbox (RFC 6638 §2.2)."""

    __slots__ = ()
    kind = Kind.INBOX


class OutboxResource(CollectionResource):
    """A scheduling outbox (RFC 6638 §2.1)."""

    __slots__ = ()
    kind = Kind.OUTBOX


class NotificationResource(CollectionResource):
    """A collection of notifications (CalendarServer extension)."""

    __slots__ = ()
    kind = Kind.NOTIFICATION


@dataclass(slots=True)
class ObjectResource(OwnedResource):
    """A calendar object resource (RFC 4791 §4.1)."""

    kind = Kind.OBJECT
    opened: OpenObject

    @property
    def meta(self) -> ObjectMeta:
        """The object's row."""
        return self.opened.meta

    @property
    def resource_id(self) -> bytes:
        """The object's id."""
        return self.opened.meta.object_id


_SHARED: dict[Place, type[Resource]] = {
    Place.ROOT: RootResource,
    Place.PRINCIPALS: PrincipalsResource,
    Place.HOMES: HomesResource,
}
"""The places that belong to nobody."""
_COLLECTIONS: dict[CalendarKind, type[CollectionResource]] = {
    CalendarKind.CALENDAR: CalendarResource,
    CalendarKind.INBOX: InboxResource,
    CalendarKind.OUTBOX: OutboxResource,
    CalendarKind.NOTIFICATION: NotificationResource,
}


async def open_resource(
    ctx: Context, paths: Paths, location: Location, *, with_text: bool = False, needed: Access = Access.READ
) -> Resource:
    """The resource at a location; ``with_text`` brings the text of an object along.

    Refuses ``NOT_FOUND``, and ``NEED_PRIVILEGES`` where the actor does not have what is ``needed``.
    """
    shared = _SHARED.get(location.place)
    if shared is not None:
        return shared(paths.href(location))
    try:
        if location.place is Place.PRINCIPAL:
            return principal_resource(paths, await opening.principal(ctx, location.principal))
        if location.place is Place.HOME:
            return home_resource(paths, await opening.home(ctx, location.principal, needed))
        names = (location.principal, location.collection)
        if location.place is Place.COLLECTION:
            return collection_resource(paths, await opening.calendar(ctx, *names, needed))
        opened = await opening.calendar_object(ctx, *names, location.name, with_text=with_text)
    except AccessDenied as denied:
        raise at_href(denied, paths.href(location)) from None
    return ObjectResource(paths.href(location), opened)


async def open_slot(ctx: Context, paths: Paths, location: Location, *, removing: bool = False) -> opening.Slot:
    """The name in a calendar that a path speaks of; a missing calendar is ``409`` (RFC 4918 §9.7.1).

    With ``removing`` it is ``404``: there is nothing to remove.
    """
    try:
        return await opening.slot(ctx, location.principal, location.collection, location.name)
    except AccessDenied as denied:
        raise at_href(denied, paths.href(location)) from None
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND and not removing:
            raise Refusal(Condition.MISSING_PARENT, "There is no such calendar to put this into.") from None
        raise


async def open_home(ctx: Context, paths: Paths, principal: str) -> OpenHome:
    """The home a calendar is to be made in; where there is none it is the missing parent, ``409`` (RFC 4918 §9.3.1)."""
    try:
        return await opening.home(ctx, principal)
    except AccessDenied as denied:
        raise at_href(denied, paths.home(principal)) from None
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND:
            raise Refusal(Condition.MISSING_PARENT, "There is no such calendar home to put this into.") from None
        raise


def principal_resource(paths: Paths, opened: OpenPrincipal) -> PrincipalResource:
    """The resource of an opened principal."""
    return PrincipalResource(paths.principal(opened.owner.name), opened)


def home_resource(paths: Paths, opened: OpenHome) -> HomeResource:
    """The resource of an opened home."""
    return HomeResource(paths.home(opened.owner.name), opened)


def collection_resource(paths: Paths, opened: OpenCalendar) -> CollectionResource:
    """The resource of an opened collection."""
    href = paths.collection(opened.owner.name, opened.binding.name)
    return _COLLECTIONS[opened.calendar.kind](href, opened)


def object_resource(collection: CollectionResource, href: Href, meta: ObjectMeta) -> ObjectResource:
    """The resource of one member of a collection."""
    extras = Extras(delegates=collection.extras.delegates)
    return ObjectResource(href, OpenObject(collection.opened, meta), extras=extras)


def parent_of(paths: Paths, resource: ObjectResource) -> CollectionResource:
    """The collection that holds an object."""
    return collection_resource(paths, resource.opened.parent)


async def children(ctx: Context, paths: Paths, parent: Resource) -> AsyncIterator[list[Resource]]:
    """The resources one level below, some at a time; the members of calendars are not among them."""
    if isinstance(parent, RootResource):
        yield [PrincipalsResource(paths.principals), HomesResource(paths.homes)]
    elif isinstance(parent, PrincipalsResource):
        async for page in opening.all_principals(ctx):
            yield [principal_resource(paths, each) for each in page]
    elif isinstance(parent, HomesResource):
        yield [home_resource(paths, each) for each in await opening.homes_in_reach(ctx)]
    elif isinstance(parent, HomeResource):
        yield list(await collections(ctx, paths, parent))


async def collections(ctx: Context, paths: Paths, home: HomeResource) -> list[CollectionResource]:
    """The collections of a home."""
    return [collection_resource(paths, each) for each in await opening.collections(ctx, home.opened)]


async def prefetch(ctx: Context, found: Sequence[Resource], needs: frozenset[str]) -> None:
    """Load what the asked-for properties need beyond the resources themselves (``Row.needs``), one read for all."""
    owned = [each for each in found if isinstance(each, OwnedResource)]
    if needs and owned:
        await properties.load(ctx, [(each.opened, each.resource_id, each.extras) for each in owned], needs)
