"""Two servers over one database and a real Redis: what one learns of accounts, the other knows at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.process import Server, command, serving, wait_until
from testing.redis import RedisServer, start_redis

PATH = "/dav/"  # belongs to nobody: no look-up on the way reads the accounts version


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture
def servers(tmp_path: Path, redis: RedisServer) -> Iterator[tuple[Server, Server]]:
    with serving(tmp_path, extra=settings(redis)) as one, serving(tmp_path, extra=settings(redis)) as two:
        for server in one, two:
            wait_until(lambda server=server: b"caldav_server_redis_connected 1.0" in server.get("/metrics")[1])
        yield one, two


def settings(redis: RedisServer) -> dict[str, str]:
    """Without announcements, a changed password would be noticed after five minutes."""
    return {"CALDAV_SERVER_REDIS": redis.url, "CALDAV_SERVER_AUTH_RECHECK_SECONDS": "300"}


def set_password(folder: Path, redis: RedisServer, password: str) -> str:
    status, output, errors = command(
        folder, "account", "password", "admin", "--password", password, extra=settings(redis)
    )
    assert status == 0, errors
    assert "is changed" in output
    return errors


def status_of(server: Server, password: str) -> int:
    return server.get(PATH, password=password)[0]


@pytest.mark.slow
def test_an_old_password_fails_at_once_in_every_process_and_after_a_gap(
    tmp_path: Path, redis: RedisServer, servers: tuple[Server, Server]
) -> None:
    first = servers[0].password
    assert [status_of(server, first) for server in servers] == [200, 200]
    set_password(tmp_path, redis, "second")
    for server in servers:
        wait_until(lambda server=server: status_of(server, first) == 401, 5)
        assert status_of(server, "second") == 200
    redis.kill()
    told = set_password(tmp_path, redis, "third")
    assert "other processes were not told" in told
    assert [status_of(server, "second") for server in servers] == [200, 200]  # nobody could tell them
    redis.start()
    for server in servers:
        wait_until(lambda server=server: status_of(server, "second") == 401, 30)
        assert status_of(server, "third") == 200
    assert "no announcements of other processes" in servers[0].log.read_text()
