"""Accepting: listening sockets, and each connection that arrives on them, handed on as a socket.

Rules of this module: sockets only; who serves a connection and how is not its business.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger("http")

AT_ONCE = 64
"""Connections taken in one turn of the loop: others want their turn too."""
YIELD_SECONDS, MOST_YIELD_SECONDS = 0.001, 0.008
"""How long a process leaves a connection to another before it looks again: the first time, and at most."""
PAUSE_SECONDS = 1.0
"""How long to accept nothing when the system has no file descriptor or memory left."""
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
"""An address that the host's name has and this system has not, such as that of IPv6 where it is switched off."""
_GONE = {errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR}
"""What was wrong with one connection, not with accepting."""


def listen(bind: str, backlog: int) -> list[socket.socket]:
    """Sockets that listen on HOST:PORT, one for each address of the host, or on unix:PATH; raises ``OSError``."""
    if bind.startswith("unix:"):
        return [_unix_socket(bind.removeprefix("unix:"), backlog)]
    host, _, port = bind.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            made.append(socket.create_server(address, family=family, backlog=backlog))
        except OSError as error:
            if error.errno not in _ABSENT:
                for each in made:
                    each.close()
                raise
            absent = error
    if not made and absent is not None:
        raise absent
    return made


def address_in_force(bind: str, listening: Sequence[socket.socket]) -> str:
    """The address, with the real port when 0 was asked for."""
    if bind.startswith("unix:"):
        return bind
    return f"{bind.rpartition(':')[0]}:{listening[0].getsockname()[1]}"


def remove_path(bind: str) -> None:
    """Removes the file of a unix socket; other addresses have none."""
    if bind.startswith("unix:"):
        Path(bind.removeprefix("unix:")).unlink(missing_ok=True)


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

    def __init__(
        self,
        listening: Sequence[socket.socket],
        take: Callable[[socket.socket], None],
        should_yield: Callable[[], bool],
    ) -> None:
        """``should_yield`` says whether another process that accepts here should have the next connection."""
        self._loop = asyncio.get_running_loop()
        self._take = take
        self._should_yield = should_yield
        self._timers: dict[socket.socket, asyncio.TimerHandle | None] = dict.fromkeys(listening)
        """When those that are paused go on."""
        for each in listening:
            each.setblocking(False)
            self._loop.add_reader(each.fileno(), self._arrived, each)

    def close(self) -> None:
        """Accept no more. When all processes have closed them, the system refuses connections that still wait."""
        for each, timer in self._timers.items():
            if timer is not None:
                timer.cancel()
            self._loop.remove_reader(each.fileno())
            each.close()
        self._timers = {}

    def _arrived(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if self._should_yield():
                self._pause(listening, YIELD_SECONDS)
                return
            if not self._accept(listening):
                return

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listening.fileno())
        self._timers[listening] = self._loop.call_later(seconds, self._go_on, listening, seconds)

    def _go_on(self, listening: socket.socket, waited: float) -> None:
        """After a pause: takes one connection if it is still there; waits longer while another process should."""
        if waited < MOST_YIELD_SECONDS and self._should_yield():
            self._pause(listening, 2 * waited)
            return
        self._timers[listening] = None
        self._loop.add_reader(listening.fileno(), self._arrived, listening)
        self._accept(listening)

    def _accept(self, listening: socket.socket) -> bool:
        """Takes one connection; whether there may be more."""
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _GONE:
                return True
            if error.errno not in _FULL:
                raise
            log.error("no connection can be accepted for a while: %s", error)
            self._pause(listening, PAUSE_SECONDS)
            return False
        connection.setblocking(False)
        self._take(connection)
        return True
