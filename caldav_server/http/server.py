"""All connections of one process: accepting, counting, and the graceful stop.

Rules of this module: the listening sockets and the set of connections; what one connection does is in ``connection``.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
import ssl
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from caldav_server.http import accepting
from caldav_server.http.connection import Connection, Handler
from caldav_server.http.proxies import Proxies
from caldav_server.settings import Settings

READ_BUFFER = 65_536


class Spread(Protocol):
    """How several workers share the connections."""

    def count(self, connections: int) -> None:
        """Say how many connections this worker has."""

    def passes_on(self, connection: socket.socket) -> bool:
        """Give a connection to another worker, if that is better."""

    def close(self) -> None:
        """Take no more."""


class EdgeServer(web.Server):
    """Makes a ``Connection`` for every accepted socket."""

    def __init__(self, handler: Handler, settings: Settings) -> None:
        super().__init__(self._no_handler)
        self.handler = handler
        self.loop = asyncio.get_running_loop()
        self.timeouts = settings.timeouts
        self.proxies = Proxies(settings.proxy)
        self.base_path = settings.server.base_path
        self.draining = False
        self._most = settings.limits.connections
        self._backlog = settings.server.backlog
        self._acceptors: list[accepting.Acceptor] = []
        self._open = 0
        """Counted here: the base class forgets a connection only when its task is over."""
        self._arriving = 0
        """Connections that were accepted and are not made yet."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None
        self._spread: Spread | None = None
        self._path = ""
        """The unix socket that this process made."""
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
        return self._open > self._most

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return self._open

    def listen(
        self,
        bind: str,
        *,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        shared: socket.socket | None = None,
        spread: Spread | None = None,
    ) -> str:
        """Listens on HOST:PORT or unix:PATH; the address in force, with the real port when 0 was asked for.

        ``shared`` is a unix socket that already listens, for several workers on one path; ``spread`` may pass a
        connection on to another worker.
        """
        listening = [shared] if shared else accepting.listening_sockets(bind, self._backlog, reuse_port=reuse_port)
        self._tls, self._spread = tls, spread
        self._acceptors.append(accepting.Acceptor(listening, self._arrived))
        if bind.startswith("unix:"):
            self._path = "" if shared else bind.removeprefix("unix:")
            return bind
        return f"{bind.rpartition(':')[0]}:{listening[0].getsockname()[1]}"

    def _arrived(self, connection: socket.socket) -> None:
        if self._spread is None or not self._spread.passes_on(connection):
            self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """Serves a connection that was accepted, here or by another worker."""
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arriving += 1
        task = self.loop.create_task(self._begin(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._count()

    async def _begin(self, connection: socket.socket) -> None:
        """Makes the socket a ``Connection``; one that breaks before it has said anything is forgotten."""
        handshake_seconds = self.timeouts.header_seconds if self._tls else None
        try:
            await self.loop.connect_accepted_socket(
                self, connection, ssl=self._tls, ssl_handshake_timeout=handshake_seconds
            )
        except OSError:  # TLS errors too
            self._arriving -= 1
            connection.close()
            self._count()

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        self._arriving -= 1
        self._count()

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        self._count()

    def _count(self) -> None:
        if self._spread is not None and not self.draining:
            self._spread.count(self._open + self._arriving)

    def _accept_no_more(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)
        if self._spread is not None:
            self._spread.close()

    async def drain(self, seconds: float) -> int:
        """Stops accepting, closes idle connections, lets the others finish for so long; how many were cut off."""
        self.draining = True
        self._accept_no_more()
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
