"""What a path opens into: the resource, its owner, and what the asker may do with it (RFC 4918 §5).

``open_resource`` answers "what is at this location for this actor"; ``children`` lists one level below. Members of a
calendar are not resources of this kind: they are ``ObjectMeta`` rows, thousands at a time, rendered beside the
``Resource`` of their collection. Rules of this module: look-ups only, no XML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cache

from caldav_server.calendaring import access, homes
from caldav_server.calendaring.context import Context, StaleLogin
from caldav_server.dav import paths
from caldav_server.dav.paths import Location, Place
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, CalendarKind, Href, ObjectMeta, Principal
from storage import calendars as stored_calendars
from storage import lookups
from storage import principals as stored_principals
from storage.database import Lookup, Transaction
from storage.properties import dead_properties_of_many


class Kind(Enum):
    """The kinds of resource the property, report and method tables speak of."""

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


_KIND_OF_COLLECTION = {
    CalendarKind.CALENDAR: Kind.CALENDAR,
    CalendarKind.INBOX: Kind.INBOX,
    CalendarKind.OUTBOX: Kind.OUTBOX,
    CalendarKind.NOTIFICATION: Kind.NOTIFICATION,
}


@dataclass(slots=True)
class Resource:
    """One resource as one actor sees it."""

    kind: Kind
    href: Href
    access: Access
    owner: Principal | None = None
    calendar: Calendar | None = None
    meta: ObjectMeta | None = None
    """The object's row, for ``Kind.OBJECT``."""
    text: bytes | None = None
    """The object's text, when the resource was opened with it."""
    accounts_version: int = 0
    """The version of the accounts it was opened under."""
    dead: dict[str, str] = field(default_factory=dict)
    """Properties stored verbatim (Clark name to element text); filled when a request needs them."""
    members: tuple[Principal, ...] = ()
    """The members of a group principal; filled when a request needs them."""
    delegates: tuple[tuple[Principal, bool], ...] = ()
    """Who else may reach the owner's home, and whether they may write; filled when a request needs them."""
    groups: tuple[Principal, ...] = ()
    """The groups a principal belongs to; filled when a request needs them."""
    used_bytes: int = 0
    """What the home holds (RFC 4331); filled when a request needs it."""

    @property
    def resource_id(self) -> bytes:
        """The id dead properties are kept under; empty for resources that keep none."""
        if self.meta is not None:
            return self.meta.object_id
        if self.calendar is not None:
            return self.calendar.calendar_id
        if self.owner is not None:
            # A principal and its home are two resources of one row: the home's id is the complement of the principal's.
            own = self.owner.principal_id
            return own if self.kind is Kind.PRINCIPAL else bytes(byte ^ 0xFF for byte in own)
        return b""


async def open_resource(
    ctx: Context, location: Location, *, with_text: bool = False, as_slot: bool = False
) -> Resource:
    """The resource at a location; refuses ``NOT_FOUND``, or ``NEED_PRIVILEGES`` for a home closed to the actor.

    One look-up finds everything on the way; ``with_text`` brings the text of an object along. With ``as_slot`` a free
    name in a calendar is no refusal: the calendar itself comes back.
    """
    kind = _SHARED.get(location.place)
    if kind is not None:
        return Resource(kind, paths.href(location), Access.READ)
    found = await ctx.db.point(_lookup(location, with_text))
    if found is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such principal.")
    if ctx.observe_accounts_version(found.accounts_version):
        raise StaleLogin
    if location.place is Place.PRINCIPAL:
        return principal_resource(ctx, found.principal)
    return await _inside_home(ctx, location, found, as_slot=as_slot)


_SHARED = {Place.ROOT: Kind.ROOT, Place.PRINCIPALS: Kind.PRINCIPALS, Place.HOMES: Kind.HOMES}
"""The places that belong to nobody."""


async def _inside_home(ctx: Context, location: Location, found: lookups.Found, *, as_slot: bool) -> Resource:
    owner, href = found.principal, paths.href(location)
    granted = access.access_to_home(ctx.actor, owner.principal_id)
    access.require(granted, Access.READ, href)
    if location.place is Place.HOME:
        return Resource(Kind.HOME, href, granted, owner)
    calendar = found.calendar
    if calendar is None and location.collection in homes.ALWAYS_THERE:
        calendar = await homes.find_collection(ctx, owner, location.collection)
    if calendar is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")
    collection = collection_resource(owner, calendar, granted)
    collection.accounts_version = found.accounts_version
    if location.place is Place.COLLECTION:
        return collection
    if found.meta is None:
        if as_slot:
            return collection
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
    resource = object_resource(collection, found.meta)
    resource.text = found.object.data if found.object is not None else None
    return resource


def _lookup(location: Location, with_text: bool) -> Lookup[lookups.Found | None]:
    """The one statement that finds everything on the way to a location."""
    if location.place is Place.OBJECT:
        look_up = lookups.calendar_object if with_text else lookups.meta
        return look_up(location.principal, location.collection, location.name)
    if location.place is Place.COLLECTION:
        return lookups.calendar(location.principal, location.collection)
    return lookups.home(location.principal)


def object_resource(collection: Resource, meta: ObjectMeta) -> Resource:
    """The resource of one member of a collection."""
    owner, calendar = collection.owner, collection.calendar
    assert owner is not None and calendar is not None  # noqa: S101 - a collection always has both
    href = paths.object_href(owner.name, calendar.name, meta.name)
    return Resource(Kind.OBJECT, href, collection.access, owner, calendar, meta, delegates=collection.delegates)


async def children(ctx: Context, parent: Resource) -> list[Resource]:
    """The resources one level below, members of calendars excepted."""
    match parent.kind:
        case Kind.ROOT:
            return [
                Resource(Kind.PRINCIPALS, paths.href(Location(Place.PRINCIPALS)), Access.READ),
                Resource(Kind.HOMES, paths.href(Location(Place.HOMES)), Access.READ),
            ]
        case Kind.PRINCIPALS:
            return [principal_resource(ctx, each) for each in await ctx.db.read(stored_principals.list_all)]
        case Kind.HOMES:
            everyone = await ctx.db.read(stored_principals.list_all)
            granted = ((each, access.access_to_home(ctx.actor, each.principal_id)) for each in everyone)
            return [
                Resource(Kind.HOME, paths.home_href(each.name), may, each) for each, may in granted if may & Access.READ
            ]
        case Kind.HOME:
            assert parent.owner is not None  # noqa: S101 - a home always has an owner
            found = await homes.collections(ctx, parent.owner)
            return [collection_resource(parent.owner, each, parent.access) for each in found]
        case _:
            return []


def principal_resource(ctx: Context, principal: Principal) -> Resource:
    """The principal resource of somebody, as the actor sees it."""
    granted = access.access_to_principal(ctx.actor, principal.principal_id)
    return Resource(Kind.PRINCIPAL, paths.principal_href(principal.name), granted, principal)


def collection_resource(owner: Principal, calendar: Calendar, granted: Access) -> Resource:
    kind = _KIND_OF_COLLECTION[calendar.kind]
    return Resource(kind, paths.collection_href(owner.name, calendar.name), granted, owner, calendar)


async def fill(ctx: Context, found: list[Resource], needs: frozenset[str]) -> None:
    """Load what the asked-for properties need beyond the resources themselves (``Row.needs``), one read for all."""
    if not needs or not found:
        return

    def work(tx: Transaction) -> None:
        if "dead" in needs:
            _fill_dead(tx, found)
        # many resources of one owner: what is the owner's is asked once
        delegates = cache(lambda owner_id: tuple(stored_principals.delegates_of(tx, owner_id)))
        used = cache(lambda owner_id: stored_calendars.usage(tx, owner_id)[1])
        for each in found:
            owner = each.owner
            if owner is None:
                continue
            if "people" in needs and each.kind is Kind.PRINCIPAL:
                each.members = tuple(stored_principals.members_of(tx, owner.principal_id))
                each.groups = tuple(stored_principals.groups_of(tx, owner.principal_id))
            if "delegates" in needs and each.kind is not Kind.PRINCIPAL:
                each.delegates = delegates(owner.principal_id)
            if "usage" in needs:
                each.used_bytes = used(owner.principal_id)

    await ctx.db.read(work)


def _fill_dead(tx: Transaction, found: list[Resource]) -> None:
    by_owner: dict[bytes, list[Resource]] = {}
    for each in found:
        if each.owner is not None:
            by_owner.setdefault(each.owner.principal_id, []).append(each)
    for owned in by_owner.values():
        owner = owned[0].owner
        assert owner is not None  # noqa: S101 - only owned resources were put in
        stored = dead_properties_of_many(tx, owner.principal_id, [each.resource_id for each in owned])
        for each in owned:
            each.dead = {prop.name: prop.xml for prop in stored.get(each.resource_id, ())}
