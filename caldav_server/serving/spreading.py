"""Which worker serves a connection: the kernel gives it to any of them, and that one passes it on to one with fewer.

The kernel chooses by a hash of the addresses, blindly: of 32 connections one of two workers may well get 19, and
clients keep theirs for hours. The workers share a table of counts in which each writes its own row alone, so that no
count is ever lost: how many connections it serves, how many it took from others, how many it gave to each.

Rules of this module: a connection that cannot be passed on is served here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, MutableSequence
from pathlib import Path

from caldav_server.http.accepting import PAUSE_SECONDS, Acceptor
from caldav_server.serving.neighbours import Place

log = logging.getLogger("serving")

Counts = MutableSequence[int]
"""The table, row after row; shared memory of 32-bit numbers."""
_SERVED, _TAKEN, _GIVEN = 0, 1, 2
"""The columns of a worker's row; from the last on there is one for each worker."""
_CLOSED = 1 << 30
"""Served by a worker that takes no more."""
_WRAP = 1 << 32
_WORTH_IT = 2
"""So many fewer connections must another worker have: what comes and goes is not worth being passed on."""

Take = Callable[[socket.socket], None]


def size_of(workers: int) -> int:
    """How many numbers the table has."""
    return workers * (_GIVEN + workers)


def close_row(counts: Counts, number: int, workers: int) -> None:
    """Say for a worker that is not there that it takes nothing."""
    counts[number * (_GIVEN + workers) + _SERVED] = _CLOSED


class Spread:
    """One worker's share of all connections."""

    def __init__(self, place: Place, take: Take) -> None:
        """``take`` serves a connection that another worker passed on."""
        assert place.counts is not None  # noqa: S101 - several workers always share a table
        self._place = place
        self._counts: Counts = place.counts
        self._take = take
        self._width = _GIVEN + place.count
        self._givers: list[socket.socket] = []
        """Where the connections that others pass on come in."""
        self._takers: dict[int, socket.socket] = {}
        """Where those for others go out."""
        self._loop = asyncio.get_running_loop()
        self._full_until = 0.0
        """Until then this worker has no file descriptor left and wants nothing from others."""
        path = Path(_socket_path(place.folder, place.number))
        path.unlink(missing_ok=True)  # of a worker that was killed: from here on nothing more is given to that one
        self._write(_TAKEN, sum(self._given_to(place.number, self._counts[:])))
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.bind(str(path))
        door.listen()
        self._door = Acceptor([door], self._meet)
        self.count(0)

    def count(self, connections: int) -> None:
        """Say how many connections this worker serves."""
        self._write(_SERVED, connections if self._loop.time() >= self._full_until else _CLOSED)

    def passes_on(self, connection: socket.socket) -> bool:
        """Give a connection that has just arrived to the worker with the fewest, if that has clearly fewer."""
        counts = self._counts[:]
        loads = [self._load(number, counts) for number in range(self._place.count)]
        least = min(range(len(loads)), key=loads.__getitem__)
        if loads[least] + _WORTH_IT > loads[self._place.number]:
            return False
        given = counts[self._place.number * self._width + _GIVEN + least]
        self._write(_GIVEN + least, given + 1)
        try:
            socket.send_fds(self._taker(least), [b"c"], [connection.fileno()])
        except OSError:  # it is just dead, or has more to take than it can
            self._write(_GIVEN + least, given)
            if (taker := self._takers.pop(least, None)) is not None:
                taker.close()
            return False
        connection.close()
        return True

    def close(self) -> None:
        """Take no more; what was already passed on is taken."""
        self._write(_SERVED, _CLOSED)
        self._door.close()
        for giver in list(self._givers):
            self._receive(giver)
            self._part(giver)
        for taker in self._takers.values():
            taker.close()

    def _load(self, number: int, counts: Counts) -> int:
        """What a worker serves and what is on its way to it."""
        served, taken = counts[number * self._width], counts[number * self._width + _TAKEN]
        on_the_way = (sum(self._given_to(number, counts)) - taken) % _WRAP
        # One worker too many counted as taken, because its giver was killed in between, is none on the way.
        return served + (on_the_way if on_the_way < _CLOSED else 0)

    def _given_to(self, number: int, counts: Counts) -> Counts:
        return counts[_GIVEN + number :: self._width]

    def _taker(self, number: int) -> socket.socket:
        taker = self._takers.get(number)
        if taker is None:
            taker = self._takers[number] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            taker.setblocking(False)
            taker.connect(_socket_path(self._place.folder, number))
        return taker

    def _meet(self, giver: socket.socket) -> None:
        """Another worker is about to pass on its first connection."""
        self._givers.append(giver)
        self._loop.add_reader(giver.fileno(), self._receive, giver)

    def _part(self, giver: socket.socket) -> None:
        if giver in self._givers:
            self._givers.remove(giver)
            self._loop.remove_reader(giver.fileno())
            giver.close()

    def _receive(self, giver: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    message, passed, _, _ = socket.recv_fds(giver, 1, 8)
                except ConnectionError:
                    message = b""
                if not message:
                    self._part(giver)
                    return
                self._write(_TAKEN, self._counts[self._place.number * self._width + _TAKEN] + 1)
                if not passed:
                    log.error("a connection that another worker passed on was lost: no file descriptor is left")
                    self._full_until = self._loop.time() + PAUSE_SECONDS
                    self._write(_SERVED, _CLOSED)
                for number in passed:
                    connection = socket.socket(fileno=number)
                    connection.setblocking(False)
                    self._take(connection)

    def _write(self, column: int, value: int) -> None:
        self._counts[self._place.number * self._width + column] = value % _WRAP


def _socket_path(folder: str, number: int) -> str:
    return str(Path(folder) / f"worker-{number}.take")
