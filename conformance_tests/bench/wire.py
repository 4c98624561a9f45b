"""A blocking HTTP/1.1 connection that costs next to nothing: one request out, one answer in, kept alive.

A library's client would spend more CPU on a request than the servers do that are measured here. It reads only what
servers of calendars send: Content-Length or chunked bodies, and answers that end with the connection.
"""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass, field

SECONDS = 120
READ = 1 << 18


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Broken(Exception):
    """The connection ended, or what came was not HTTP."""


@dataclass(slots=True)
class Connection:
    """One connection to one server, opened when it is first used and again when the server closed it."""

    host: str
    port: int
    _socket: socket.socket | None = None
    _buffer: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer; a connection that was closed meanwhile is opened once more."""
        reused = self._socket is not None
        try:
            return self._exchange(request)
        except (OSError, Broken):
            self.close()
            if not reused:
                raise
        return self._exchange(request)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._buffer.clear()

    def send(self, request: bytes) -> None:
        """Only send; ``receive`` waits for the answer."""
        if self._socket is None:
            self._socket = socket.create_connection((self.host, self.port), SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)

    def _exchange(self, request: bytes) -> Answer:
        self.send(request)
        return self.receive()

    def fileno(self) -> int:
        """For a selector, between ``send`` and ``receive``."""
        assert self._socket is not None
        return self._socket.fileno()

    def wait(self) -> None:
        """Wait for the first bytes of an answer; ``receive`` reads it."""
        self._more()

    def receive(self) -> Answer:
        """The next answer."""
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        if status in (204, 304):
            body = b""
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            body = self._chunks()
        elif "content-length" in headers:
            body = self._take(int(headers["content-length"]))
        else:
            return Answer(status, headers, self._rest())
        if "close" in headers.get("connection", "").lower() or headers[":version"] == "HTTP/1.0":
            self.close()
        return Answer(status, headers, body)

    def _more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(READ)
        if not data:
            raise Broken("the server closed the connection")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while True:
            end = self._buffer.find(mark)
            if end >= 0:
                found = bytes(self._buffer[:end])
                del self._buffer[: end + len(mark)]
                return found
            self._more()

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _head(self) -> tuple[int, dict[str, str]]:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        headers = {":version": version}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status), headers

    def _chunks(self) -> bytes:
        parts = []
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if not size:
                break
            parts.append(self._take(size))
            self._take(2)
        while self._until(b"\r\n"):
            pass
        return b"".join(parts)

    def _rest(self) -> bytes:
        assert self._socket is not None
        while data := self._socket.recv(READ):
            self._buffer += data
        body = bytes(self._buffer)
        self.close()
        return body


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and how its user logs in; it writes requests."""

    host: str
    port: int
    user: str
    password: str

    def connect(self) -> Connection:
        """A connection, not opened yet."""
        return Connection(self.host, self.port)

    def request(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> bytes:
        """A request as bytes; ``If_Match="..."`` among the arguments is the header If-Match."""
        data = body.encode() if isinstance(body, str) else body
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        fields = {
            "Host": f"{self.host}:{self.port}",
            "User-Agent": "bench/1",
            "Accept": "*/*",
            "Authorization": f"Basic {login}",
        }
        if data:
            fields["Content-Type"] = "application/xml; charset=utf-8"
        if data or method in ("PUT", "POST"):
            fields["Content-Length"] = str(len(data))
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data
