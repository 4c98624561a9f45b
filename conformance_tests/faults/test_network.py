"""F8, F12, F13: torn uploads, slow clients, idle connections."""

import contextlib
import resource
import socket
import statistics
import time

import pytest

from conformance_tests.client import Client, basic, read_until_closed, statuses
from conformance_tests.faults.workload import new_calendar
from conformance_tests.pace import allowed
from conformance_tests.server import ServerProcess
from testing.builders import event


def head(client: Client, method: str, path: str, length: int | None, more: str = "") -> bytes:
    """A request's head, with credentials."""
    size = f"Content-Length: {length}\r\n" if length is not None else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(client.user or '', client.password)}\r\n"
        f"Content-Type: text/calendar\r\n{size}{more}\r\n"
    ).encode()


def latencies(client: Client, path: str, count: int) -> list[float]:
    return sorted(client.get(path).expect(200).seconds for _ in range(count))


@pytest.mark.parametrize("ending", ["close", "reset", "half-closed"])
@pytest.mark.parametrize("form", ["length", "chunked"])
@pytest.mark.parametrize("cuts", [8, pytest.param(80, marks=pytest.mark.long)])
def test_torn_upload(loaded_server, ending: str, form: str, cuts: int) -> None:
    """F8: an upload that breaks off at any point leaves the object, the token and the server as they were."""
    server = loaded_server()
    calendar = new_calendar(server)
    client = calendar.client
    uid = "torn@example.com"
    data = event(uid, summary="before")
    calendar.add("a.ics", data)
    token = calendar.sync().sync_token
    body = event(uid, more="\n".join(f"X-FILL:{'x' * 60}" for _ in range(900)))
    for cut in range(0, len(body), len(body) // cuts):
        with socket.create_connection((client.host, client.port), timeout=5) as connection:
            if form == "length":
                connection.sendall(head(client, "PUT", calendar.path("a.ics"), len(body)) + body[:cut])
            else:
                start = head(client, "PUT", calendar.path("a.ics"), None, "Transfer-Encoding: chunked\r\n")
                connection.sendall(start + f"{len(body):x}\r\n".encode() + body[:cut])
            if ending == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            elif ending == "half-closed":
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(3)
                assert not {201, 204} & set(statuses(read_until_closed(connection)))
    assert calendar.get("a.ics").body == data
    assert calendar.sync().sync_token == token
    calendar.put("a.ics", body).expect(204)
    calendar.put("b.ics", event()).expect(201)


def test_more_bytes_than_told(loaded_server) -> None:
    """F8: bytes beyond Content-Length are not part of the body."""
    server = loaded_server()
    calendar = new_calendar(server)
    client = calendar.client
    data = event()
    with socket.create_connection((client.host, client.port), timeout=3) as connection:
        connection.sendall(head(client, "PUT", calendar.path("a.ics"), len(data)) + data + b"X-MORE: bytes\r\n\r\n")
        codes = statuses(read_until_closed(connection))
    assert codes[0] in {201, 400} and set(codes[1:]) <= {400}
    stored = calendar.get("a.ics")
    assert stored.status == 404 or stored.body == data


FAST_TIMEOUTS = {
    "CALDAV_SERVER_TIMEOUTS_HEADER_SECONDS": "1.5",
    "CALDAV_SERVER_TIMEOUTS_BODY_SECONDS": "2",
    "CALDAV_SERVER_TIMEOUTS_WRITE_SECONDS": "3",
    "CALDAV_SERVER_TIMEOUTS_KEEP_ALIVE_SECONDS": "4",
}


def slow_clients(server: ServerProcess, count: int) -> None:
    """Clients that stop in the middle of everything are let go in time; others do not notice them."""
    calendar = new_calendar(server)
    client = calendar.client
    for number in range(200):
        calendar.add(f"{number}.ics", event(more=f"DESCRIPTION:{'x' * 4000}"))
    path = calendar.path("1.ics")
    before = latencies(client, path, 100)
    query = (
        b'<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data/></D:prop>'
        b'<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    openings = {
        "nothing": b"",
        "half a head": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "half a body": head(client, "PUT", calendar.path("slow.ics"), 5000) + b"BEGIN:VCALENDAR\r\n",
        "no reading": head(client, "REPORT", calendar.href, len(query), "Depth: 1\r\n") + query,
    }
    held: list[tuple[str, socket.socket]] = []
    for kind, opening in openings.items():
        for _ in range(count):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect((client.host, client.port))
            connection.sendall(opening)
            held.append((kind, connection))
    during = latencies(client, path, 100)
    deadline = time.monotonic() + allowed(15)
    waiting = list(held)
    while waiting and time.monotonic() < deadline:
        time.sleep(0.3)
        waiting = [(kind, connection) for kind, connection in waiting if not let_go(kind, connection)]
        client.get(path).expect(200)
    assert not waiting, f"still open: {sorted({kind for kind, _ in waiting})}"
    assert statistics.median(during) < max(4 * statistics.median(before), allowed(0.05))
    for _, connection in held:
        connection.close()


def let_go(kind: str, connection: socket.socket) -> bool:
    """Whether the server has closed this connection; a reader that does not read looks at the socket's state only."""
    if kind == "no reading":
        with contextlib.suppress(OSError):
            connection.send(b"x")
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            return info[0] != 1  # not ESTABLISHED
        return True
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_slow_clients(own_server) -> None:
    """F12: clients that send or read slowly are cut off in time, and others do not wait for them."""
    slow_clients(own_server(environment=FAST_TIMEOUTS), 10)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_five_hundred_slow_clients(own_server) -> None:
    """F12: the same with five hundred."""
    slow_clients(own_server(environment=FAST_TIMEOUTS), 125)


def test_one_byte_at_a_time(own_server) -> None:
    """F12: a body that trickles in below the minimum rate is refused in time; one that is only slow is taken."""
    server = own_server(environment={**FAST_TIMEOUTS, "CALDAV_SERVER_TIMEOUTS_BODY_RATE": "100"})
    calendar = new_calendar(server)
    client = calendar.client
    data = event()
    with socket.create_connection((client.host, client.port), timeout=10) as connection:
        connection.sendall(head(client, "PUT", calendar.path("slow.ics"), len(data), "Connection: close\r\n"))
        for start in range(0, len(data), 20):
            connection.sendall(data[start : start + 20])
            time.sleep(0.05)
        assert statuses(read_until_closed(connection)) == [201]
    with socket.create_connection((client.host, client.port), timeout=10) as connection:
        connection.sendall(head(client, "PUT", calendar.path("never.ics"), 100_000))
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < allowed(12):
                connection.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - begun < allowed(10), "a trickle is held for ever"
    calendar.get("never.ics").expect(404)


def idle_connections(server: ServerProcess, count: int, bytes_each: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 1000)), hard))
    calendar = new_calendar(server)
    client = calendar.client
    calendar.add("a.ics", event())
    path = calendar.path("a.ics")
    latencies(client, path, 50)
    before = server.memory()
    held = [socket.create_connection((client.host, client.port), timeout=10) for _ in range(count)]
    request = head(client, "OPTIONS", calendar.href, None)
    for connection in held[:: max(1, count // 200)]:
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 2")
    time.sleep(0.5)
    times = latencies(client, path, 200)
    grown = server.memory() - before
    for connection in held:
        connection.close()
    assert times[int(len(times) * 0.99)] < 0.2, times[-5:]
    assert grown < count * bytes_each, f"{grown / count:.0f} bytes per idle connection"
    client.get(path).expect(200)


def test_idle_connections(own_server) -> None:
    """F13: two thousand idle connections cost little memory and do not slow the others."""
    idle_connections(own_server(environment={"CALDAV_SERVER_TIMEOUTS_HEADER_SECONDS": "120"}), 2000, 20_000)


@pytest.mark.long
def test_ten_thousand_idle_connections(own_server) -> None:
    """F13: ten thousand."""
    idle_connections(own_server(environment={"CALDAV_SERVER_TIMEOUTS_HEADER_SECONDS": "300"}), 10_000, 12_000)


def test_memory_of_huge_bodies(own_server) -> None:
    """F14: refusing bodies of 100 MB does not cost memory."""
    server = own_server()
    calendar = new_calendar(server)
    client = calendar.client
    calendar.add("a.ics", event())
    before = server.memory()
    for number in range(4):
        with socket.create_connection((client.host, client.port), timeout=20) as connection:
            chunked = "Transfer-Encoding: chunked\r\n" if number % 2 else ""
            connection.sendall(head(client, "PUT", calendar.path("big.ics"), None if chunked else 100_000_000, chunked))
            sent, piece = 0, b"X" * 262_144
            with contextlib.suppress(OSError):
                while sent < 100_000_000:
                    connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece)
                    sent += len(piece)
            codes = statuses(read_until_closed(connection))
            assert set(codes) <= {413, 403}, codes
    assert server.memory() - before < 60_000_000
    assert calendar.etags().keys() == {"a.ics"}
