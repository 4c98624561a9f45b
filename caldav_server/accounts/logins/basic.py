"""Basic authentication (RFC 7617): from an Authorization header to a principal.

The steps of a login: look into the cache, ask the throttle, read the credentials, hash the password, fill the cache.
Rules of this module: every 401 is the same bytes; neither an answer nor its time tells whether a name exists.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp import hdrs

from caldav_server.accounts import accounts, passwords
from caldav_server.accounts.logins.cache import LoginCache
from caldav_server.accounts.throttle import FORGET_SECONDS, Throttle
from caldav_server.http.messages import Request, Response
from caldav_server.observability import logs
from caldav_server.observability.metrics import Metrics
from caldav_server.settings import AuthSettings
from protocol.model import Credential, Principal, PrincipalKind
from storage import credentials as stored_credentials
from storage import principals as stored_principals
from storage import server_state
from storage.bus import Bus
from storage.database import Database, Transaction

MAX_HEADER = 4096
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a Basic header says."""

    name: str
    password: str


def parse_basic(header: str) -> Credentials | None:
    """The credentials of a Basic Authorization header; ``None`` when it is anything else (RFC 7617 §2).

    Names and passwords are UTF-8; what is not is read as Latin-1, which some clients still send.
    """
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER:
        return None
    try:
        raw = base64.b64decode(token.strip().encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon or not name or "\0" in text:
        return None
    return Credentials(passwords.normalise(name), password)


class BasicLogin:
    """The login by account password or app password; one per process."""

    name = "basic"

    def __init__(
        self,
        db: Database,
        settings: AuthSettings,
        metrics: Metrics,
        cache: LoginCache,
        bus: Bus,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._bus = bus
        self.hasher = passwords.Hasher(settings)
        self._db = db
        self._settings = settings
        self._counters = metrics.counters
        self._clock = clock
        self._running: dict[tuple[int, bytes], asyncio.Future[Principal | Response]] = {}
        self._throttle = Throttle(settings)
        self._pool = ThreadPoolExecutor(settings.hash_threads, thread_name_prefix="hash")
        self._waiting = 0
        self.challenge = {"WWW-Authenticate": f'Basic realm="{settings.realm}", charset="UTF-8"', **_TEXT}

    def claims(self, request: Request) -> bool:
        """Whether the request carries a Basic header."""
        return request.headers.get(hdrs.AUTHORIZATION, "")[:6].lower() == "basic "

    def cached_principal(self, request: Request) -> Principal | None:
        """The principal of a login that was verified lately; ``None`` means ``authenticate`` must decide."""
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is None or not self._cache.is_current():
            return None
        try:
            found = self._cache.find(self._cache.digest(header))
        except KeyError:
            return None
        if found is not None:
            self._counters["auth_cache_hits"] += 1
        return found

    async def authenticate(self, request: Request) -> Principal | Response:
        """The principal that a request comes from, or the answer to give instead (401, 429, 503)."""
        header = request.headers.get(hdrs.AUTHORIZATION)
        given = parse_basic(header) if header else None
        if header is None or given is None:
            return self._unauthorized()
        if not self._cache.is_current():
            await self._cache.refresh()
        digest = self._cache.digest(header)
        try:
            found = self._cache.find(digest)
        except KeyError:
            return await self._verify_once(request, given, digest)
        self._counters["auth_failures" if found is None else "auth_cache_hits"] += 1
        return found or self._unauthorized()

    async def _verify_once(self, request: Request, given: Credentials, digest: bytes) -> Principal | Response:
        """Clients open several connections at once with the same header: they share one verification."""
        key = self._cache.generation, digest
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(self._log_in(request, given, digest))
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)

    async def _log_in(self, request: Request, given: Credentials, digest: bytes) -> Principal | Response:
        logs.request_id.set(request.request_id)
        agent = request.headers.get(hdrs.USER_AGENT, "")
        attempt = self._throttle.begin(given.name, request.remote, agent, self._clock())
        if isinstance(attempt, float):
            self._counters["auth_throttled"] += 1
            logs.get().warning("login delayed", account=given.name, remote=request.remote, seconds=round(attempt, 1))
            return _try_later(429, attempt, "Too many wrong passwords.")
        if self._waiting >= self._settings.hash_queue:
            self._throttle.abandon(attempt)
            return _try_later(503, 2.0, "Too many logins at once.")
        generation = self._cache.generation
        try:
            version, principal, known = await self._db.read(lambda tx: _look_up(tx, given.name))
            matched = await self._verify(given.password, known)
        except BaseException:
            self._throttle.abandon(attempt)
            raise
        now = self._clock()
        if principal is None or matched is None:
            self._counters["auth_failures"] += 1
            logs.get().warning("login failed", account=given.name, remote=request.remote, agent=agent[:200])
            self._cache.remember(digest, None, version, generation)
            self._throttle.raise_count(attempt, await self._bus.count(attempt.shared_key, int(FORGET_SECONDS)), now)
            return self._unauthorized()
        self._throttle.succeed(attempt, now)
        await self._bus.reset(attempt.shared_key)
        self._cache.remember(digest, principal, version, generation)
        if matched.kind == passwords.PASSWORD and self.hasher.is_outdated(matched.hash):
            await self._renew(matched, given.password)
        return principal

    async def _verify(self, password: str, known: list[Credential]) -> Credential | None:
        """The credential that the password matches; takes the time of one hash in every other case."""
        if passwords.is_app_password(password):
            found = passwords.find_app_password(password, known)
            if found is not None:
                return found
        chosen = next((one for one in known if one.kind == passwords.PASSWORD), None)
        if not self._settings.account_passwords:
            chosen = None
        self._counters["auth_hashes"] += 1
        if chosen is None:
            await self._in_thread(lambda: self.hasher.verify_decoy(password))
            return None
        hashed = chosen.hash
        return chosen if await self._in_thread(lambda: self.hasher.verify(hashed, password)) else None

    async def _in_thread(self, work: Callable[[], bool]) -> bool:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    async def _renew(self, credential: Credential, password: str) -> None:
        """Replaces a hash that was made with older figures, now that the password is at hand."""
        loop = asyncio.get_running_loop()
        hashed = await loop.run_in_executor(self._pool, self.hasher.hash, password)
        await accounts.change(self._db, self._bus, lambda tx: accounts.replace_hash(tx, credential, hashed))

    def _unauthorized(self) -> Response:
        return Response(401, dict(self.challenge), b"Please log in.\n")

    async def start(self) -> None:
        """Makes the decoy hash now, so that the first unknown name takes no longer than the next one."""
        await self._in_thread(lambda: self.hasher.verify_decoy(""))

    def close(self) -> None:
        """Ends the hashing threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _try_later(status: int, seconds: float, message: str) -> Response:
    return Response(status, {"Retry-After": str(max(1, math.ceil(seconds))), **_TEXT}, f"{message}\n".encode())


def _look_up(tx: Transaction, name: str) -> tuple[int, Principal | None, list[Credential]]:
    """The accounts version, the principal of a name or mail address, and its credentials.

    A name is looked up as given, then in lower case, because phones begin it with a capital letter.
    """
    version = server_state.accounts_version(tx)
    found = stored_principals.find_by_name(tx, name)
    if found is None and name.lower() != name:
        found = stored_principals.find_by_name(tx, name.lower())
    if found is None and "@" in name:
        found = stored_principals.find_by_address(tx, name)
    if found is None or found.kind is PrincipalKind.GROUP:
        return version, None, []
    return version, found, stored_credentials.for_principal(tx, found.principal_id)
