"""``/health`` and ``/metrics``: what operators and their programs ask of a process."""

from __future__ import annotations

import asyncio

from caldav_server.faces import RETRY_SECONDS, TEXT, Handler
from caldav_server.http.messages import Request, Response
from caldav_server.http.proxies import is_in, parse_networks
from caldav_server.jobs.metrics import queue_family, retained_families
from caldav_server.observability.metrics import render
from caldav_server.services import Services
from protocol.errors import Condition, Refusal
from storage import errors, server_state

HEALTH_SECONDS = 2.0


class Operations:
    """Answers the operators of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._may_read_metrics = parse_networks(services.settings.metrics.allowed)
        self._by_path: dict[str, Handler] = {"/health": self._health, "/metrics": self._metrics}

    async def answer(self, request: Request) -> Response:
        """The answer to a request."""
        answer = self._by_path.get(request.raw_path)
        if answer is None:
            raise Refusal(Condition.NOT_FOUND, "There is nothing at this address.")
        if request.method not in ("GET", "HEAD"):
            return Response(405, {"Allow": "GET, HEAD", **TEXT}, b"Only GET and HEAD are possible here.\n")
        return await answer(request)

    async def _health(self, _request: Request) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._services.db.point(server_state.accounts_version)
        except (errors.StorageError, TimeoutError):
            return Response(503, {"Retry-After": RETRY_SECONDS, **TEXT}, b"the database does not answer\n")
        return Response(200, dict(TEXT), b"ok\n")

    async def _metrics(self, request: Request) -> Response:
        if not self._services.settings.metrics.enabled:
            raise Refusal(Condition.NOT_FOUND, "There is nothing at this address.")
        if not is_in(request.remote, self._may_read_metrics):
            return Response(403, dict(TEXT), b"Not from this address.\n")
        mine = (self._services.worker, self._services.families())
        db = self._services.db
        shared = ("", [*await queue_family(db), *await retained_families(db)])
        body = render([mine, shared, *await self._services.ask_peers()])
        return Response(200, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}, body)
