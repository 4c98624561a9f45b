"""What is this, for this actor? Opening turns names into values that carry the access decided here.

Whatever is done with a principal, home, calendar or object begins with one of these values. Use-cases and queries take
them and check the access they need against them; nothing else says what is allowed. Whoever may see nothing of a home
cannot open anything in it (``need-privileges``). One look-up finds everything on the way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from caldav_server.calendaring import access as decided
from caldav_server.calendaring import homes
from caldav_server.calendaring.context import Context, StaleLogin
from caldav_server.calendaring.lens import Lens, lens_for
from protocol.errors import Condition, Refusal
from protocol.model import Access, Binding, Calendar, ObjectMeta, Principal
from storage import lookups
from storage import principals as stored_principals
from storage.database import Lookup

PAGE = 500
"""How many principals are read at a time where all of them are listed."""


@dataclass(frozen=True, slots=True)
class OpenPrincipal:
    """A principal, and what the actor may do with it."""

    owner: Principal
    """The principal itself: it is its own owner."""
    access: Access


@dataclass(frozen=True, slots=True)
class OpenHome:
    """A calendar home, and what the actor may do in it."""

    owner: Principal
    access: Access


@dataclass(frozen=True, slots=True)
class OpenCalendar:
    """A collection of a home as the actor sees it."""

    binding: Binding
    owner: Principal
    calendar: Calendar
    access: Access
    lens: Lens
    accounts_version: int = 0
    """The version of the accounts under which it was opened; 0 when it was listed."""


@dataclass(frozen=True, slots=True)
class OpenObject:
    """A calendar object, and the collection that holds it."""

    parent: OpenCalendar
    meta: ObjectMeta
    text: bytes | None = None
    """The stored text, when it was opened with it."""

    @property
    def access(self) -> Access:
        """What the actor may do with it: what it may do in the calendar."""
        return self.parent.access

    @property
    def owner(self) -> Principal:
        """Whose home it is in."""
        return self.parent.owner


@dataclass(frozen=True, slots=True)
class Slot:
    """A name in a calendar, free or taken: where an object is written."""

    parent: OpenCalendar
    name: str
    meta: ObjectMeta | None = None
    """What was there when it was opened; a write is conditional on it."""

    @property
    def calendar(self) -> Calendar:
        """The collection that is written to."""
        return self.parent.calendar


async def principal(ctx: Context, name: str) -> OpenPrincipal:
    """The principal of that name; everybody may open it."""
    found = await _look_up(ctx, lookups.home(name))
    return open_principal(ctx, found.principal)


def open_principal(ctx: Context, found: Principal) -> OpenPrincipal:
    """A principal that was read already, as the actor sees it."""
    return OpenPrincipal(found, decided.access_to_principal(ctx.actor, found.principal_id))


async def home(ctx: Context, name: str, needed: Access = Access.READ) -> OpenHome:
    """The home of the principal of that name."""
    return _home(ctx, await _look_up(ctx, lookups.home(name)), needed)


async def calendar(ctx: Context, home_name: str, name: str, needed: Access = Access.READ) -> OpenCalendar:
    """The collection of that name in a home."""
    return await _calendar(ctx, name, await _look_up(ctx, lookups.calendar(home_name, name)), needed)


async def calendar_object(
    ctx: Context, home_name: str, calendar_name: str, name: str, *, with_text: bool = False
) -> OpenObject:
    """The object of that name in a calendar; ``with_text`` brings its text along."""
    look_up = lookups.calendar_object if with_text else lookups.meta
    found = await _look_up(ctx, look_up(home_name, calendar_name, name))
    parent = await _calendar(ctx, calendar_name, found, Access.READ)
    if found.meta is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar object.")
    return OpenObject(parent, found.meta, found.object.data if found.object is not None else None)


async def slot(ctx: Context, home_name: str, calendar_name: str, name: str) -> Slot:
    """A name in a calendar, whether there is an object under it or not."""
    found = await _look_up(ctx, lookups.meta(home_name, calendar_name, name))
    return Slot(await _calendar(ctx, calendar_name, found, Access.READ), name, found.meta)


async def collections(ctx: Context, opened: OpenHome, needed: Access = Access.READ) -> list[OpenCalendar]:
    """The collections of a home that the actor may use, those that must always be there included."""
    found = await homes.collections(ctx, opened.owner)
    return [each for one in found if (each := open_calendar(opened, one)).access & needed == needed]


def open_calendar(opened: OpenHome, found: Calendar, accounts_version: int = 0) -> OpenCalendar:
    """A collection that was read already, as the actor who opened its home sees it."""
    binding = Binding(
        found.principal_id,
        found.calendar_id,
        found.name,
        found.display_name,
        found.color,
        found.order,
        found.transparent,
    )
    return OpenCalendar(binding, opened.owner, found, opened.access, lens_for(opened.access), accounts_version)


async def homes_in_reach(ctx: Context) -> list[OpenHome]:
    """The homes that the actor may read, by name; its own is one of them."""
    ids = [ctx.actor.principal.principal_id, *ctx.actor.reach]
    found = await ctx.db.read(partial(stored_principals.get_many, principal_ids=ids))
    opened = (OpenHome(each, decided.access_to_home(ctx.actor, each.principal_id)) for each in found)
    return [each for each in opened if each.access & Access.READ == Access.READ]


async def all_principals(ctx: Context) -> AsyncIterator[list[OpenPrincipal]]:
    """Every principal, by name, some at a time."""
    after = ""
    while page := await ctx.db.read(partial(stored_principals.page, after=after, limit=PAGE)):
        yield [open_principal(ctx, each) for each in page]
        after = page[-1].name


async def _look_up(ctx: Context, look_up: Lookup[lookups.Found | None]) -> lookups.Found:
    found = await ctx.db.point(look_up)
    if found is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such principal.")
    if ctx.observe_accounts_version(found.accounts_version):
        raise StaleLogin
    return found


def _home(ctx: Context, found: lookups.Found, needed: Access) -> OpenHome:
    owner = found.principal
    opened = OpenHome(owner, decided.access_to_home(ctx.actor, owner.principal_id))
    decided.require(opened, needed)
    return opened


async def _calendar(ctx: Context, name: str, found: lookups.Found, needed: Access) -> OpenCalendar:
    opened = _home(ctx, found, needed)
    there = found.calendar
    if there is None and name in homes.ALWAYS_THERE:
        there = await homes.find_collection(ctx, opened.owner, name)
    if there is None:
        raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")
    return open_calendar(opened, there, found.accounts_version)
