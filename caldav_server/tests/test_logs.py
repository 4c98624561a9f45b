"""Logs: every line whole and parseable, the request in it, secrets never."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from caldav_server.http.messages import Request
from caldav_server.observability import logs
from caldav_server.settings import LogSettings
from testing.edge import FixedBody, basic, headers_of, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def lines(log: logs.Log, path: Path) -> list[dict[str, object]]:
    log.sink.flush()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def a_request(path: str = "/dav/x") -> Request:
    return Request("GET", path, "", headers_of({}), FixedBody(b""), "id-1", "192.0.2.1", "http", "h")


def test_events_carry_level_time_request_and_worker(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path)), worker=3)
    log.install()
    token = logs.request_id.set("id-7")
    try:
        logs.get().info("something", key="value", number=5)
        logs.get().debug("too unimportant")
        logging.getLogger("library").warning("it says %s", "so")
    finally:
        logs.request_id.reset(token)
    first, second = lines(log, path)
    assert (first["event"], first["level"], first["request_id"]) == ("something", "info", "id-7")
    assert (first["key"], first["number"], first["worker"]) == ("value", 5, 3)
    assert str(first["time"]).endswith("Z")
    assert (second["event"], second["logger"], second["request_id"]) == ("it says so", "library", "id-7")


def test_secrets_are_masked(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path)))
    log.install()
    try:
        raise RuntimeError("cannot reach postgresql://me:hunter2@db/x")
    except RuntimeError as error:
        logs.get().error("failed", password="hunter2", Authorization=basic("u", "hunter2"), exc_info=error)
    logs.get().error("failed", url="postgresql://me:hunter2@db/x", error="at redis://:hunter2@h/0", exc_info=True)
    text = path.read_text()
    assert "hunter2" not in text
    assert basic("u", "hunter2") not in text
    assert "RuntimeError: cannot reach postgresql://me:***@db/x" in text


def test_the_access_line(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path), format="json"))
    request = a_request()
    request.log["report"] = "calendar-query"
    log.access(request, 207, 500, 0.0123)
    (line,) = lines(log, path)
    assert line | {"time": ""} == {
        "time": "",
        "level": "info",
        "event": "request",
        "request_id": "id-1",
        "method": "GET",
        "path": "/dav/x",
        "status": 207,
        "ms": 12.3,
        "bytes": 500,
        "remote": "192.0.2.1",
        "user": "",
        "report": "calendar-query",
    }


def test_nothing_moves_the_cursor_of_a_console(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path), format="console"))
    log.install()
    log.access(a_request("/dav/\x1b[2J\nfake line"), 200, 0, 0.0)
    logs.get().info("event", value="\x1b[31m\r\nfake")
    log.sink.flush()
    text = path.read_text()
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_lines_of_many_threads_stay_whole(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path)))
    log.install()
    threads = [
        threading.Thread(target=lambda: [logs.get().info("line", text="x" * 500) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(log, path)) == 1600


def test_a_rotated_log_is_reopened(path: Path) -> None:
    log = logs.Log(LogSettings(file=str(path)))
    log.install()
    logs.get().info("before")
    log.sink.flush()
    path.rename(path.with_suffix(".1"))
    logs.get().info("between")
    log.sink.reopen()
    logs.get().info("after")
    assert [line["event"] for line in lines(log, path)] == ["after"]
    assert "between" in path.with_suffix(".1").read_text()


def test_a_full_disk_fails_nobody() -> None:
    log = logs.Log(LogSettings(file="/dev/full"))
    log.install()
    logs.get().error("nobody can read this")
    log.access(a_request(), 200, 0, 0.0)
    log.sink.reopen()


async def test_a_header_field_that_is_not_utf8_is_logged(tmp_path: Path, path: Path) -> None:
    async with running(tmp_path, {"log.file": str(path), "log.level": "info"}) as edge:
        client = await edge.connect()
        wrong = basic("user", "wrong").encode()
        await client.send(b"GET /dav/ HTTP/1.1\r\nHost: h\r\nUser-Agent: \xff\r\nAuthorization: " + wrong + b"\r\n\r\n")
        assert (await client.answer()).status == 401
        assert [line["agent"] for line in lines(edge.app.services.log, path) if line["event"] == "login failed"] == [
            "\udcff"
        ]


async def test_a_whole_server_never_logs_a_password(tmp_path: Path, path: Path) -> None:
    values: dict[str, object] = {"log.file": str(path), "log.level": "debug"}
    async with running(tmp_path, values) as edge:
        client = await edge.connect()
        for name, password in (("user", "pass"), ("user", "wr0ng-secret"), ("nobody", "wr0ng-secret")):
            await client.request("GET", "/dav/", {"Authorization": basic(name, password)}, auth=False)
        await client.send(b"GET / HTTP/1.1\r\nAuthorization: " + basic("user", "wr0ng-secret").encode() + b"\r\n\r\n")
        assert (await client.answer()).status == 400
        found = lines(edge.app.services.log, path)
    text = path.read_text()
    assert sum(line["event"] == "request" for line in found) == 3
    assert sum(line["event"] == "login failed" for line in found) == 2
    assert "wr0ng-secret" not in text
    assert basic("user", "wr0ng-secret").split()[1] not in text
    assert all(line.get("request_id") for line in found if line["event"] != "serving")
