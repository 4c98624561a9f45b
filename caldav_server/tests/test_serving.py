"""The process model, with real processes: start, several workers, crashes, signals, TLS."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from testing.builders import event
from testing.edge import basic
from testing.process import Server, command, serving, wait_until

pytestmark = pytest.mark.slow

CERTIFICATES = Path(__file__).parent / "data"


def test_the_first_start_makes_an_account_and_the_next_does_not(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for part in (
            "Thunderbird",
            "Apple Calendar",
            "DAVx5",
            "caldav.DAVClient",
            "/dav/principals/admin/",
            server.url,
        ):
            assert part in server.output
        password = server.password
        assert server.get("/health")[0] == 200
        assert server.get("/dav/", password=password)[0] == 200
        assert server.get("/dav/", password="wrong")[0] == 401
        assert server.stop() == 0
        assert password not in server.log.read_text()
    with serving(tmp_path) as server:
        assert "Password" not in server.output
        assert server.get("/dav/", password=password)[0] == 200
        assert server.stop(signal.SIGINT) == 0
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert all("time" in line and "event" in line for line in lines)
    assert sum(line["event"] == "stopped" for line in lines) == 2
    assert all("request_id" in line for line in lines if line["event"] in ("request", "login failed"))


def test_workers_share_the_port_and_the_figures(tmp_path: Path) -> None:
    with serving(tmp_path, ["--workers", "2"]) as server:
        password = server.password
        assert len(server.workers()) == 2
        for _ in range(40):
            assert server.get("/dav/", password=password)[0] == 200
        text = server.get("/metrics")[1].decode()
        counts = [
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("caldav_server_requests_total{") and 'method="GET"' in line and "2xx" in line
        ]
        assert len(counts) == 2  # both workers, in one answer
        assert sum(counts) >= 40
        assert text.count("process_resident_memory_bytes{worker=") == 2
        assert server.stop() == 0


def test_connections_are_spread_evenly_and_none_is_lost_when_a_worker_dies(tmp_path: Path) -> None:
    ask = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"

    def connected(server: Server, number: int) -> list[socket.socket]:
        host, _, port = server.url.removeprefix("http://").partition(":")
        made = [socket.create_connection((host, int(port)), timeout=10) for _ in range(number)]
        for client in made:
            client.sendall(ask)
        assert all(client.recv(4096).startswith(b"HTTP/1.1 200") for client in made)
        return made

    def held(server: Server) -> list[float]:
        lines = server.get("/metrics")[1].decode().splitlines()
        return [float(line.split()[-1]) for line in lines if line.startswith("caldav_server_connections{")]

    with serving(tmp_path, ["--workers", "3"]) as server:
        clients = connected(server, 60)
        counts = held(server)
        assert len(counts) == 3
        assert max(counts) - min(counts) <= 3, counts
        for client in clients:  # whoever serves it answers again
            client.sendall(ask)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        server.workers()[0].kill()
        wait_until(lambda: '"a worker died"' in server.log.read_text())
        more = connected(server, 30)  # passed on to nobody who is dead
        wait_until(lambda: workers_with_figures(server) == 3)
        more += connected(server, 30)
        for client in clients + more:
            client.close()
        wait_until(lambda: sum(held(server)) <= 3)
        again = connected(server, 60)  # nobody still counts those that all left together
        counts = held(server)
        assert max(counts) - min(counts) <= 3, counts
        for client in again:
            client.close()
        assert server.stop() == 0


def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    with serving(tmp_path, ["--workers", "2"]) as server:
        victim = server.workers()[0]
        victim.kill()
        wait_until(lambda: len(server.workers()) == 2 and victim.pid not in [one.pid for one in server.workers()])
        wait_until(lambda: workers_with_figures(server) == 2)
        assert '"a worker died"' in server.log.read_text()
        assert server.stop() == 0


def workers_with_figures(server: Server) -> int:
    """How many workers stand in /metrics; none when the dead one had taken the connection, as clients ask again."""
    with contextlib.suppress(OSError):
        return server.get("/metrics")[1].count(b"process_start_time_seconds{worker=")
    return 0


def test_workers_stop_when_their_parent_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, ["--workers", "2"]) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(10)
        wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))


def test_a_taken_port_is_a_message_not_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        for workers in ("1", "2"):
            status, _, errors = command(tmp_path, "serve", "--bind", bind, "--workers", workers)
            assert status == 1
            assert f"cannot serve on {bind}" in errors
            assert "Traceback" not in errors


def test_a_database_that_is_not_ready_is_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    empty = command(tmp_path, "jobs", "list", "--database", f"sqlite:///{tmp_path / 'empty.db'}")
    assert empty[0] == 1
    assert empty[2].startswith("Error: the database is empty, this program needs schema ")
    assert empty[2].endswith(". Run: caldav-server migrate\n")
    gone = command(tmp_path, "worker", "--database", "postgresql://anna:secret@127.0.0.1:1/calendar")
    assert gone[0] == 1
    assert gone[2].startswith("Error: the database cannot be reached: ")
    assert "secret" not in gone[2]


def test_the_number_of_workers_changes_at_a_restart_with_clients_connected(tmp_path: Path) -> None:
    bind = "127.0.0.1:0"
    clients = []
    for workers in ("1", "2", "1"):
        with serving(tmp_path, ["--workers", workers], {"CALDAV_SERVER_BIND": bind}) as server:
            bind = server.url.removeprefix("http://")
            host, _, port = bind.partition(":")
            client = socket.create_connection((host, int(port)), timeout=10)
            client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
            clients.append(client)
            assert server.stop() == 0
    for client in clients:
        client.close()


def is_refused(host: str, port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection((host, port), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_lets_an_upload_finish(tmp_path: Path) -> None:
    with serving(tmp_path, ["--workers", "2"]) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        body = event("1")
        head = (
            f"PUT /dav/calendars/admin/calendar/1.ics HTTP/1.1\r\nHost: h\r\nContent-Type: text/calendar\r\n"
            f"Authorization: {basic('admin', server.password)}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(head + body[:50])
            time.sleep(0.2)
            statuses: list[int] = []
            stopping = threading.Thread(target=lambda: statuses.append(server.stop()))
            stopping.start()
            wait_until(lambda: is_refused(host, int(port)))  # nobody is left waiting for workers that stop
            client.sendall(body[50:])
            assert client.recv(65536).startswith(b"HTTP/1.1 201 ")
            stopping.join(10)
        assert statuses == [0]


def test_reload_reopens_the_log_and_reads_the_certificate_again(tmp_path: Path) -> None:
    in_use = tmp_path / "cert.pem"

    def use(name: str) -> None:
        in_use.write_bytes((CERTIFICATES / f"{name}.pem").read_bytes())

    def served_name(url: str) -> bytes:
        host, _, port = url.removeprefix("https://").partition(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw) as client:
            assert client.version() == "TLSv1.3"
            client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"Strict-Transport-Security" in answer
            found = client.getpeercert(binary_form=True)
            assert found is not None
            return found

    use("one")
    extra = {
        "CALDAV_SERVER_TLS_CERTIFICATE": str(in_use),
        "CALDAV_SERVER_TLS_MINIMUM_VERSION": "1.3",
    }
    with serving(tmp_path, extra=extra) as server:
        assert b"one" in served_name(server.url)
        use("two")
        server.log.rename(tmp_path / "old.log")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log.exists())
        assert b"two" in served_name(server.url)
        host, _, port = server.url.removeprefix("https://").partition(":")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection((host, int(port))) as raw:
            try:
                old.wrap_socket(raw)
                raise AssertionError("TLS 1.2 was accepted")
            except ssl.SSLError:
                pass


def test_a_unix_socket_serves_one_and_several_workers(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    for workers in ("1", "2"):
        with serving(tmp_path, ["--workers", workers], {"CALDAV_SERVER_BIND": f"unix:{path}"}) as server:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
            assert server.stop() == 0


def test_the_pid_file_lives_as_long_as_the_server(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with serving(tmp_path, extra={"CALDAV_SERVER_PID_FILE": str(path)}) as server:
        assert int(path.read_text()) == server.process.pid
        server.stop()
    assert not path.exists()
