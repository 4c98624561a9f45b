"""METHODS: every method of the DAV face, one row each, and the way of a request through it (RFC 4918 §9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from caldav_server.calendaring.context import StaleLogin
from caldav_server.dav import paths, reports
from caldav_server.dav.call import Call
from caldav_server.dav.elements import Elements
from caldav_server.dav.methods import collections, descriptions, moving, reading, writing
from caldav_server.dav.remembered import Remembered, State
from caldav_server.dav.renderings import Renderings
from caldav_server.dav.sessions import Sessions
from caldav_server.dav.view import View
from caldav_server.http.messages import Request, Response
from protocol.dav.headers import parse_prefer
from protocol.errors import Condition, Refusal
from protocol.model import Principal

if TYPE_CHECKING:
    from caldav_server.app import Application

METHODS: dict[str, Callable[[Call], Awaitable[Response]]] = {
    "OPTIONS": reading.options,
    "GET": reading.get,
    "HEAD": reading.get,
    "PROPFIND": reading.propfind,
    "REPORT": reading.report,
    "PUT": writing.put,
    "POST": writing.post,
    "DELETE": writing.delete,
    "MKCOL": collections.mkcol,
    "MKCALENDAR": collections.mkcalendar,
    "PROPPATCH": collections.proppatch,
    "COPY": moving.copy,
    "MOVE": moving.move,
}


class DavFace:
    """The DAV face of one process."""

    advertised: ClassVar[dict[str, str]] = {"DAV": descriptions.DAV}
    """What every answer to OPTIONS carries, one that asks for a login too: probes look before they log in (RFC 4918
    §10.1)."""

    def __init__(self) -> None:
        self._sessions: Sessions | None = None
        self._remembered = Remembered()
        self._renderings = Renderings()
        self._elements = Elements()

    async def __call__(self, app: Application, request: Request) -> Response:
        """Answer one request; refusals are raised and become answers at the edge."""
        if request.raw_path.rstrip("/") == paths.WELL_KNOWN:
            return Response(301, {"Location": request.base_path + paths.PREFIX, "Cache-Control": "max-age=3600"})
        location = _location(request)
        if request.method not in descriptions.METHODS_AT[location.place]:
            return _not_allowed(request, location, "This method is not possible here.")
        try:
            return await self._answer(app, request, location)
        except Refusal as refusal:
            if refusal.condition is Condition.METHOD_NOT_ALLOWED:
                return _not_allowed(request, location, refusal.message)
            raise
        except StaleLogin:
            answer = await app.auth.authenticate(request)
            if not isinstance(answer, Principal):
                answer.headers.update(self.advertised)
                return answer
            request.principal = answer
            return await self._answer(app, request, location)

    async def _answer(self, app: Application, request: Request, location: paths.Location) -> Response:
        async def make() -> tuple[Response, State | None]:
            call = await self._call(app, request, location)
            response = await METHODS[request.method](call)
            _finish(call, response)
            return response, call.depends_on

        return await self._remembered.answer(app.db, request, location, app.settings.limits.xml_bytes, make)

    async def _call(self, app: Application, request: Request, location: paths.Location) -> Call:
        sessions = self._sessions
        if sessions is None:
            observe = app.login_cache.observe_accounts_version
            sessions = self._sessions = Sessions(app.db, app.settings, observe, app.bus)
        ctx = await sessions.context(request)
        view = View(ctx, await sessions.epoch(), reports.supported_by, self._renderings, self._elements)
        limits = app.settings.limits
        return Call(
            request,
            ctx,
            view,
            location,
            parse_prefer(request.headers),
            xml_limit=limits.xml_bytes,
            dead_property_bytes=limits.dead_property_bytes,
            sync_page=limits.sync_page,
        )


_MAKING = frozenset({"PUT", "MKCOL", "MKCALENDAR"})


def _location(request: Request) -> paths.Location:
    """The place a request speaks of; what would be made below an object has no parent collection (RFC 4918 §9.7.1)."""
    try:
        return paths.parse(request.raw_path)
    except Refusal as refusal:
        if refusal.condition is Condition.NOT_FOUND and request.method in _MAKING:
            raise Refusal(Condition.MISSING_PARENT, "There is no collection to make this in.") from None
        raise


def _not_allowed(request: Request, location: paths.Location, message: str) -> Response:
    """405 with the methods that are left (RFC 9110 §15.5.6)."""
    headers = descriptions.headers_for(location, without=request.method)
    return Response(405, headers | {"Content-Type": "text/plain; charset=utf-8"}, f"{message}\n".encode())


def _finish(call: Call, response: Response) -> None:
    headers = response.headers
    headers.setdefault("DAV", descriptions.DAV)
    if response.status == 207 and call.prefer.return_ == "minimal":
        call.applied.append("return=minimal")
    if call.applied:
        headers["Preference-Applied"] = ", ".join(dict.fromkeys(call.applied))
        headers["Vary"] = "Prefer, Brief"
