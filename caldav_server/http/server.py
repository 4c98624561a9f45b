"""All connections of one process: accepting, counting, and the graceful stop.

Rules of this module: the listening sockets and the set of connections; what one connection does is in ``connection``.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
import ssl
from typing import Any

from aiohttp import web

from caldav_server.http.connection import Connection, Handler
from caldav_server.http.proxies import Proxies
from caldav_server.settings import Settings

READ_BUFFER = 65_536


class EdgeServer(web.Server):
    """Makes a ``Connection`` for every accepted socket."""

    def __init__(self, handler: Handler, settings: Settings) -> None:
        super().__init__(self._no_handler)
        self.handler = handler
        self.loop = asyncio.get_running_loop()
        self.timeouts = settings.timeouts
        self.proxies = Proxies(settings.proxy)
        self.draining = False
        self._most = settings.limits.connections
        self._backlog = settings.server.backlog
        self._listening: list[asyncio.Server] = []
        self._ids = itertools.count()
        self._id_prefix = secrets.token_hex(5)
        self.parser_options: dict[str, Any] = {
            "keepalive_timeout": settings.timeouts.keep_alive_seconds,
            "max_line_size": settings.limits.header_bytes,
            "max_field_size": settings.limits.header_bytes,
            "max_headers": settings.limits.headers,
            "read_bufsize": READ_BUFFER,
            "auto_decompress": False,
        }

    async def _no_handler(self, _request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError("Connection has its own loop")

    def __call__(self) -> Connection:
        """The protocol of one new connection."""
        return Connection(self)

    def new_id(self) -> str:
        """A request id: unique over processes and restarts, cheap."""
        return f"{self._id_prefix}{next(self._ids):06x}"

    @property
    def is_full(self) -> bool:
        """Whether this process holds as many connections as it may."""
        return len(self._connections) > self._most

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def listen(
        self,
        bind: str,
        *,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        shared: socket.socket | None = None,
    ) -> str:
        """Listens on HOST:PORT or unix:PATH; the address in force, with the real port when 0 was asked for.

        ``shared`` is a unix socket that already listens, for several workers on one path.
        """
        loop = self.loop
        handshake_seconds = self.timeouts.header_seconds if tls else None
        if bind.startswith("unix:"):
            unix_server = await loop.create_unix_server(
                self,
                None if shared else bind.removeprefix("unix:"),
                sock=shared,
                ssl=tls,
                backlog=self._backlog,
                ssl_handshake_timeout=handshake_seconds,
            )
            self._listening.append(unix_server)
            return bind
        host, _, port = bind.rpartition(":")
        server = await loop.create_server(
            self,
            host.strip("[]"),
            int(port),
            ssl=tls,
            backlog=self._backlog,
            reuse_port=reuse_port or None,
            ssl_handshake_timeout=handshake_seconds,
        )
        self._listening.append(server)
        return f"{host}:{server.sockets[0].getsockname()[1]}"

    async def drain(self, seconds: float) -> int:
        """Stops accepting, closes idle connections, lets the others finish for so long; how many were cut off."""
        self.draining = True
        for server in self._listening:
            server.close()
        connections = [one for one in self.connections if isinstance(one, Connection)]
        for connection in connections:
            connection.close_if_idle()
        serving = [task for one in connections if (task := one.task) is not None]
        _, late = await asyncio.wait(serving, timeout=seconds) if serving else (set(), set())
        for connection in connections:
            connection.cut()
        for task in late:
            task.cancel()
        return len(late)
