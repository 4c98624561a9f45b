"""What later faces need of HTTP: queries, cookies, forms, streamed uploads, compression, files, WebSockets."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from caldav_server.http.compression import accepts_gzip, is_compressible
from caldav_server.http.cookies import parse_cookies, render_cookie
from caldav_server.http.files import answer_file, find_file
from caldav_server.http.forms import MOST_FIELDS, Upload, parse_form, parse_urlencoded
from caldav_server.http.messages import Request, Response, WebSocket, WebSocketResponse
from protocol.errors import Refusal
from testing.edge import basic, running
from tools import sizes

MEGABYTE = 1_048_576
JSON = {"Content-Type": "application/json"}
Face = Callable[[Request], Awaitable[Response]]


# -- query strings and cookies


async def test_the_query_is_a_mapping(tmp_path: Path) -> None:
    async def face(request: Request) -> Response:
        query = request.query
        return Response(200, {}, repr([query.getall("a"), query["empty"], query.get("none")]).encode())

    async with running(tmp_path, face=face) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/?a=1&a=b%20c+%C3%A4&empty=")
        assert answer.body.decode() == "[['1', 'b c \u00e4'], '', None]"


def test_a_query_has_a_limit() -> None:
    assert len(parse_urlencoded("&".join(["a=b"] * MOST_FIELDS))) == MOST_FIELDS
    with pytest.raises(Refusal, match="too many"):
        parse_urlencoded("&".join(["a=b"] * (MOST_FIELDS + 1)))


async def test_several_cookies(tmp_path: Path) -> None:
    async def face(request: Request) -> Response:
        session = render_cookie("session", "a1", path="/cal", max_age=3600, same_site="Strict")
        theme = render_cookie("theme", "dark", secure=False, http_only=False)
        return Response(200, {}, repr(request.cookies).encode(), cookies=(session, theme))

    async with running(tmp_path, face=face) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/", {"Cookie": 'session="x=y"; theme=light; odd'})
        assert answer.body.decode() == "{'session': 'x=y', 'theme': 'light'}"
        assert [value for name, value in answer.raw_headers if name == "Set-Cookie"] == [
            "session=a1; Path=/cal; Max-Age=3600; Secure; HttpOnly; SameSite=Strict",
            "theme=dark; Path=/; SameSite=Lax",
        ]


def test_cookies_hold_no_other_headers() -> None:
    assert parse_cookies(["a=1; a=2", "b=3"]) == {"a": "1", "b": "3"}
    for name, value in (("a b", "c"), ("", "c"), ("a", "b;c"), ("a", "b\r\nX: y"), ("a", '"')):
        with pytest.raises(ValueError, match="not a cookie"):
            render_cookie(name, value)
    with pytest.raises(ValueError, match="not a cookie"):
        render_cookie("a", "b", path="/;Domain=evil")


# -- forms and uploads


async def show_form(request: Request) -> Response:
    return Response(200, {}, repr(list((await request.form(MEGABYTE)).items())).encode())


async def test_forms(tmp_path: Path) -> None:
    async with running(tmp_path, face=show_form) as edge:
        client = await edge.connect()
        answer = await client.request(
            "POST", "/dav/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, b"a=1&b=x+%C3%A4&a=2"
        )
        assert answer.body.decode() == "[('a', '1'), ('b', 'x \u00e4'), ('a', '2')]"
        assert (await client.request("POST", "/dav/", JSON, b"{}")).status == 415
        multipart = {"Content-Type": "multipart/form-data; boundary=x"}
        assert (await client.request("POST", "/dav/", multipart, b"-")).status == 400

        host, port = edge.address
        form = aiohttp.FormData()
        form.add_field("title", "\u00e4 b")
        form.add_field("file", b"\r\n--not the end\x00", filename="a.ics", content_type="text/calendar")
        async with aiohttp.ClientSession() as session:
            answer_to = session.post(f"http://{host}:{port}/dav/", data=form, headers={"Authorization": basic()})
            async with answer_to as response:
                text = await response.text()
        upload = Upload("a.ics", "text/calendar", b"\r\n--not the end\x00")
        assert text == repr([("title", "\u00e4 b"), ("file", upload)])


def test_a_form_as_browsers_send_it() -> None:
    body = (
        b'------B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'------B\r\nContent-Disposition: form-data; name="f"; filename="k\xc3\xa4.txt"\r\nContent-Type: text/plain\r\n'
        b"\r\n\r\n\r\n------B--\r\n"
    )
    found = parse_form("multipart/form-data; boundary=----B", body)
    assert list(found.items()) == [("a", "1"), ("f", Upload("k\u00e4.txt", "text/plain", b"\r\n"))]
    for broken in (body[:-6], body.replace(b'name="a"', b""), body * 2, b"------B\r\n" * 2000 + body):
        with pytest.raises(Refusal):
            parse_form("multipart/form-data; boundary=----B", broken)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_upload_is_read_as_it_comes(tmp_path: Path, framing: str) -> None:
    seen: list[int] = []

    async def face(request: Request) -> Response:
        digest = hashlib.sha256()
        async for piece in request.stream(8 * MEGABYTE):
            digest.update(piece)
            seen.append(len(piece))
        return Response(200, {}, digest.hexdigest().encode())

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        size = f"Content-Length: {4 * MEGABYTE}" if framing == "length" else "Transfer-Encoding: chunked"
        head = f"PUT /dav/x HTTP/1.1\r\nHost: h\r\nAuthorization: {basic()}\r\nExpect: 100-continue\r\n"
        await client.send(f"{head}{size}\r\n\r\n".encode())
        assert (await client.answer()).status == 100
        piece, digest = os.urandom(65_536), hashlib.sha256()
        for number in range(4 * MEGABYTE // len(piece)):
            await client.send(piece if framing == "length" else b"10000\r\n" + piece + b"\r\n")
            digest.update(piece)
            if number == 10:
                async with asyncio.timeout(5):
                    while not seen:  # before the upload is over
                        await asyncio.sleep(0.01)
        if framing == "chunked":
            await client.send(b"0\r\n\r\n")
        assert (await client.answer()).body.decode() == digest.hexdigest()
        assert max(seen) < MEGABYTE
        assert (await client.request("PUT", "/dav/x", body=b"y" * MEGABYTE)).status == 200
        await client.send(f"{head}Content-Length: {9 * MEGABYTE}\r\n\r\n".encode())
        assert (await client.answer()).status == 413


# -- compression


async def test_large_answers_are_compressed_for_those_who_take_it(tmp_path: Path) -> None:
    whole = b'{"name": "value"}' * 5000
    bodies: dict[str, Response] = {}

    def answers() -> dict[str, Response]:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(whole), 10_000):
                yield whole[start : start + 10_000]

        return {
            "/dav/whole": Response(200, {**JSON, "ETag": '"1"', "Vary": "Origin"}, whole, compress=True),
            "/dav/stream": Response(200, dict(JSON), pieces(), length=len(whole), compress=True),
            "/dav/medium": Response(200, dict(JSON), whole[:9000], compress=True),
            "/dav/small": Response(200, dict(JSON), whole[:500], compress=True),
            "/dav/picture": Response(200, {"Content-Type": "image/png"}, whole, compress=True),
            "/dav/not": Response(200, dict(JSON), whole),
        }

    async def face(request: Request) -> Response:
        return bodies[request.raw_path]

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        for path, size in (("whole", len(whole)), ("stream", len(whole)), ("medium", 9000)):
            bodies = answers()
            answer = await client.request("GET", f"/dav/{path}", {"Accept-Encoding": "br, gzip;q=0.5"})
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["vary"].endswith("Accept-Encoding")
            assert gzip.decompress(answer.body) == whole[:size]
            assert len(answer.body) < size / 10
            bodies = answers()
            head = await client.request("HEAD", f"/dav/{path}", {"Accept-Encoding": "gzip"})
            assert head.headers["content-encoding"] == "gzip"
            assert head.headers.get("content-length", str(len(answer.body))) == str(len(answer.body))
            bodies = answers()
            plain = await client.request("GET", f"/dav/{path}")
            assert "content-encoding" not in plain.headers
            assert "Accept-Encoding" in plain.headers["vary"]
            assert (plain.headers["content-length"], plain.body) == (str(size), whole[:size])
        bodies = answers()
        answer = await client.request("GET", "/dav/whole", {"Accept-Encoding": "gzip"})
        assert (answer.headers["etag"], answer.headers["vary"]) == ('W/"1"', "Origin, Accept-Encoding")
        for path in ("small", "picture", "not"):
            answer = await client.request("GET", f"/dav/{path}", {"Accept-Encoding": "gzip"})
            assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, deflate , gzip", True),
        ("gzip;q=0.001", True),
        ("gzip ; q=0", False),
        ("gzip;q=0.000, br", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("notgzip", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_who_takes_gzip(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


def test_what_is_worth_compressing() -> None:
    for kind in ("text/html; charset=utf-8", "application/json", "image/svg+xml", "text/javascript", "text/calendar"):
        assert is_compressible(kind)
    for kind in ("image/png", "application/zip", "font/woff2", "text/event-stream", ""):
        assert not is_compressible(kind)


# -- files


async def test_files_are_answered_with_their_type_and_not_twice(tmp_path: Path) -> None:
    root = tmp_path / "static"
    root.mkdir()
    (root / "app.js").write_text("let a = 1;\n" * 200)
    (root / "large.bin").write_bytes(os.urandom(MEGABYTE))
    (root / "page.html").write_text("<p>")

    async def face(request: Request) -> Response:
        path = find_file(root, request.raw_path.removeprefix("/dav/"))
        return Response(404) if path is None else await answer_file(request, path, cache_control="max-age=60")

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        answer = await client.request("GET", "/dav/app.js")
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "max-age=60"
        etag = answer.headers["etag"]
        for said in (etag, f'"x", W/{etag}', "*"):
            same = await client.request("GET", "/dav/app.js", {"If-None-Match": said})
            assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
        assert (await client.request("GET", "/dav/app.js", {"If-None-Match": '"x"'})).status == 200
        packed = await client.request("GET", "/dav/app.js", {"Accept-Encoding": "gzip"})
        assert gzip.decompress(packed.body) == answer.body
        assert packed.headers["etag"] == f"W/{etag}"
        (root / "app.js").write_text("let a = 2;\n")
        assert (await client.request("GET", "/dav/app.js", {"If-None-Match": etag})).body == b"let a = 2;\n"
        large = await client.request("GET", "/dav/large.bin", {"Accept-Encoding": "gzip"})
        assert large.headers["content-length"] == str(MEGABYTE)
        assert large.body == (root / "large.bin").read_bytes()
        assert (await client.request("HEAD", "/dav/large.bin")).headers["content-length"] == str(MEGABYTE)
        assert (await client.request("GET", "/dav/page.html")).body == b"<p>"
        assert (await client.request("GET", "/dav/none")).status == 404


async def test_a_file_that_shrinks_while_it_is_read_is_cut(tmp_path: Path) -> None:
    async def face(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"

        return Response(200, {}, pieces(), length=8)

    async with running(tmp_path, face=face) as edge:
        client = await edge.connect()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.request("GET", "/dav/")


def test_no_file_outside_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a b.txt").write_text("x")
    (root / ".hidden").write_text("x")
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    assert find_file(root, "/sub/a%20b.txt") == root / "sub" / "a b.txt"
    for path in (
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/link",
        "/.hidden",
        "/sub",
        "/",
        "",
        "/a%00b",
        "//sub",
    ):
        assert find_file(root, path) is None


# -- WebSockets


async def talk(socket: WebSocket) -> None:
    while (message := await socket.receive()) is not None:
        if message == "fail":
            raise RuntimeError("in the session")
        if message == "bye":
            await socket.close(4000)
        else:
            await socket.send(message.upper())


async def websocket_face(_request: Request) -> Response:
    return WebSocketResponse(session=talk, protocols=("chat",), cookies=("a=b",))


async def test_a_websocket(tmp_path: Path) -> None:
    async with running(
        tmp_path, {"timeouts.header_seconds": 0.3, "timeouts.keep_alive_seconds": 1}, websocket_face
    ) as edge:
        url = f"http://{edge.address[0]}:{edge.address[1]}/dav/"
        said = {"Authorization": basic()}
        async with aiohttp.ClientSession(headers=said) as session:
            async with session.ws_connect(url, protocols=("chat",)) as socket:
                assert socket.protocol == "chat"
                await socket.send_str("text")
                assert await socket.receive_str() == "TEXT"
                await asyncio.sleep(1.5)  # longer than a head may take, and than an idle connection lives
                await socket.send_bytes(b"bytes" * 1000)
                assert await socket.receive_bytes() == b"BYTES" * 1000
                await socket.send_str("bye")
                assert (await socket.receive()).data == 4000
            async with session.ws_connect(url) as socket:
                await socket.send_str("fail")
                assert (await socket.receive()).data == aiohttp.WSCloseCode.INTERNAL_ERROR
            async with session.ws_connect(url) as socket:
                await socket.send_str("x" * 100_000)
                assert (await socket.receive()).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            authority = f"{edge.address[0]}:{edge.address[1]}"
            async with session.ws_connect(url, origin=f"http://{authority}") as socket:
                await socket.send_str("a")
                assert await socket.receive_str() == "A"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url, origin="https://evil.example")
            assert refused.value.status == 403
        client = await edge.connect()
        answer = await client.request("GET", "/dav/")
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
        assert (await client.request("GET", "/dav/")).status == 426  # an ordinary connection that goes on


async def test_a_stop_says_goodbye_to_websockets(tmp_path: Path) -> None:
    async with running(tmp_path, face=websocket_face) as edge:
        url = f"http://{edge.address[0]}:{edge.address[1]}/dav/"
        async with (
            aiohttp.ClientSession(headers={"Authorization": basic()}) as session,
            session.ws_connect(url) as socket,
        ):
            stopping = asyncio.create_task(edge.server.drain(5.0))
            assert (await socket.receive()).data == aiohttp.WSCloseCode.GOING_AWAY
            assert await stopping == 0


# -- an answer's own policy


async def test_a_page_brings_its_own_content_security_policy(tmp_path: Path) -> None:
    async def face(_request: Request) -> Response:
        return Response(200, {"Content-Type": "text/html", "Content-Security-Policy": "default-src 'self'"}, b"<p>")

    async with running(tmp_path, face=face) as edge:
        answer = await (await edge.connect()).request("GET", "/dav/")
        policies = [value for name, value in answer.raw_headers if name == "Content-Security-Policy"]
        assert policies == ["default-src 'self'"]


# -- aiohttp behind it


async def test_what_is_no_request_is_answered_by_us_and_logged_in_one_line(tmp_path: Path) -> None:
    logged = tmp_path / "log"
    async with running(tmp_path, {"log.file": str(logged), "log.level": "info"}) as edge:
        for sent, status in ((b"BREW /dav/ HTTP/1.1\r\nHost: h\r\n\r\n", 501), (b"nonsense\r\n\r\n", 400)):
            client = await edge.connect()
            await client.send(sent)
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (status, "close")
            assert "x-request-id" in answer.headers and "server" not in answer.headers
            assert await client.is_closed()
        edge.app.services.log.sink.flush()
    text = logged.read_text()
    assert text.count('"not a request"') == 2
    assert "Traceback" not in text


def test_only_the_public_modules_of_aiohttp_are_used() -> None:
    sources = [path.read_text() for path in sizes.files(folders=("caldav_server",))]
    imports = {name for text in sources for name in re.findall(r"^\s*(?:from|import) (aiohttp\S*)", text, re.M)}
    assert imports == {"aiohttp"}
