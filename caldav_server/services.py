"""What one process has for answering requests and running jobs: settings, database, measures, the actors it knows.

The composition root makes it; faces and jobs are given it. Rules of this module: it holds and passes on, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from caldav_server.accounts.logins.cache import LoginCache
from caldav_server.calendaring.actors import Actors
from caldav_server.calendaring.context import Context, Rules
from caldav_server.calendaring.polling import Polls
from caldav_server.http.messages import Request
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import InstrumentedDatabase
from caldav_server.observability.metrics import Family, Metrics, process_families
from caldav_server.settings import Settings
from storage import server_state
from storage.bus import Bus


async def _no_peers() -> list[tuple[str, list[Family]]]:
    return []


@dataclass(slots=True)
class Services:
    """One per process."""

    settings: Settings
    db: InstrumentedDatabase
    log: logs.Log
    bus: Bus
    metrics: Metrics = field(default_factory=Metrics)
    worker: str = ""
    """The name of this process among the workers of a server; empty when it is the only one."""
    ask_peers: Callable[[], Awaitable[list[tuple[str, list[Family]]]]] = _no_peers
    """Asks the other workers what they counted."""
    login_cache: LoginCache = field(init=False)
    wake_jobs: Callable[[], None] = lambda: None
    """Tells the runner of jobs in this process that there is work."""
    rules: Rules = field(init=False)
    actors: Actors = field(init=False)
    polls: Polls = field(init=False)
    _epoch: str = ""

    def __post_init__(self) -> None:
        self.login_cache = LoginCache(self.db, self.settings.auth, self.bus)
        if self.settings.redis.url:
            self.metrics.gauge("redis_connected", "Whether announcements of others arrive.", lambda: self.bus.connected)
        self.rules = Rules.of(self.settings)
        self.actors = Actors(self.db)
        self.polls = Polls(self.db)

    async def context(self, request: Request) -> Context:
        """What an authenticated request is done with."""
        if not self._epoch:  # it changes only at a restore, while no server runs
            self._epoch = await self.db.point(server_state.epoch)
        return Context(
            self.db,
            self.rules,
            await self.actors.find(request.viewer),
            request.request_id,
            int(time.time()),
            self.bus.announce,
            partial(self.login_cache.observe_accounts_version, authenticated=request.accounts_version),
            self.wake_jobs,
            self._epoch,
        )

    def families(self) -> list[Family]:
        """What this process counted, and what the operating system counts about it."""
        return [*self.metrics.families(), self.db.family(), *process_families()]
