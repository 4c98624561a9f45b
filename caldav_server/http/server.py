"""All connections of one process: accepting, counting, and the graceful stop.

Rules of this module: the listening sockets and the set of connections; what one connection does is in ``connection``
and ``exchange``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence

from aiohttp import web

from caldav_server.http import accepting
from caldav_server.http.connection import Connection, Edge, Handler
from caldav_server.http.exchange import AiohttpHandler
from caldav_server.http.load_balancing import LoadBalance
from caldav_server.http.proxies import Proxies
from caldav_server.settings import LimitSettings, Settings

READ_BUFFER = 65_536
_aiohttp_log = logging.getLogger("http.aiohttp")
_aiohttp_log.addFilter(lambda record: not str(record.msg).startswith("Error handling request"))
"""aiohttp logs what was not a request with a traceback; ``Connection`` tells the handler of it."""


class EdgeServer:
    """Makes a ``Connection`` for every accepted socket."""

    def __init__(self, handler: Handler, settings: Settings, balance: LoadBalance) -> None:
        self._loop = asyncio.get_running_loop()
        self._edge = Edge(
            handler,
            settings.timeouts,
            Proxies(settings.proxy),
            settings.server.base_path,
            settings.limits.connections,
            self._closed,
        )
        self._protocols = _protocols(self._edge, settings.limits)
        self._backlog = settings.server.backlog
        self._balance = balance
        self._acceptor: accepting.Acceptor | None = None
        self._path = ""
        """The unix socket that this process made."""
        self._accepted = 0
        """Connections that were accepted and are not closed, those in a TLS handshake included."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._edge.connections)

    def listen(self, bind: str, *, tls: ssl.SSLContext | None = None, shared: Sequence[socket.socket] = ()) -> str:
        """Listens on HOST:PORT or unix:PATH; the address in force, with the real port when 0 was asked for.

        ``shared`` are sockets that listen there already, and that other processes accept from too.
        """
        self._tls = tls
        self._path = "" if shared else bind
        self._balance.report(0)
        listening = shared or accepting.listen(bind, self._backlog)
        self._acceptor = accepting.Acceptor(listening, self._take, self._balance.should_yield)
        return accepting.address_in_force(bind, listening)

    def _take(self, connection: socket.socket) -> None:
        """Serves a connection that was accepted."""
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted += 1
        self._balance.report(self._accepted)
        task = self._loop.create_task(self._begin(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, connection: socket.socket) -> None:
        """Makes the socket a ``Connection``; one that breaks before it has said anything is forgotten."""
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self._edge, self._protocols()),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._edge.timeouts.header_seconds if self._tls else None,
            )
        except OSError:  # TLS errors too
            connection.close()
            self._closed()

    def _closed(self) -> None:
        self._accepted -= 1
        if not self._edge.draining:
            self._balance.report(self._accepted)

    async def drain(self, seconds: float) -> int:
        """Stops accepting, closes idle connections, lets the others finish for so long; how many were cut off."""
        self._edge.draining = True
        self._balance.close()
        if self._acceptor is not None:
            self._acceptor.close()
        accepting.remove_path(self._path)
        for _ in range(2):  # what has just arrived becomes a request first
            await asyncio.sleep(0)
        connections = list(self._edge.connections)
        for connection in connections:
            connection.close_if_idle()
        serving = [connection.task for connection in connections if connection.task is not None]
        _, late = await asyncio.wait(serving, timeout=seconds) if serving else (set(), set())
        for connection in connections:
            connection.cut()
        for task in late:
            task.cancel()
        return len(late)


def _protocols(edge: Edge, limits: LimitSettings) -> web.Server:
    """The factory of aiohttp's protocols. Bodies are left as they were sent, and closing is not its business."""
    return web.Server(
        AiohttpHandler(edge),
        keepalive_timeout=edge.timeouts.keep_alive_seconds,
        max_line_size=limits.header_bytes,
        max_field_size=limits.header_bytes,
        max_headers=limits.headers,
        read_bufsize=READ_BUFFER,
        lingering_time=0,
        auto_decompress=False,
        access_log=None,
        logger=_aiohttp_log,
    )
