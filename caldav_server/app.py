"""The composition root: the only place where the parts of a process are wired together.

Also the outermost rule of every request: where it goes, that it is authenticated first, and that whatever happens
becomes exactly one answer. Rules of this module: no protocol, no SQL; a face is a function of ``(app, request)``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from caldav_server.accounts.logins.basic import BasicLogin
from caldav_server.accounts.logins.cache import LoginCache
from caldav_server.http.messages import Request, Response
from caldav_server.http.proxies import is_in, parse_networks
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import InstrumentedDatabase
from caldav_server.observability.metrics import Family, Metrics, Sample, process_families, render
from caldav_server.settings import Settings
from protocol.dav import multistatus
from protocol.errors import Condition, Refusal
from protocol.model import Principal
from storage import errors, server_state
from storage.bus import Bus

HEALTH_SECONDS = 2.0
RETRY_SECONDS = "2"
WELL_KNOWN = "/.well-known/caldav"
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_XML = {"Content-Type": "application/xml; charset=utf-8"}

Face = Callable[["Application", Request], Awaitable[Response]]
Neighbours = Callable[[], Awaitable[list[tuple[str, list[Family]]]]]


async def _alone() -> list[tuple[str, list[Family]]]:
    return []


class Application:
    """Everything one process needs to answer requests."""

    def __init__(self, settings: Settings, db: InstrumentedDatabase, log: logs.Log, dav: Face) -> None:
        self.settings = settings
        self.db = db
        self.log = log
        self.metrics = Metrics()
        self.bus = Bus(settings.redis.url)
        if settings.redis.url:
            self.metrics.gauge("redis_connected", "Whether announcements of others arrive.", lambda: self.bus.connected)
        self.login_cache = LoginCache(db, settings.auth, self.bus)
        self.auth = BasicLogin(db, settings.auth, self.metrics, self.login_cache, self.bus)
        self.worker = ""
        self.neighbours: Neighbours = _alone
        self._dav = dav
        self._advertised: dict[str, str] = getattr(dav, "advertised", {})
        self._may_read_metrics = parse_networks(settings.metrics.allowed)
        self._own = {"/health": self._health, "/metrics": self._metrics}

    async def start(self) -> None:
        """Gets ready to serve; the database must be at the schema of this program."""
        self.db.require_schema()
        await self.bus.start()
        await self.auth.start()

    async def close(self) -> None:
        """Ends threads and connections."""
        await self.bus.close()
        self.auth.close()
        self.db.close()
        self.log.sink.flush()

    # -- the connection's side (http.connection.Handler)

    async def handle(self, request: Request) -> Response:
        """The answer to a request, whatever happens on the way."""
        self.metrics.in_flight += 1
        logs.request_id.set(request.request_id)
        try:
            response = await self._route(request)
            if not isinstance(response.body, bytes):
                response.body = await _Begun.begin(response.body)
            return response
        except Refusal as refusal:
            return render_refusal(refusal)
        except ConnectionError:
            raise
        except errors.StorageError as error:
            return self._storage_failed(request, error)
        except Exception as error:
            return self._internal_error(request, error)

    def finished(self, request: Request, status: int, size: int, seconds: float) -> None:
        """Counts and logs an answered request."""
        self.metrics.in_flight -= 1
        self.metrics.request(request.method, status, size, seconds)
        if status == 408:
            self.metrics.counters["slow_clients"] += 1
        if self.log.has_access:
            self.log.access(request, status, size, seconds)

    def refused(self, remote: str, request_id: str, reason: str) -> None:
        """Counts what was not a request; the reason holds the client's bytes and is shortened."""
        self.metrics.counters["refused_heads"] += 1
        logs.get().info("not a request", remote=remote, request_id=request_id, reason=reason[:200])

    def broken(self, request: Request, error: Exception) -> None:
        """Logs a defect of ours with everything needed to find it."""
        self.metrics.counters["internal_errors"] += 1
        logs.get().error(
            "internal error",
            request_id=request.request_id,
            method=request.method,
            path=request.raw_path,
            exc_info=error,
        )

    # -- routing

    async def _route(self, request: Request) -> Response:
        path = request.raw_path
        own = self._own.get(path)
        if own is not None:
            if request.method not in ("GET", "HEAD"):
                return Response(405, {"Allow": "GET, HEAD", **_TEXT}, b"Only GET and HEAD are possible here.\n")
            return await own(request)
        if path.rstrip("/") == WELL_KNOWN:
            return await self._dav(self, request)
        if not _is_dav(path):
            return Response(404, dict(_TEXT), b"There is nothing at this address.\n")
        principal = self.auth.cached_principal(request)
        if principal is None:
            answer = await self.auth.authenticate(request)
            if not isinstance(answer, Principal):
                if request.method == "OPTIONS":
                    answer.headers.update(self._advertised)
                return answer
            principal = answer
        request.principal = principal
        if path == "*":
            request.raw_path = "/"
        return await self._dav(self, request)

    async def _health(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self.db.point(server_state.accounts_version)
        except (errors.StorageError, TimeoutError):
            return Response(503, {"Retry-After": RETRY_SECONDS, **_TEXT}, b"the database does not answer\n")
        return Response(200, dict(_TEXT), b"ok\n")

    async def _metrics(self, request: Request) -> Response:
        if not self.settings.metrics.enabled:
            return Response(404, dict(_TEXT), b"There is nothing at this address.\n")
        if not is_in(request.remote, self._may_read_metrics):
            return Response(403, dict(_TEXT), b"Not from this address.\n")
        mine = (self.worker, self.families())
        body = render([mine, *await self.neighbours()])
        return Response(200, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}, body)

    def families(self) -> list[Family]:
        """What this process counted, and what the operating system counts about it."""
        return [*self.metrics.families(), self._database_family(), *process_families()]

    def _database_family(self) -> Family:
        kinds = {"read": self.db.reads, "write": self.db.writes, "point": self.db.points}
        samples = [
            sample
            for kind, timing in kinds.items()
            for sample in (
                Sample("_count", {"kind": kind}, timing.count),
                Sample("_sum", {"kind": kind}, timing.seconds),
            )
        ]
        return Family("database_seconds", "summary", "Time of units of work, waiting for a thread included.", samples)

    def _storage_failed(self, request: Request, error: errors.StorageError) -> Response:
        if isinstance(error, errors.StorageFull):
            logs.get().error("storage is full", error=str(error))
            return render_refusal(Refusal(Condition.SUFFICIENT_DISK_SPACE, "There is no room left to store this."))
        if isinstance(error, errors.ParentGone):
            return render_refusal(Refusal(Condition.NOT_FOUND, "It was removed meanwhile."))
        if isinstance(error, errors.Unavailable | errors.SchemaError):
            self.metrics.counters["database_unavailable"] += 1
            logs.get().error("database unavailable", kind=type(error).__name__, error=str(error))
            return render_refusal(Refusal(Condition.UNAVAILABLE, "The database is not available. Try again."))
        return self._internal_error(request, error)

    def _internal_error(self, request: Request, error: Exception) -> Response:
        self.broken(request, error)
        return Response(500, dict(_TEXT), f"Internal error. Request: {request.request_id}\n".encode())


def _is_dav(path: str) -> bool:
    """Whether the DAV face should look at a path; what its first segment spells encoded, that face decodes."""
    bare = path.lstrip("/")
    return bare in ("", "*", "dav") or bare.startswith(("dav/", "%"))


def render_refusal(refusal: Refusal) -> Response:
    """A refusal as an answer: the condition element for machines, or one line of text where there is none."""
    condition = refusal.condition
    if condition.namespace:
        body = multistatus.error_body(condition, refusal.message, refusal.details)
        return Response(condition.status, dict(_XML), body)
    headers = dict(_TEXT)
    if condition is Condition.UNAVAILABLE:
        headers["Retry-After"] = RETRY_SECONDS
    return Response(condition.status, headers, f"{refusal.message}\n".encode())


class _Begun:
    """A stream whose first chunk was already made: what fails before it can still become a proper answer."""

    __slots__ = ("_first", "_rest")

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    @classmethod
    async def begin(cls, stream: AsyncIterator[bytes]) -> _Begun:
        return cls(await anext(stream, b""), stream)

    def __aiter__(self) -> _Begun:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await anext(self._rest)

    async def aclose(self) -> None:
        with contextlib.suppress(AttributeError):  # generators have it, other iterators need not
            await self._rest.aclose()  # type: ignore[attr-defined]
