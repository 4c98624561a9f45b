"""The DAV face of one process: the way of a request through it (RFC 4918 §9)."""

from __future__ import annotations

from caldav_server.calendaring.polling import CalendarState
from caldav_server.dav import paths, reports
from caldav_server.dav.caches.object_response_cache import ObjectResponseCache
from caldav_server.dav.caches.rendering_cache import RenderingCache
from caldav_server.dav.caches.response_cache import ResponseCache
from caldav_server.dav.call import Call
from caldav_server.dav.methods import METHODS, capabilities
from caldav_server.dav.view import View
from caldav_server.http.messages import Request, Response
from caldav_server.services import Services
from protocol.dav.headers import parse_prefer
from protocol.errors import Condition, Refusal

_MAKING = frozenset({"PUT", "MKCOL", "MKCALENDAR"})


class DavFace:
    """One per process, with what it remembers between requests."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._responses = ResponseCache()
        self._renderings = RenderingCache()
        self.object_responses = ObjectResponseCache()

    async def answer(self, request: Request) -> Response:
        """Answer one request of an authenticated principal."""
        location = _location(request)
        if request.method not in capabilities.METHODS_AT[location.place]:
            return _not_allowed(request, location, "This method is not possible here.")
        try:
            return await self._answer(request, location)
        except Refusal as refusal:
            if refusal.condition is Condition.METHOD_NOT_ALLOWED:
                return _not_allowed(request, location, refusal.message)
            raise

    async def _answer(self, request: Request, location: paths.Location) -> Response:
        async def make() -> tuple[Response, CalendarState | None]:
            call = await self._call(request, location)
            response = await METHODS[request.method](call)
            _finish(call, response)
            return response, call.depends_on

        limit = self._services.settings.limits.xml_bytes
        return await self._responses.answer(self._services.polls, request, location, limit, make)

    async def _call(self, request: Request, location: paths.Location) -> Call:
        ctx = await self._services.context(request)
        view = View(
            ctx, paths.paths_below(request.base_path), reports.supported_by, self._renderings, self.object_responses
        )
        limits = self._services.settings.limits
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
    headers = capabilities.headers_for(location, without=request.method)
    return Response(405, headers | {"Content-Type": "text/plain; charset=utf-8"}, f"{message}\n".encode())


def _finish(call: Call, response: Response) -> None:
    headers = response.headers
    headers.setdefault("DAV", capabilities.DAV)
    if response.status == 207 and call.prefer.return_ == "minimal":
        call.applied.append("return=minimal")
    if call.applied:
        headers["Preference-Applied"] = ", ".join(dict.fromkeys(call.applied))
        headers["Vary"] = "Prefer, Brief"
