"""What the DAV face remembers between requests: who may reach what, and the database's epoch.

An actor is worked out once for each principal object the authenticator hands out; it forgets its principals whenever
accounts, groups or delegations change, so that nothing here can outlive such a change.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from caldav_server.calendaring.access import delegated_access
from caldav_server.calendaring.context import Actor, Context, Rules
from caldav_server.http.messages import Request
from caldav_server.settings import Settings
from protocol.model import Access, Principal, PrincipalId
from storage import principals as stored_principals
from storage import server_state
from storage.bus import Bus
from storage.database import Database, Transaction

_MAX_ACTORS = 20_000


class Sessions:
    """One per process."""

    def __init__(
        self, db: Database, settings: Settings, observe_accounts_version: Callable[[int], bool], bus: Bus
    ) -> None:
        self._db = db
        self._bus = bus
        self._observe_accounts_version = observe_accounts_version
        self._rules = Rules.of(settings)
        self._epoch = ""
        self._actors: dict[int, Actor] = {}
        """By the identity of the principal object, of which each device's login has its own."""

    async def context(self, request: Request) -> Context:
        """The means for one request of an authenticated principal."""
        principal = request.principal
        assert principal is not None  # noqa: S101 - the edge authenticates before it dispatches
        return Context(
            self._db,
            self._rules,
            await self._actor(principal),
            request.request_id,
            int(time.time()),
            self._bus.announce,
            self._observe_accounts_version,
        )

    async def epoch(self) -> str:
        """The database's epoch; it changes only at a restore, which happens while no server runs."""
        if not self._epoch:
            self._epoch = await self._db.point(server_state.epoch)
        return self._epoch

    async def _actor(self, principal: Principal) -> Actor:
        known = self._actors.get(id(principal))
        if known is not None and known.principal is principal:
            return known
        actor = await self._db.point(lambda tx: _load_actor(tx, principal))
        if len(self._actors) >= _MAX_ACTORS:
            self._actors.clear()
        self._actors[id(principal)] = actor  # which keeps the object, so that no other takes its identity
        return actor


def _load_actor(tx: Transaction, principal: Principal) -> Actor:
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
    # A group's calendars belong to its members: whoever is in it reads and writes them.
    for group_id in groups:
        reach[group_id] = reach.get(group_id, Access.NONE) | Access.READ | Access.WRITE
    return Actor(principal, reach, tuple(groups.values()))
