"""The edge on real sockets: framing, limits, order of checks (RFC 9110, RFC 9112)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caldav_server.http.exchange import split_target
from caldav_server.http.messages import Request, Response
from caldav_server.http.wire import HeaderInjection, render_head
from protocol.errors import Condition, Detail, Refusal
from storage.errors import StorageFull, Unavailable
from testing.edge import basic, running

MEGABYTE = 1_048_576


async def test_several_requests_share_a_connection(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        for number in range(3):
            answer = await client.request("PROPFIND", f"/dav/{number}?q=%20", body=b"x" * number)
            assert answer.status == 200
            assert answer.body.startswith(f"PROPFIND /dav/{number} q=%20 127.0.0.1 http localhost".encode())
            assert answer.headers["x-length"] == str(number)
            assert "connection" not in answer.headers


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        head = f"Host: h\r\nAuthorization: {basic()}\r\n\r\n"
        await client.send("".join(f"GET /dav/{number} HTTP/1.1\r\n{head}" for number in range(100)).encode())
        for number in range(100):
            assert (await client.answer()).body.split()[1] == f"/dav/{number}".encode()


async def test_head_has_the_length_but_not_the_body(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        full = await client.request("GET", "/dav/")
        head = await client.request("HEAD", "/dav/")
        assert head.status == 200
        assert int(head.headers["content-length"]) == len(full.body) + 1  # the method's name is one longer
        assert (await client.request("GET", "/dav/")).body == full.body


async def test_every_answer_carries_an_id_a_date_and_the_security_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        first = await client.request("GET", "/dav/", {"X-Request-Id": "mine"})
        second = await client.request("GET", "/nowhere", auth=False)
        assert second.status == 404
        for answer in (first, second):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["date"].endswith("GMT")
        assert first.headers["x-request-id"] not in ("mine", second.headers["x-request-id"])


async def test_options_asterisk(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        answer = await client.request("OPTIONS", "*")
        assert answer.status == 200
        assert answer.body.startswith(b"OPTIONS / ")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?b=c?d", ("", "/a", "b=c?d")),
        ("*", ("", "*", "")),
        ("http://example.com:80/a%2Fb?x", ("example.com:80", "/a%2Fb", "x")),
        ("http://example.com", ("example.com", "/", "")),
        ("/dav/\u307e\u3060#1", ("", "/dav/%E3%81%BE%E3%81%A0#1", "")),
        ("/\udcff%2F", ("", "/%FF%2F", "")),
    ],
)
def test_request_targets(target: str, expected: tuple[str, str, str]) -> None:
    assert split_target(target) == expected


async def test_http_1_0_gets_no_chunks_and_a_close(tmp_path: Path) -> None:
    async def stream(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return Response(200, {}, chunks())

    async with running(tmp_path, face=stream) as edge:
        client = await edge.connect()
        await client.send(f"GET /dav/ HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: {basic()}\r\n\r\n".encode())
        answer = await client.answer()
        assert answer.body == b"onetwo"
        assert answer.headers["connection"] == "close"
        modern = await edge.connect()
        assert (await modern.request("GET", "/dav/")).body == b"onetwo"
        assert (await modern.request("HEAD", "/dav/")).status == 200
        assert (await modern.request("GET", "/dav/")).body == b"onetwo"


SMUGGLING = {
    "content-length and chunked": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two content-lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding list without chunked last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "space before colon": b"Content-Length : 4\r\n\r\nabcd",
    "bare line feed": b"Content-Length: 0\nX: y\r\n\r\n",
    "two hosts": b"Host: other\r\n\r\n",
    "signed length": b"Content-Length: +1\r\n\r\na",
    "null in a header": b"X-A: a\0b\r\n\r\n",
    "64 kB header": b"X-A: " + b"a" * 65536 + b"\r\n\r\n",
    "chunk size overflow": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
    "chunk size with sign": b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
    "folded header": b"X-A: a\r\n Content-Length: 4\r\n\r\n",
}


@pytest.mark.parametrize("probe", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_request_smuggling_is_answered_400_and_closed(tmp_path: Path, probe: bytes) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        head = f"PUT /dav/x HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n".encode()
        await client.send(head + probe)
        assert (await client.answer()).status == 400
        assert await client.is_closed()


async def test_no_host_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        await client.send(b"GET /dav/ HTTP/1.1\r\n\r\n")
        assert (await client.answer()).status == 400


async def test_continue_is_sent_only_when_the_body_is_wanted(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        head = "PUT /dav/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        await client.send(f"{head}Content-Length: 5\r\n\r\n".encode())
        assert (await client.answer()).status == 401  # not 100
        assert await client.is_closed()

        client = await edge.connect()
        await client.send(f"{head}Authorization: {basic()}\r\nContent-Length: {2 * MEGABYTE}\r\n\r\n".encode())
        assert (await client.answer()).status == 413

        client = await edge.connect()
        await client.send(f"{head}Authorization: {basic()}\r\nContent-Length: 5\r\n\r\n".encode())
        assert (await client.answer()).status == 100
        await client.send(b"hello")
        answer = await client.answer()
        assert (answer.status, answer.headers["x-length"]) == (200, "5")


async def test_a_compressed_body_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        bomb = gzip.compress(b"x" * MEGABYTE)
        assert (await client.request("PUT", "/dav/x", {"Content-Encoding": "gzip"}, bomb)).status == 415
        assert (await client.request("PUT", "/dav/x", {"Content-Encoding": "identity"}, b"x")).status == 200


async def test_an_upgrade_that_is_not_taken_is_an_ordinary_request(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        said = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        answer = await client.request("GET", "/dav/", said)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.is_closed()
        client = await edge.connect()
        await client.send(f"CONNECT example.com:80 HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n\r\n".encode())
        await client.answer()
        assert await client.is_closed()


async def test_a_small_unwanted_body_does_not_cost_the_connection(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        await client.send(b"PUT /dav/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        await asyncio.sleep(0.05)
        await client.send(b"hello")
        assert (await client.answer()).status == 401
        assert (await client.request("GET", "/dav/")).status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_100_mb_are_refused_early(tmp_path: Path, framing: str) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        fields = f"Host: h\r\nAuthorization: {basic()}\r\n"
        body = f"Content-Length: {100 * MEGABYTE}" if framing == "length" else "Transfer-Encoding: chunked"
        await client.send(f"PUT /dav/x HTTP/1.1\r\n{fields}{body}\r\n\r\n".encode())
        sent = 0

        async def push() -> None:
            nonlocal sent
            piece = b"x" * 65536
            while sent < 100 * MEGABYTE:
                await client.send(piece if framing == "length" else b"10000\r\n" + piece + b"\r\n")
                sent += len(piece)

        pushing = asyncio.create_task(push())
        answer = await client.answer()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert await client.is_closed(5)
        pushing.cancel()
        assert sent < 32 * MEGABYTE  # the rest is what the kernel's buffers took
        assert (await (await edge.connect()).request("GET", "/dav/")).status == 200


async def test_torn_uploads_reach_the_face_as_a_broken_connection(tmp_path: Path) -> None:
    outcomes: list[str] = []

    async def face(request: Request) -> Response:
        try:
            await request.read(MEGABYTE)
            outcomes.append("read")
        except ConnectionError:
            outcomes.append("broken")
            raise
        except Refusal as refusal:
            outcomes.append(refusal.condition.name)
            raise
        return Response(204)

    async with running(tmp_path, face=face) as edge:
        head = f"PUT /dav/x HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\n"
        for part in (b"Content-Length: 65536\r\n\r\n" + b"x" * 1024, b"Transfer-Encoding: chunked\r\n\r\n400\r\nabc"):
            client = await edge.connect()
            await client.send(head.encode() + part)
            await asyncio.sleep(0.05)
            client.close()
        async with asyncio.timeout(2):
            while len(outcomes) < 2:
                await asyncio.sleep(0.01)
        assert outcomes == ["broken", "broken"]
        client = await edge.connect()
        await client.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        assert (await client.answer()).status == 400
        assert await client.is_closed()


async def test_refusals_and_failures_become_answers(tmp_path: Path) -> None:
    errors: dict[str, Exception] = {
        "/dav/condition": Refusal(Condition.NEED_PRIVILEGES, "No.", Detail("/dav/x", "{DAV:}read")),
        "/dav/plain": Refusal(Condition.NOT_FOUND, "Nothing here."),
        "/dav/busy": Unavailable("secret-host is down"),
        "/dav/full": StorageFull("disk"),
        "/dav/bug": RuntimeError("secret detail"),
    }

    async def face(request: Request) -> Response:
        raise errors[request.raw_path]

    async with running(tmp_path, face=face, values={"log.file": str(tmp_path / "log")}) as edge:
        client = await edge.connect()
        answers = {path: await client.request("GET", path) for path in errors}
        assert [answer.status for answer in answers.values()] == [403, 404, 503, 507, 500]
        assert b"need-privileges" in answers["/dav/condition"].body
        assert answers["/dav/busy"].headers["retry-after"] == "2"
        assert b"sufficient-disk-space" in answers["/dav/full"].body
        bug = answers["/dav/bug"]
        assert bug.headers["x-request-id"].encode() in bug.body
        assert not any(b"secret" in answer.body for answer in answers.values())
        edge.app.services.log.sink.flush()
        log = (tmp_path / "log").read_text()
        assert "RuntimeError: secret detail" in log
        assert bug.headers["x-request-id"] in log


async def test_a_stream_that_fails_is_cut_not_ended(tmp_path: Path) -> None:
    closed: list[bool] = []

    async def face(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                if request.raw_path == "/dav/first":
                    raise Refusal(Condition.MAX_INSTANCES, "Too many.")
                yield b"one"
                raise RuntimeError("in the middle")
            finally:
                closed.append(True)

        return Response(200, {}, chunks())

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/first")).status == 403
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
            await client.request("GET", "/dav/later")
        assert closed == [True, True]


async def test_a_header_value_cannot_smuggle_a_line(tmp_path: Path) -> None:
    async def face(_request: Request) -> Response:
        return Response(200, {"Location": "/a\r\nSet-Cookie: x=y"})

    async with running(tmp_path, face=face) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/")
        assert answer.status == 500
        assert "set-cookie" not in answer.headers
    for value in ("a\nb", "a\rb", "a\0b"):
        with pytest.raises(HeaderInjection):
            render_head(200, {"X": value}, "id", length=0)


async def test_health_and_metrics(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/health", auth=False)).body == b"ok\n"
        assert (await client.request("POST", "/health", auth=False)).status == 405
        await client.request("REPORT", "/dav/")
        text = (await client.request("GET", "/metrics", auth=False)).body.decode()
        assert 'caldav_server_requests_total{method="REPORT",status="2xx"} 1.0' in text
        assert 'caldav_server_request_seconds_bucket{le="+Inf",method="REPORT"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        assert 'caldav_server_database_seconds_count{kind="point"} ' in text
    async with running(tmp_path, {"metrics.allowed": ("192.0.2.1",)}) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/metrics", auth=False)).status == 403


async def test_forwarded_headers_count_only_from_trusted_proxies(tmp_path: Path) -> None:
    said = {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 127.0.0.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "cal.example.com",
        "X-Request-Id": "proxy-id",
    }
    async with running(tmp_path) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/", said)
        assert answer.body.split()[2:] == [b"127.0.0.1", b"http", b"localhost"]
    async with running(tmp_path, {"proxy.trusted": ("127.0.0.0/8",)}) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/", said)
        assert answer.body.split()[2:] == [b"203.0.113.9", b"https", b"cal.example.com"]
        assert answer.headers["x-request-id"] == "proxy-id"
