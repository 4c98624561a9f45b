"""The composition root: the only place where the parts of a process are wired together.

FACES is the table of what answers requests. ``Application`` holds the outermost rule of every request: which face it
goes to, that its login comes first, and that whatever happens becomes exactly one answer. Rules of this module: no
protocol, no SQL.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import unquote

from caldav_server.accounts.logins import Login
from caldav_server.accounts.logins.basic import BasicLogin
from caldav_server.calendaring.context import StaleLogin
from caldav_server.faces import TEXT, Face, Handler, LoginFactory, plain_refusal
from caldav_server.http.messages import Request, Response
from caldav_server.observability import logs
from caldav_server.services import Services
from protocol.errors import Condition, Refusal
from protocol.model import Principal
from storage import errors


def basic(services: Services) -> Login:
    """Name and password with every request (RFC 7617)."""
    return BasicLogin(services.db, services.settings.auth, services.metrics, services.login_cache, services.bus)


def _operations(services: Services) -> Handler:
    from caldav_server.operations import Operations

    return Operations(services).answer


def _discovery(_services: Services) -> Handler:
    from caldav_server.dav.discovery import answer

    return answer


def _dav(services: Services) -> Handler:
    from caldav_server.dav.face import DavFace

    return DavFace(services).answer


def _refuse_in_xml(request: Request, refusal: Refusal) -> Response:
    from caldav_server.dav.refusals import render

    return render(request, refusal)


def _dav_capabilities() -> dict[str, str]:
    from caldav_server.dav.methods.capabilities import DAV

    return {"DAV": DAV}


FACES: tuple[Face, ...] = (
    Face("operations", frozenset({"health", "metrics"}), _operations),
    Face("discovery", frozenset({".well-known"}), _discovery),
    Face("dav", frozenset({"", "dav"}), _dav, (basic,), _refuse_in_xml, _dav_capabilities),
)


ATTEMPTS = 4
"""How often one request is begun while accounts keep changing under it."""


class Application:
    """The faces of one process over its services; the edge hands it every request."""

    def __init__(self, services: Services, faces: Sequence[Face] = FACES) -> None:
        self.services = services
        self._logins: dict[LoginFactory, Login] = {}
        self._handlers = {face.name: face.load(services) for face in faces}
        self._by_root = {root: face for face in faces for root in face.roots}
        for face in faces:
            for factory in face.logins:
                self.login(factory)

    def login(self, factory: LoginFactory) -> Login:
        """The one login of this process that a factory makes."""
        login = self._logins.get(factory)
        if login is None:
            login = self._logins[factory] = factory(self.services)
        return login

    async def start(self) -> None:
        """Gets ready to serve; the database must be at the schema of this program."""
        self.services.db.require_schema()
        await self.services.bus.start()
        for login in self._logins.values():
            await login.start()

    async def close(self) -> None:
        """Ends threads and connections."""
        await self.services.bus.close()
        for login in self._logins.values():
            login.close()
        self.services.db.close()
        self.services.log.sink.flush()

    # -- the connection's side (http.connection.Handler)

    async def handle(self, request: Request) -> Response:
        """The answer to a request, whatever happens on the way."""
        self.services.metrics.in_flight += 1
        logs.request_id.set(request.request_id)
        if request.raw_path == "*":  # OPTIONS * asks about the whole server
            request.raw_path = "/"
        face = self._face_of(request.raw_path)
        if face is None:
            return plain_refusal(Refusal(Condition.NOT_FOUND, "There is nothing at this address."))
        try:
            response = await self._answer(face, request)
            if not isinstance(response.body, bytes):
                response.body = await _Begun.begin(response.body)
            return response
        except Refusal as refusal:
            return face.refuse(request, refusal)
        except ConnectionError:
            raise
        except errors.StorageError as error:
            return self._storage_failed(face, request, error)
        except Exception as error:
            return self._internal_error(request, error)

    def finished(self, request: Request, status: int, size: int, seconds: float) -> None:
        """Counts and logs an answered request."""
        metrics = self.services.metrics
        metrics.in_flight -= 1
        metrics.request(request.method, status, size, seconds)
        if status == 408:
            metrics.counters["slow_clients"] += 1
        if self.services.log.has_access:
            self.services.log.access(request, status, size, seconds)

    def refused(self, remote: str, request_id: str, reason: str) -> None:
        """Counts what was not a request; the reason holds the client's bytes and is shortened."""
        self.services.metrics.counters["refused_heads"] += 1
        logs.get().info("not a request", remote=remote, request_id=request_id, reason=reason[:200])

    def broken(self, request: Request, error: Exception) -> None:
        """Logs a defect of ours with everything needed to find it."""
        self.services.metrics.counters["internal_errors"] += 1
        logs.get().error(
            "internal error",
            request_id=request.request_id,
            method=request.method,
            path=request.raw_path,
            exc_info=error,
        )

    # -- routing

    def _face_of(self, raw_path: str) -> Face | None:
        """The face that a path belongs to, by its first segment; repeated slashes do not count."""
        root = raw_path.lstrip("/").partition("/")[0]
        return self._by_root.get(unquote(root) if "%" in root else root)

    async def _answer(self, face: Face, request: Request) -> Response:
        handler = self._handlers[face.name]
        if not face.logins:
            return await handler(request)
        login = self._login_for(face, request)
        principal = login.cached_principal(request) or await login.authenticate(request)
        for _ in range(ATTEMPTS):
            if not isinstance(principal, Principal):
                return _with_advertised(face, request, principal)
            request.principal, request.accounts_version = principal, self.services.login_cache.version
            try:
                return await handler(request)
            except StaleLogin:  # an account changed since: the login is verified again
                principal = await login.authenticate(request)
        raise Refusal(Condition.UNAVAILABLE, "Accounts are being changed; try again.")

    def _login_for(self, face: Face, request: Request) -> Login:
        """The login whose kind a request carries; the first one asks where it carries none."""
        logins = [self._logins[factory] for factory in face.logins]
        if len(logins) == 1:
            return logins[0]
        return next((login for login in logins if login.claims(request)), logins[0])

    def _storage_failed(self, face: Face, request: Request, error: errors.StorageError) -> Response:
        if isinstance(error, errors.StorageFull):
            logs.get().error("storage is full", error=str(error))
            refusal = Refusal(Condition.SUFFICIENT_DISK_SPACE, "There is no room left to store this.")
        elif isinstance(error, errors.ParentGone):
            refusal = Refusal(Condition.NOT_FOUND, "It was removed meanwhile.")
        elif isinstance(error, errors.Unavailable | errors.SchemaError | errors.SchemaTooNew):
            self.services.metrics.counters["database_unavailable"] += 1
            logs.get().error("database unavailable", kind=type(error).__name__, error=str(error))
            refusal = Refusal(Condition.UNAVAILABLE, "The database is not available. Try again.")
        else:
            return self._internal_error(request, error)
        return face.refuse(request, refusal)

    def _internal_error(self, request: Request, error: Exception) -> Response:
        self.broken(request, error)
        return Response(500, dict(TEXT), f"Internal error. Request: {request.request_id}\n".encode())


def _with_advertised(face: Face, request: Request, answer: Response) -> Response:
    if request.method == "OPTIONS":
        answer.headers.update(face.advertised())
    return answer


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
