"""Who is asking, and whom that principal reaches (RFC 3744 §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from protocol.model import Access, Principal, PrincipalId
from storage import principals as stored_principals
from storage.database import Database, Transaction

MAX_ACTORS = 20_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: the principal, and the homes of others that are open to it."""

    principal: Principal
    reach: Mapping[PrincipalId, Access] = field(default_factory=dict)
    """Access to other principals' homes by delegation, direct or through a group."""
    groups: tuple[Principal, ...] = ()
    """Every group the principal is in, directly or through other groups."""


def delegated_access(*, can_write: bool) -> Access:
    """What a delegate may do in the home that was opened to it."""
    return Access.READ | Access.WRITE if can_write else Access.READ


def load_actor(tx: Transaction, principal: Principal) -> Actor:
    """RFC 3744 §2: a principal acts as itself and as every group it is in, directly or through other groups."""
    groups: dict[PrincipalId, Principal] = {}
    todo = [principal.principal_id]
    while todo:
        for group in stored_principals.groups_of(tx, todo.pop()):
            if group.principal_id not in groups:
                groups[group.principal_id] = group
                todo.append(group.principal_id)
    reach: dict[PrincipalId, Access] = {}
    for acting in (principal.principal_id, *groups):
        for owner, can_write in stored_principals.delegators_of(tx, acting):
            granted = delegated_access(can_write=can_write)
            reach[owner.principal_id] = reach.get(owner.principal_id, Access.NONE) | granted
    # The members of a group read and write its calendars.
    for group_id in groups:
        reach[group_id] = reach.get(group_id, Access.NONE) | Access.READ | Access.WRITE
    return Actor(principal, reach, tuple(groups.values()))


class Actors:
    """The actors of one process.

    A login gives each device a principal object of its own until accounts, groups or delegations change. An actor is
    kept with that object, so it cannot outlive such a change.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: LRUCache[int, Actor] = LRUCache(MAX_ACTORS)
        """By the identity of the principal object, which the actor keeps alive."""

    async def find(self, principal: Principal) -> Actor:
        """The actor of a principal that has logged in; loads it the first time."""
        known = self._known.get(id(principal))
        if known is not None and known.principal is principal:
            return known
        actor = await self._db.point(lambda tx: load_actor(tx, principal))
        self._known[id(principal)] = actor
        return actor
