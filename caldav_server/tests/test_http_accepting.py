"""Which worker takes a connection, and that somebody takes it."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from pathlib import Path

import pytest

from caldav_server.http import accepting
from caldav_server.http.accepting import Acceptor, address_in_force, listen, remove_path
from caldav_server.http.load_balancing import LoadBalance, no_workers


def test_a_worker_yields_to_one_that_has_fewer() -> None:
    counts = no_workers(3)
    first, second, third = (LoadBalance(counts, number) for number in range(3))
    first.report(0)
    assert not first.should_yield()  # nobody else is there
    second.report(0)
    first.report(1)
    assert first.should_yield() and not second.should_yield()
    second.report(1)  # as many, and the newest
    assert second.should_yield() and not first.should_yield()
    first.report(0)
    second.report(0)
    assert second.should_yield() and not first.should_yield()  # of clients that come one by one, each gets some
    second.close()
    first.report(5)
    assert not first.should_yield()
    third.report(0)
    assert first.should_yield()


def test_a_storm_is_not_held_up_by_small_differences() -> None:
    counts = no_workers(2)
    first, second = LoadBalance(counts, 0), LoadBalance(counts, 1)
    second.report(1600)
    first.report(1700)
    assert not first.should_yield()
    first.report(1701)
    assert first.should_yield()


async def test_a_connection_that_nobody_takes_is_taken_after_all() -> None:
    taken: list[socket.socket] = []
    listening = listen("127.0.0.1:0", 10)
    address = address_in_force("127.0.0.1:0", listening)
    acceptor = Acceptor(listening, taken.append, lambda: True)
    host, _, port = address.rpartition(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(3)]
    started = time.monotonic()
    async with asyncio.timeout(10):
        while len(taken) < 3:
            await asyncio.sleep(0.001)
    assert time.monotonic() - started > 0.03  # each was left to others first
    acceptor.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    for each in (*taken, *clients):
        each.close()


async def test_a_connection_is_taken_when_it_is_this_ones_turn() -> None:
    taken: list[socket.socket] = []
    turn = [False]
    listening = listen("127.0.0.1:0", 10)
    acceptor = Acceptor(listening, taken.append, lambda: not turn[0])
    client = socket.create_connection(listening[0].getsockname())
    await asyncio.sleep(0.002)
    assert not taken
    turn[0] = True
    async with asyncio.timeout(10):
        while not taken:
            await asyncio.sleep(0.001)
    acceptor.close()
    taken[0].close()
    client.close()


async def test_no_file_descriptor_left_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "PAUSE_SECONDS", 0.05)

    class Full(socket.socket):
        refusals = 2

        def accept(self) -> tuple[socket.socket, object]:
            if Full.refusals:
                Full.refusals -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    taken: list[socket.socket] = []
    listening = Full(socket.AF_INET)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    acceptor = Acceptor([listening], taken.append, lambda: False)
    client = socket.create_connection(listening.getsockname())
    async with asyncio.timeout(10):
        while not taken:
            await asyncio.sleep(0.01)
    assert Full.refusals == 0
    acceptor.close()
    taken[0].close()
    client.close()


def test_the_file_of_a_unix_socket_goes_with_its_server(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/s"
    (listening,) = listen(bind, 1)
    assert address_in_force(bind, [listening]) == bind
    with pytest.raises(OSError, match="in use"):
        listen(bind, 1)  # somebody answers there
    listening.close()
    (again,) = listen(bind, 1)  # what a killed server left
    again.close()
    remove_path(bind)
    assert not (tmp_path / "s").exists()
