"""Which worker serves a connection: the kernel gives it to any of them, and that one passes it on to one with fewer.

The kernel chooses by a hash of the addresses, blindly: of 32 connections one of two workers may well get 19, and
clients keep theirs for hours. The workers share a table of counts in which each writes its own row alone, so that no
count is ever lost: how many connections it serves, how many it took from others, how many it gave to each.

Rules of this module: a connection that cannot be passed on is served here.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from caldav_server.serving.neighbours import Place

_NUMBER = struct.Struct("=I")
_SERVED, _TAKEN, _GIVEN = 0, 1, 2
"""The columns of a worker's row; from the last on there is one for each worker."""
_CLOSED = 1 << 30
"""Served by a worker that takes no more."""
_WORTH_IT = 2
"""So many fewer connections must another worker have: what comes and goes is not worth being passed on."""

Take = Callable[[socket.socket], None]


def prepare(folder: str, workers: int) -> None:
    """Make the table of counts in the folder where the workers meet; before they start."""
    row = [_CLOSED] + [0] * (1 + workers)
    _counts_path(folder).write_bytes(b"".join(map(_NUMBER.pack, row * workers)))


def _counts_path(folder: str) -> Path:
    return Path(folder) / "connections"


def _socket_path(folder: str, number: int) -> str:
    return str(Path(folder) / f"worker-{number}.take")


class Spread:
    """One worker's share of all connections."""

    def __init__(self, place: Place, take: Take) -> None:
        """``take`` serves a connection that another worker passed on."""
        self._place = place
        self._take = take
        self._width = _GIVEN + place.count
        self._table = struct.Struct(f"={self._width * place.count}I")
        with _counts_path(place.folder).open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), self._table.size)
        self._givers: list[socket.socket] = []
        """Where the connections that others pass on come in."""
        self._takers: dict[int, socket.socket] = {}
        """Where those for others go out."""
        path = Path(_socket_path(place.folder, place.number))
        path.unlink(missing_ok=True)  # of a worker that was killed
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.setblocking(False)
        self._door.bind(str(path))
        self._door.listen()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._door.fileno(), self._meet)
        self._write(_TAKEN, sum(self._given_to(place.number, self._table.unpack(self._counts))))
        self.count(0)

    def count(self, connections: int) -> None:
        """Say how many connections this worker serves."""
        self._write(_SERVED, connections)

    def passes_on(self, connection: socket.socket) -> bool:
        """Give a connection that has just arrived to the worker with the fewest, if that has clearly fewer."""
        counts = self._table.unpack(self._counts)
        loads = [self._load(number, counts) for number in range(self._place.count)]
        least = min(range(len(loads)), key=loads.__getitem__)
        if loads[least] + _WORTH_IT > loads[self._place.number]:
            return False
        try:
            socket.send_fds(self._taker(least), [b"c"], [connection.fileno()])
        except OSError:  # it is just dead, or has more to take than it can
            self._takers.pop(least).close()
            return False
        given = _GIVEN + least
        self._write(given, counts[self._place.number * self._width + given] + 1)
        connection.close()
        return True

    def _load(self, number: int, counts: tuple[int, ...]) -> int:
        """What a worker serves and what is on its way to it."""
        served, taken = counts[number * self._width :][:2]
        return served + (sum(self._given_to(number, counts)) - taken) % (1 << 32)

    def _given_to(self, number: int, counts: tuple[int, ...]) -> tuple[int, ...]:
        return counts[_GIVEN + number :: self._width]

    def close(self) -> None:
        """Take no more; what was already passed on is taken."""
        self._write(_SERVED, _CLOSED)
        self._loop.remove_reader(self._door.fileno())
        self._door.close()
        for giver in list(self._givers):
            self._receive(giver)
            self._part(giver)
        for taker in self._takers.values():
            taker.close()
        self._counts.close()

    def _taker(self, number: int) -> socket.socket:
        taker = self._takers.get(number)
        if taker is None:
            taker = self._takers[number] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            taker.setblocking(False)
            taker.connect(_socket_path(self._place.folder, number))
        return taker

    def _meet(self) -> None:
        """Another worker is about to pass on its first connection."""
        with contextlib.suppress(BlockingIOError):
            giver, _ = self._door.accept()
            giver.setblocking(False)
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
                mine = self._place.number * self._width + _TAKEN
                self._write(_TAKEN, self._table.unpack(self._counts)[mine] + 1)
                for number in passed:
                    connection = socket.socket(fileno=number)
                    connection.setblocking(False)
                    self._take(connection)

    def _write(self, column: int, value: int) -> None:
        place = (self._place.number * self._width + column) * _NUMBER.size
        _NUMBER.pack_into(self._counts, place, value % (1 << 32))
