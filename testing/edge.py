"""A real edge on a real socket for tests: the application with a stand-in face, and a raw HTTP client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from multidict import CIMultiDict, CIMultiDictProxy

from caldav_server.accounts import accounts
from caldav_server.accounts.logins.basic import BasicLogin
from caldav_server.accounts.passwords import Hasher
from caldav_server.app import FACES, Application
from caldav_server.app import basic as basic_login
from caldav_server.dav.refusals import render as refuse_in_xml
from caldav_server.faces import Face, Handler
from caldav_server.http.messages import Headers, Request, Response
from caldav_server.http.server import EdgeServer
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import open_database
from caldav_server.services import Services
from caldav_server.serving.worker_info import WorkerInfo
from caldav_server.settings import Override, Settings, load
from protocol.errors import Condition, Refusal
from storage.bus import Bus
from testing.databases import new_sqlite

NAME, PASSWORD = "user", "pass"
FAST = {"auth.argon2_memory_kib": 64, "auth.argon2_time": 1, "log.level": "error"}


def basic(name: str = NAME, password: str = PASSWORD, charset: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(charset)).decode()


def headers_of(fields: dict[str, str]) -> Headers:
    """Header fields of a request that does not come from a socket."""
    return CIMultiDictProxy(CIMultiDict(fields))


@dataclass
class FixedBody:
    """A body that is already in memory, with the limit enforced as on a socket."""

    data: bytes

    async def read(self, limit: int) -> bytes:
        if len(self.data) > limit:
            raise Refusal(Condition.TOO_LARGE, f"The body is larger than the {limit} bytes allowed here.")
        return self.data

    async def stream(self, limit: int) -> AsyncIterator[bytes]:
        yield await self.read(limit)


def settings_with(values: dict[str, object]) -> Settings:
    """Settings from ``{"section.key": value}``."""
    parts = [(key, key.partition("."), value) for key, value in values.items()]
    return load(overrides=[Override(section, name, value, key) for key, (section, _, name), value in parts])


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    raw_headers: list[tuple[str, str]] = field(default_factory=list)


class Client:
    """One connection, spoken raw."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def request(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"", auth: bool = True
    ) -> Answer:
        fields = {"Host": "localhost"} | ({"Authorization": basic()} if auth else {}) | (headers or {})
        if body:
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return await self.answer(has_body=method != "HEAD")

    async def answer(self, *, has_body: bool = True) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip("\r\n").split("\r\n")
        raw = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = {name.lower(): value for name, value in raw}
        status = int(first.split()[1])
        body = b""
        if not has_body or status in (100, 204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            chunks = []
            while size := int(await self.reader.readline(), 16):
                chunks.append((await self.reader.readexactly(size + 2))[:-2])
            await self.reader.readexactly(2)
            body = b"".join(chunks)
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = await self.reader.read()
        return Answer(status, headers, body, raw)

    async def is_closed(self, seconds: float = 2.0) -> bool:
        """Whether the server closes the connection soon; what it still sends is dropped."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        self.writer.close()


async def echo(request: Request) -> Response:
    """The stand-in face: says what it was asked."""
    body = await request.read(1_048_576)
    target = f"{request.method} {request.raw_path} {request.query_string}"
    text = f"{target} {request.remote} {request.scheme} {request.authority}"
    return Response(200, {"Content-Type": "text/plain", "X-Length": str(len(body))}, text.encode())


@dataclass
class Edge:
    app: Application
    server: EdgeServer
    address: tuple[str, int]
    clients: list[Client] = field(default_factory=list)

    @property
    def login(self) -> BasicLogin:
        """The application's Basic login."""
        return cast(BasicLogin, self.app.login(basic_login))

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection(*self.address, limit=1 << 18))
        self.clients.append(client)
        return client


@contextlib.asynccontextmanager
async def running(folder: Path, values: dict[str, object] | None = None, face: Handler = echo) -> AsyncIterator[Edge]:
    """The application over SQLite in ``folder`` with one user, listening on a free port of the loopback."""
    path = folder / "test.db"
    is_new = not path.exists()
    url = new_sqlite(path) if is_new else f"sqlite:///{path}"
    settings = settings_with({"database.url": url, **FAST, **(values or {})})
    db = open_database(settings)
    if is_new:
        hashed = Hasher(settings.auth).hash(PASSWORD)
        user = accounts.new_principal(NAME, emails=["user@example.com"])
        await db.write(lambda tx: accounts.create(tx, user, 0))
        await db.write(lambda tx: accounts.set_password(tx, user, hashed, 0))
    log = logs.Log(settings.log)
    log.install()
    services = Services(settings, db, log, Bus(settings.redis.url))
    stand_in = Face("dav", frozenset({"", "dav"}), lambda _: face, (basic_login,), refuse_in_xml)
    app = Application(services, (*(row for row in FACES if row.name != "dav"), stand_in))
    await app.start()
    server = EdgeServer(app, settings, WorkerInfo().balance)
    address = server.listen("127.0.0.1:0")
    host, _, port = address.rpartition(":")
    edge = Edge(app, server, (host, int(port)))
    try:
        yield edge
    finally:
        for client in edge.clients:
            client.close()
        await server.drain(1.0)
        await app.close()
