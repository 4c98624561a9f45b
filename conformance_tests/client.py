"""A small CalDAV client for tests: one kept-alive connection, exact control of what is sent, raw sockets for the rest.

It adds nothing to a request that the test did not ask for, except Host, Content-Length, the Authorization of its user
and a Content-Type for bodies. Own code, so that a fault of a client library cannot hide one of the server.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import time
from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit

from conformance_tests.dav import NAMESPACES, Multistatus, Response, last_segment, tag

XML = "application/xml; charset=utf-8"
ICAL = "text/calendar; charset=utf-8"
Headers = dict[str, str | None]


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Client:
    """One user's connection to a server; reconnects when the server closed an idle connection."""

    def __init__(self, url: str, user: str | None = None, password: str = "", timeout: float = 60) -> None:
        parts = urlsplit(url)
        self.url = url
        self.host, self.port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self.secure = parts.scheme == "https"
        self.root = parts.path or "/"
        self.user, self.password, self.timeout = user, password, timeout
        self._connection: http.client.HTTPConnection | None = None
        self._principal: str | None = None
        self._home: str | None = None

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
            self._connection = kind(self.host, self.port, timeout=self.timeout)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | Iterable[bytes] | None = None,
        headers: Headers | None = None,
        *,
        auth: bool = True,
    ) -> Response:
        """Send one request and read its answer; a header of value ``None`` is left out."""
        payload = body.encode() if isinstance(body, str) else body
        sent: Headers = {}
        if auth and self.user is not None:
            sent["Authorization"] = basic(self.user, self.password)
        if isinstance(payload, bytes):
            sent["Content-Type"] = ICAL if method in {"PUT", "POST"} else XML
        for name, value in (headers or {}).items():
            sent = {key: old for key, old in sent.items() if key.lower() != name.lower()}
            sent[name] = value
        kept = {name: value for name, value in sent.items() if value is not None}
        fresh = self._connection is None
        try:
            return self._send(method, path, payload, kept)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh:
                raise
            return self._send(method, path, payload, kept)

    def _send(self, method: str, path: str, payload: bytes | Iterable[bytes] | None, kept: dict[str, str]) -> Response:
        connection = self._connect()
        started = time.perf_counter()
        try:
            connection.putrequest(
                method, path, skip_accept_encoding=True, skip_host=any(name.lower() == "host" for name in kept)
            )
            chunked = payload is not None and not isinstance(payload, bytes)
            names = {name.lower() for name in kept}
            if isinstance(payload, bytes) and "content-length" not in names:
                connection.putheader("Content-Length", str(len(payload)))
            elif chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            elif payload is None and method in {"PUT", "POST"}:
                connection.putheader("Content-Length", "0")
            for name, value in kept.items():
                connection.putheader(name, value.encode("utf-8"))
            with contextlib.suppress(BrokenPipeError):  # refused early: the answer may be there all the same
                connection.endheaders(payload, encode_chunked=chunked)
            answer = connection.getresponse()
            data = answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Response(answer.status, answer.getheaders(), data, time.perf_counter() - started)

    # The methods, named as RFC 4918 and RFC 4791 name them.

    def options(self, path: str, **more: object) -> Response:
        return self.request("OPTIONS", path, **more)  # type: ignore[arg-type]

    def get(self, path: str, headers: Headers | None = None) -> Response:
        return self.request("GET", path, None, headers)

    def put(self, path: str, body: bytes | str, headers: Headers | None = None) -> Response:
        return self.request("PUT", path, body, headers)

    def delete(self, path: str, headers: Headers | None = None) -> Response:
        return self.request("DELETE", path, None, headers)

    def propfind_raw(
        self, path: str, body: str | bytes | None, depth: str | None = "0", headers: Headers | None = None
    ) -> Response:
        return self.request("PROPFIND", path, body, {"Depth": depth, **(headers or {})})

    def propfind(self, path: str, *names: str, depth: str = "0", headers: Headers | None = None) -> Multistatus:
        """PROPFIND for named properties, or for an empty DAV:prop when none is named."""
        return self.propfind_raw(path, prop_body(*names), depth, headers).multistatus

    def proppatch(self, path: str, inner: str, headers: Headers | None = None) -> Response:
        body = f'<?xml version="1.0" encoding="utf-8"?><D:propertyupdate {NAMESPACES}>{inner}</D:propertyupdate>'
        return self.request("PROPPATCH", path, body, headers)

    def set_properties(self, path: str, properties: str) -> Response:
        return self.proppatch(path, f"<D:set><D:prop>{properties}</D:prop></D:set>")

    def report(self, path: str, body: str, depth: str | None = "1", headers: Headers | None = None) -> Response:
        return self.request("REPORT", path, body, {"Depth": depth, **(headers or {})})

    def mkcalendar(self, path: str, properties: str | None = None) -> Response:
        body = None
        if properties is not None:
            body = f"<C:mkcalendar {NAMESPACES}><D:set><D:prop>{properties}</D:prop></D:set></C:mkcalendar>"
        return self.request("MKCALENDAR", path, body)

    def mkcol(self, path: str, properties: str | None = None, headers: Headers | None = None) -> Response:
        body = None
        if properties is not None:
            body = f"<D:mkcol {NAMESPACES}><D:set><D:prop>{properties}</D:prop></D:set></D:mkcol>"
        return self.request("MKCOL", path, body, headers)

    def copy(self, path: str, to: str, headers: Headers | None = None) -> Response:
        return self.request("COPY", path, None, {"Destination": to, **(headers or {})})

    def move(self, path: str, to: str, headers: Headers | None = None) -> Response:
        return self.request("MOVE", path, None, {"Destination": to, **(headers or {})})

    # Discovery, as RFC 5397 and RFC 4791 §6.2.1 have it; once per client.

    @property
    def principal(self) -> str:
        """The path of the user's principal."""
        if self._principal is None:
            item = self.propfind(self.root, "D:current-user-principal").items[0]
            self._principal = urlsplit(urljoin(self.origin, item.hrefs("D:current-user-principal")[0])).path
        return self._principal

    @property
    def home(self) -> str:
        """The path of the user's calendar home, with its trailing slash."""
        if self._home is None:
            item = self.propfind(self.principal, "C:calendar-home-set").items[0]
            path = urlsplit(urljoin(self.origin, item.hrefs("C:calendar-home-set")[0])).path
            self._home = path if path.endswith("/") else path + "/"
        return self._home


def prop_body(*names: str) -> str:
    """A PROPFIND body that asks for the named properties."""
    inner = "".join(f"<{name}/>" for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><D:propfind {NAMESPACES}><D:prop>{inner}</D:prop></D:propfind>'


def segment(name: str) -> str:
    """One path segment, with everything but unreserved characters escaped."""
    return quote(name, safe="")


class Calendar:
    """A calendar collection of the server under test."""

    def __init__(self, client: Client, href: str) -> None:
        self.client, self.href = client, href

    def path(self, name: str) -> str:
        return self.href + segment(name)

    def put(self, name: str, body: bytes | str, headers: Headers | None = None) -> Response:
        return self.client.put(self.path(name), body, headers)

    def add(self, name: str, body: bytes | str) -> str:
        """Store an object that must be accepted; its ETag, from the answer or from a GET."""
        answer = self.put(name, body).expect(201, 204)
        return answer.etag if answer.header("ETag") else self.get(name).expect(200).etag

    def get(self, name: str, headers: Headers | None = None) -> Response:
        return self.client.get(self.path(name), headers)

    def delete(self, name: str, headers: Headers | None = None) -> Response:
        return self.client.delete(self.path(name), headers)

    def propfind(self, *names: str, depth: str = "0") -> Multistatus:
        return self.client.propfind(self.href, *names, depth=depth)

    def prop(self, name: str):  # type: ignore[no-untyped-def]
        """The element of one property of the calendar."""
        return self.propfind(name)[self.href].prop(name)

    def etags(self) -> dict[str, str]:
        """name -> ETag of every member, by PROPFIND Depth: 1."""
        listing = self.propfind("D:getetag", "D:resourcetype", depth="1")
        members = [item for item in listing.items if item.prop("D:resourcetype").find(tag("D:collection")) is None]
        return {last_segment(item.href): item.text("D:getetag") for item in members}

    def report(self, body: str, depth: str | None = "1", headers: Headers | None = None) -> Response:
        return self.client.report(self.href, body, depth, headers)

    def query_raw(self, filter_: str, props: str = "<D:getetag/>", more: str = "") -> Response:
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NAMESPACES}><D:prop>{props}</D:prop>'
            f"<C:filter>{filter_}</C:filter>{more}</C:calendar-query>"
        )
        return self.report(body)

    def query(self, filter_: str, props: str = "<D:getetag/>", more: str = "") -> Multistatus:
        return self.query_raw(filter_, props, more).multistatus

    def events(self, inner: str, component: str = "VEVENT", more: str = "") -> set[str]:
        """The names that match a filter on one component."""
        return self.query(vcalendar_filter(inner, component), more=more).names

    def multiget(self, *hrefs: str, props: str = "<D:getetag/><C:calendar-data/>", depth: str | None = "1") -> Response:
        listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
        body = f"<C:calendar-multiget {NAMESPACES}><D:prop>{props}</D:prop>{listed}</C:calendar-multiget>"
        return self.report(body, depth)

    def sync_raw(
        self,
        token: str = "",
        *,
        limit: int | None = None,
        level: str = "1",
        props: str = "<D:getetag/>",
        depth: str | None = "0",
        headers: Headers | None = None,
    ) -> Response:
        return self.report(sync_body(token, limit, level, props), depth, headers)

    def sync(self, token: str = "", *, limit: int | None = None, props: str = "<D:getetag/>") -> Multistatus:
        answer = self.sync_raw(token, limit=limit, props=props).multistatus
        assert answer.sync_token, "a sync answer must carry a sync-token"
        return answer

    def freebusy(self, start: str, end: str, depth: str = "1") -> Response:
        body = f'<C:free-busy-query {NAMESPACES}><C:time-range start="{start}" end="{end}"/></C:free-busy-query>'
        return self.report(body, depth)


def sync_body(token: str, limit: int | None, level: str, props: str) -> str:
    """A sync-collection body (RFC 6578 §6.1)."""
    cut = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit is not None else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token>'
        f"<D:sync-level>{level}</D:sync-level>{cut}<D:prop>{props}</D:prop></D:sync-collection>"
    )


def vcalendar_filter(inner: str, component: str = "VEVENT") -> str:
    """A filter of VCALENDAR / component / inner."""
    return f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}">{inner}</C:comp-filter></C:comp-filter>'


def time_range(start: str | None = None, end: str | None = None) -> str:
    """A CALDAV:time-range element; either end may be left out."""
    ends = (f' start="{start}"' if start else "") + (f' end="{end}"' if end else "")
    return f"<C:time-range{ends}/>"


def raw_exchange(host: str, port: int, data: bytes, timeout: float = 10, limit: int = 1 << 20) -> bytes:
    """Send bytes as they are on a new connection and return everything the server answers before it closes."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        connection.settimeout(min(timeout, 3))
        return read_until_closed(connection, limit)


def read_until_closed(connection: socket.socket, limit: int = 1 << 20) -> bytes:
    """What arrives until the other side closes, resets or falls silent for the socket's timeout."""
    received = b""
    try:
        while len(received) < limit:
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return received


def statuses(received: bytes) -> list[int]:
    """The status codes of the answers in a raw stream."""
    return [int(line[9:12]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.")]
