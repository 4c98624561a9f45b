"""Accepting: the listening sockets of one process, and each connection that arrives on them, handed on as a socket.

Rules of this module: sockets only; who serves a connection and how is not its business.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("http")

AT_ONCE = 64
"""Connections taken in one turn of the loop: others want their turn too."""
PAUSE_SECONDS = 1.0
"""How long to accept nothing when the system has no file descriptor or memory left."""
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
"""An address that the host's name has and this system has not, such as that of IPv6 where it is switched off."""
_GONE = {errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR}
"""What was wrong with one connection, not with accepting."""


def listening_sockets(bind: str, backlog: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Sockets that listen on HOST:PORT, one for each address of the host, or on unix:PATH; raises ``OSError``."""
    if bind.startswith("unix:"):
        return [_unix_socket(bind.removeprefix("unix:"), backlog)]
    host, _, port = bind.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            made.append(socket.create_server(address, family=family, backlog=backlog, reuse_port=reuse_port))
        except OSError as error:
            if error.errno not in _ABSENT:
                for each in made:
                    each.close()
                raise
            absent = error
    if not made and absent is not None:
        raise absent
    return made


def _unix_socket(path: str, backlog: int) -> socket.socket:
    if Path(path).is_socket():
        _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def _remove_stale(path: str) -> None:
    """Removes the socket file of a server that is gone; one that answers is left, and binding will fail."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass


class Acceptor:
    """Takes connections from listening sockets as they come, until it is closed; the sockets are its own."""

    def __init__(self, listening: list[socket.socket], take: Callable[[socket.socket], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._take = take
        self._timers: dict[socket.socket, asyncio.TimerHandle] = {}
        """When those that are paused go on."""
        for each in listening:
            each.setblocking(False)
            self._watch(each)

    def close(self) -> None:
        """Accept no more; connections in the sockets' queues are refused by the system."""
        for each in self._listening:
            if each in self._timers:
                self._timers[each].cancel()
            self._loop.remove_reader(each.fileno())
            each.close()
        self._listening = []

    def _watch(self, listening: socket.socket) -> None:
        self._timers.pop(listening, None)
        self._loop.add_reader(listening.fileno(), self._arrived, listening)

    def _arrived(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                if error.errno not in _FULL:
                    raise
                log.error("no connection can be accepted for a while: %s", error)
                self._loop.remove_reader(listening.fileno())
                self._timers[listening] = self._loop.call_later(PAUSE_SECONDS, self._watch, listening)
                return
            connection.setblocking(False)
            self._take(connection)
