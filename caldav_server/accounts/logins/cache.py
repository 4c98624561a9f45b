"""Logins that were verified lately, so that most requests cost no password hash.

A login is found by a keyed digest of what the client sent, so that the memory of the process holds no password. All
logins are forgotten when accounts changed. The process learns of a change in three ways: the look-up of a request read
another accounts version; another process announced one; ``recheck_seconds`` passed, so that the database is asked.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from cachetools import TTLCache

from caldav_server.settings import AuthSettings
from protocol.model import Principal
from storage import server_state
from storage.bus import Bus
from storage.database import Database


class LoginCache:
    """The remembered logins of one process."""

    def __init__(
        self, db: Database, settings: AuthSettings, bus: Bus, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._clock = clock
        self._recheck_seconds = settings.recheck_seconds
        self._check_at = 0.0
        self._version = -1
        self._key = secrets.token_bytes(32)
        self._principals: TTLCache[bytes, Principal | None] = TTLCache(
            settings.cache_entries, settings.cache_seconds, clock
        )
        self.generation = 0
        """Grows whenever logins are forgotten: one that was looked up before must not be remembered after."""
        bus.listen_to_accounts(self._hear_accounts_version, self.forget)

    def __len__(self) -> int:
        return len(self._principals)

    def digest(self, sent: str) -> bytes:
        """The key of a login."""
        return hashlib.blake2b(sent.encode("utf-8", "surrogateescape"), key=self._key, digest_size=16).digest()

    @property
    def version(self) -> int:
        """The accounts version under which the remembered logins were verified."""
        return self._version

    def is_current(self) -> bool:
        """Whether the accounts version was read lately; if not, ``refresh`` before trusting what is remembered."""
        return self._clock() < self._check_at

    async def refresh(self) -> None:
        """Reads the accounts version from the database."""
        self.observe_accounts_version(await self._db.point(server_state.accounts_version))

    def find(self, digest: bytes) -> Principal | None:
        """The principal of a login, ``None`` for one known to be wrong; raises ``KeyError`` when it is not known."""
        return self._principals[digest]

    def remember(self, digest: bytes, principal: Principal | None, version: int, generation: int) -> None:
        """Keeps the outcome of a login: verified under ``version``, looked up in ``generation``."""
        self.observe_accounts_version(version)
        if generation == self.generation:
            self._principals[digest] = principal

    def observe_accounts_version(self, version: int, authenticated: int | None = None) -> bool:
        """Takes the accounts version that a look-up just read.

        True when it is not the one under which the remembered logins were verified: they are forgotten, and the
        request that learned of it must be authenticated again. So must a request that was ``authenticated`` under
        another version, even when a faster request has told of the change already.
        """
        self._check_at = self._clock() + self._recheck_seconds
        if version == self._version:
            return authenticated not in (None, version)
        is_first = self._version < 0
        self._version = version
        self._principals.clear()
        return not is_first

    def _hear_accounts_version(self, version: int) -> None:
        if version != self._version:
            self.forget()

    def forget(self) -> None:
        """Forgets every login; the next request reads the accounts version from the database."""
        self._check_at = 0.0
        self._principals.clear()
        self.generation += 1
