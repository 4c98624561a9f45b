"""Hostile bytes on the wire: F19 (request smuggling), F14 (huge bodies), headers."""

from urllib.parse import urlsplit

import pytest

from conformance_tests.client import Calendar, Client, basic, raw_exchange, statuses
from testing.builders import event


def raw(client: Client, data: str | bytes, timeout: float = 10) -> bytes:
    """Send these bytes; ``{auth}`` in them stands for the Authorization header."""
    text = data.encode("latin-1") if isinstance(data, str) else data
    filled = text.replace(b"{auth}", b"Authorization: " + basic(client.user or "", client.password).encode())
    return raw_exchange(client.host, client.port, filled, timeout)


SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = "PUT /p HTTP/1.1\r\nHost: x\r\n{auth}\r\n"
MANY = "".join(f"X{number}: a\r\n" for number in range(1000))
PROBES = {
    "CL and TE": f"{PUT}Content-Length: {len(SMUGGLED) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "two CL": f"{PUT}Content-Length: 0\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "CL list": f"{PUT}Content-Length: 0, {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "TE xchunked": f"{PUT}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "TE twice": f"{PUT}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"
    f"Content-Length: 3\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "space before colon": f"{PUT}Content-Length : {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "bare LF": "GET /p HTTP/1.1\nHost: x\n\n",
    "two Host": "GET /p HTTP/1.1\r\nHost: a\r\nHost: b\r\n{auth}\r\n\r\n",
    "no Host": "GET /p HTTP/1.1\r\n{auth}\r\n\r\n",
    "signed CL": PUT + "Content-Length: +1\r\n\r\nx",
    "negative CL": PUT + "Content-Length: -1\r\n\r\n",
    "hex CL": PUT + "Content-Length: 0x1\r\n\r\nx",
    "huge CL": PUT + "Content-Length: 99999999999999999999999\r\n\r\nx",
    "null in a header": "GET /p HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "null in the path": "GET /p\x00q HTTP/1.1\r\nHost: x\r\n\r\n",
    "64 KB header": f"GET /p HTTP/1.1\r\nHost: x\r\nX: {'a' * 65536}\r\n\r\n",
    "1,000 headers": f"GET /p HTTP/1.1\r\nHost: x\r\n{MANY}\r\n",
    "chunk size overflow": PUT + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
    "chunk not hex": PUT + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "folded header": "GET /p HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nContent-Length:\r\n 5\r\n\r\nhello",
    "no version": "GET /p\r\n\r\n",
    "HTTP/9.9": "GET /p HTTP/9.9\r\nHost: x\r\n\r\n",
    "not HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "x" * 50,
    "header without colon": "GET /p HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "space in the target": "GET /p q HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", PROBES)
def test_smuggling(client: Client, name: str) -> None:
    """F19: an ambiguous request is refused once and the connection closed: no second answer, no hang, no 5xx."""
    received = raw(client, PROBES[name])
    codes = statuses(received)
    assert len(codes) <= 1, (codes, received[:500])
    for code in codes:
        assert code in {400, 401, 404, 405, 413, 414, 431, 501, 505}, received[:300]
    if name not in {"no version", "not HTTP"}:
        assert codes, "no answer at all"
    if name in {
        "CL and TE",
        "two CL",
        "CL list",
        "TE xchunked",
        "TE twice",
        "space before colon",
        "signed CL",
        "two Host",
    }:
        assert codes[0] in {400, 501}, received[:300]
    client.options(client.root).expect(200, 204, 401)


def test_pipelining(client: Client, calendar: Calendar) -> None:
    """RFC 9112 §9.3.2: requests sent together are answered in order."""
    line = f"OPTIONS {calendar.href} HTTP/1.1\r\nHost: x\r\n{{auth}}\r\n"
    received = raw(client, f"{line}\r\n{line}\r\n{line}Connection: close\r\n\r\n")
    codes = statuses(received)
    assert len(codes) == 3 and set(codes) <= {200, 204}


def test_expect_continue(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §10.1.1: Expect: 100-continue is answered, as Outlook's synchroniser needs; an unknown one is 417."""
    data = event()
    head = (
        f"PUT {calendar.path('a.ics')} HTTP/1.1\r\nHost: x\r\n{{auth}}\r\nContent-Type: text/calendar\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
    )
    codes = statuses(raw(client, head.encode() + data))
    assert codes[-1] == 201 and set(codes[:-1]) <= {100}
    assert calendar.get("a.ics").body == data


def test_chunked_put(client: Client, calendar: Calendar) -> None:
    """RFC 9112 §7.1: a chunked body is as good as one with a length."""
    data = event(summary="x" * 3000)
    pieces = (data[start : start + 700] for start in range(0, len(data), 700))
    client.request("PUT", calendar.path("a.ics"), pieces, {"Content-Type": "text/calendar"}).expect(201)
    assert calendar.get("a.ics").body == data


def test_absolute_request_target(client: Client, calendar: Calendar) -> None:
    """RFC 9112 §3.2.2: a request target in absolute form is taken."""
    received = raw(
        client, f"OPTIONS {client.origin}{calendar.href} HTTP/1.1\r\nHost: x\r\n{{auth}}\r\nConnection: close\r\n\r\n"
    )
    assert statuses(received)[0] in {200, 204}


def test_http_1_0(client: Client, calendar: Calendar) -> None:
    """RFC 9112 §2.5: an HTTP/1.0 request is answered and the connection closed."""
    received = raw(client, f"OPTIONS {calendar.href} HTTP/1.0\r\nHost: x\r\n{{auth}}\r\n\r\n")
    assert statuses(received)[0] in {200, 204}


@pytest.mark.parametrize("chunked", [False, True])
def test_put_of_100_megabytes(client: Client, calendar: Calendar, chunked: bool) -> None:
    """F14: a body of 100 MB is 413 (or max-resource-size) long before it is read; nothing is stored."""
    piece = b"X" * 1_048_576

    def pieces():
        yield from (piece for _ in range(100))

    headers = {"Content-Type": "text/calendar"} | ({} if chunked else {"Content-Length": str(100 * len(piece))})
    try:
        if chunked:
            answer = client.request("PUT", calendar.path("a.ics"), pieces(), headers)
        else:
            answer = client.request("PUT", calendar.path("a.ics"), b"X" * 65536, headers)
        assert answer.status == 413 or answer.refused(403, "C:max-resource-size")
    except (BrokenPipeError, ConnectionResetError):
        pass  # closed while we were still sending: refused
    calendar.get("a.ics").expect(404)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "x" * 20000, "\x00", "é"])
def test_odd_header_values(client: Client, calendar: Calendar, value: str) -> None:
    """RFC 9110 §5.5: odd values of request headers are refused or ignored; never 5xx, never echoed as headers."""
    for name in ("Depth", "If-Match", "Prefer", "Content-Type", "Destination", "User-Agent", "X-Request-Id"):
        text = (
            f"PROPFIND {calendar.href} HTTP/1.1\r\nHost: x\r\n{{auth}}\r\n{name}: {value}\r\nConnection: close\r\n\r\n"
        )
        received = raw(client, text.encode("utf-8"))
        assert statuses(received) and statuses(received)[0] < 500, (name, received[:200])
        assert b"X-Evil" not in received.split(b"\r\n\r\n")[0]


def test_host_header_is_not_trusted(client: Client, calendar: Calendar) -> None:
    """Cassandane's host_header_xss: what the Host header says never comes back as markup."""
    text = (
        f'PROPFIND {calendar.href} HTTP/1.1\r\nHost: x"><script>alert(1)</script>\r\n{{auth}}\r\nDepth: 0\r\n'
        "Connection: close\r\n\r\n"
    )
    assert b"<script>" not in raw(client, text)


def test_path_in_errors_is_escaped(client: Client) -> None:
    """F18: what the URL says never comes back as markup."""
    answer = client.request("GET", client.home + "%3Cscript%3Ealert(1)%3C/script%3E")
    assert b"<script>" not in answer.body
    assert urlsplit(client.url)
