"""What is known of a principal, home or collection besides its own row: dead properties, members, delegates, usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from caldav_server.calendaring.access import Opened
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar, OpenPrincipal
from protocol.model import DeadProperty, Principal, PrincipalId
from storage import calendars as stored_calendars
from storage import principals as stored_principals
from storage.database import Transaction
from storage.properties import dead_properties_all, dead_properties_of_many

DEAD, PEOPLE, DELEGATES, USAGE = "dead", "people", "delegates", "usage"
"""What can be asked for."""


@dataclass(slots=True)
class Extras:
    """What was read of one resource; what nobody asked for is empty."""

    dead: dict[str, str] = field(default_factory=dict)
    """Properties stored verbatim: name to element text."""
    members: tuple[Principal, ...] = ()
    """The direct members of a group."""
    groups: tuple[Principal, ...] = ()
    """The groups that list the principal as a member."""
    delegates: tuple[tuple[Principal, bool], ...] = ()
    """Who else may reach the owner's home, and whether they may write."""
    used_bytes: int = 0
    """What the owner's home holds (RFC 4331)."""


async def load(ctx: Context, wanted: Sequence[tuple[Opened, bytes, Extras]], needs: frozenset[str]) -> None:
    """Fill extras of opened resources, whose dead properties are kept under the given ids, in one read for all."""

    def work(tx: Transaction) -> None:
        if DEAD in needs:
            _load_dead(tx, wanted)
        # Many resources have one owner: what is the owner's is read once.
        delegates = cache(lambda owner_id: tuple(stored_principals.delegates_of(tx, owner_id)))
        used = cache(lambda owner_id: stored_calendars.usage(tx, owner_id)[1])
        for opened, _, extras in wanted:
            owner_id = opened.owner.principal_id
            if isinstance(opened, OpenPrincipal):
                if PEOPLE in needs:
                    extras.members = tuple(stored_principals.members_of(tx, owner_id))
                    extras.groups = tuple(stored_principals.groups_of(tx, owner_id))
            elif DELEGATES in needs:  # delegates reach the home, not the principal
                extras.delegates = delegates(owner_id)
            if USAGE in needs:
                extras.used_bytes = used(owner_id)

    await ctx.db.read(work)


def _load_dead(tx: Transaction, wanted: Iterable[tuple[Opened, bytes, Extras]]) -> None:
    by_owner: dict[PrincipalId, list[tuple[bytes, Extras]]] = {}
    for opened, resource_id, extras in wanted:
        by_owner.setdefault(opened.owner.principal_id, []).append((resource_id, extras))
    for owner_id, owned in by_owner.items():
        stored = dead_properties_of_many(tx, owner_id, [resource_id for resource_id, _ in owned])
        for resource_id, extras in owned:
            extras.dead = {prop.name: prop.xml for prop in stored.get(resource_id, ())}


async def dead_of_members(
    ctx: Context, opened: OpenCalendar, names: Iterable[str] | None
) -> Mapping[bytes, list[DeadProperty]]:
    """The dead properties of these names (``None``: of all) that objects of a calendar keep, by object id."""
    owner_id = opened.owner.principal_id
    return await ctx.db.read(lambda tx: dead_properties_all(tx, owner_id, names))
