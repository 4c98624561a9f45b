"""Slow and silent clients: every wait has an end, and the others do not notice (F12 to F14 in their short form)."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from caldav_server.http.messages import Request, Response
from testing.edge import Client, Edge, basic, echo, running

pytestmark = pytest.mark.slow

QUICK: dict[str, object] = {
    "timeouts.header_seconds": 0.4,
    "timeouts.body_seconds": 0.4,
    "timeouts.write_seconds": 0.4,
    "timeouts.keep_alive_seconds": 1,
}
HEAD = f"PUT /dav/x HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n".encode()


async def hold_open(edge: Edge, start: bytes, count: int) -> list[Client]:
    clients = [await edge.connect() for _ in range(count)]
    for client in clients:
        await client.send(start)
    return clients


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /dav/ HTT",
        HEAD,
        HEAD + b"Content-Length: 10\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["silent", "half a line", "half a head", "half a body", "half a chunk"],
)
async def test_half_a_request_is_cut_off(tmp_path: Path, start: bytes) -> None:
    async with running(tmp_path, QUICK) as edge:
        clients = await hold_open(edge, start, 50)
        bystander = await edge.connect()
        started = time.perf_counter()
        assert (await bystander.request("GET", "/dav/")).status == 200
        assert time.perf_counter() - started < 10  # waiting for one after the other would take twice that
        for client in clients:
            assert (await client.answer()).status == 408
            assert await client.is_closed()
        assert time.perf_counter() - started < 30


async def test_dripping_a_head_or_a_body_does_not_extend_the_time(tmp_path: Path) -> None:
    async with running(tmp_path, QUICK) as edge:
        for start in (HEAD, HEAD + b"Content-Length: 1000\r\n\r\n"):
            client = await edge.connect()
            await client.send(start)
            started = time.perf_counter()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                while time.perf_counter() - started < 30:
                    await client.send(b"x")
                    await asyncio.sleep(0.05)
                    if client.reader.at_eof() or client.reader._buffer:
                        assert (await client.answer()).status == 408
                        raise ConnectionResetError
            assert time.perf_counter() - started < 20


async def test_a_body_that_keeps_its_rate_may_take_longer(tmp_path: Path) -> None:
    async with running(tmp_path, {**QUICK, "timeouts.body_rate": 1000}) as edge:
        client = await edge.connect()
        await client.send(HEAD + b"Content-Length: 3000\r\n\r\n")
        for _ in range(15):
            await client.send(b"x" * 200)
            await asyncio.sleep(0.07)
        assert (await client.answer()).status == 200


async def test_an_idle_connection_is_closed_and_a_used_one_is_not(tmp_path: Path) -> None:
    async with running(tmp_path, QUICK) as edge:
        idle, used = await edge.connect(), await edge.connect()
        assert (await idle.request("GET", "/dav/")).status == 200
        for _ in range(6):
            assert (await used.request("GET", "/dav/")).status == 200
            await asyncio.sleep(0.3)
        assert await idle.is_closed(0.1)


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, streamed: bool) -> None:
    size = 24 * 1_048_576
    done: list[str] = []

    async def face(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                for _ in range(size // 65536):
                    yield b"y" * 65536
                done.append("all")
            finally:
                done.append("closed")

        return Response(200, {}, chunks() if streamed else b"y" * size)

    async with running(tmp_path, {**QUICK, "timeouts.write_seconds": 1.5}, face=face) as edge:
        with socket.create_connection(edge.address) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(f"GET /dav/ HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n\r\n".encode())
            async with asyncio.timeout(10):
                await asyncio.sleep(0.2)
                while edge.server.connection_count:
                    await asyncio.sleep(0.05)
            assert done == (["closed"] if streamed else [])
        client = await edge.connect()
        assert len((await client.request("GET", "/dav/")).body) == size


async def test_memory_stays_flat_while_streaming_and_refusing(tmp_path: Path) -> None:
    async def face(request: Request) -> Response:
        if request.method == "PUT":
            await request.read(1_048_576)

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(640):
                yield b"y" * 65536

        return Response(200, {}, chunks())

    me = psutil.Process(os.getpid())
    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        await client.request("GET", "/health", auth=False)
        before = me.memory_info().rss
        await client.send(f"GET /dav/ HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n\r\n".encode())
        total = 0
        while total < 640 * 65536:
            total += len(await client.reader.read(65536))
        upload = await edge.connect()
        await upload.send(HEAD + b"Content-Length: 104857600\r\n\r\n")
        assert (await upload.answer()).status == 413
        assert me.memory_info().rss - before < 20 * 1_048_576


async def test_a_stop_finishes_what_is_in_flight(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        idle, busy = await edge.connect(), await edge.connect()
        assert (await idle.request("GET", "/dav/")).status == 200
        await busy.send(HEAD + b"Content-Length: 10\r\n\r\nhello")
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(edge.server.drain(5.0))
        assert await idle.is_closed()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*edge.address)
        await busy.send(b"world")
        answer = await busy.answer()
        assert (answer.status, answer.headers["x-length"], answer.headers["connection"]) == (200, "10", "close")
        assert await stopping == 0


async def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def face(_request: Request) -> Response:
        await asyncio.sleep(60)
        return Response(204)

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        await client.send(f"GET /dav/ HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n\r\n".encode())
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        assert await edge.server.drain(0.3) == 1
        assert time.perf_counter() - started < 30  # the face takes a minute
        assert await client.is_closed()


async def test_idle_connections_are_cheap(tmp_path: Path) -> None:
    count = 500
    async with running(tmp_path) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/")).status == 200
        me = psutil.Process(os.getpid())
        before = me.memory_info().rss
        sockets = [socket.create_connection(edge.address) for _ in range(count)]
        try:
            async with asyncio.timeout(30):
                while edge.server.connection_count < count + 1:
                    await asyncio.sleep(0.05)
            assert edge.server.connection_count == count + 1
            assert (me.memory_info().rss - before) / count < 60_000
            assert (await client.request("GET", "/dav/")).status == 200
        finally:
            for one in sockets:
                one.close()


async def test_no_more_connections_than_allowed(tmp_path: Path) -> None:
    async with running(tmp_path, {"limits.connections": 10}, face=echo) as edge:
        clients = [await edge.connect() for _ in range(10)]
        assert (await clients[0].request("GET", "/dav/")).status == 200
        late = await edge.connect()
        assert await late.is_closed()
        assert (await clients[0].request("GET", "/dav/")).status == 200
