"""F3, F9, F10, F21: the database, Redis, the disk and the attacker."""

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.faults.workload import Mirror, Writer, new_calendar, parallel, run_all
from conformance_tests.pace import allowed
from conformance_tests.server import ServerProcess
from testing.builders import event
from testing.postgres import start_postgres
from testing.redis import RedisServer


def cut_connections(url: str) -> int:
    """Terminate every backend of this database but our own; how many there were."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0


def disturb(server: ServerProcess, database: str) -> None:
    """What can happen to a database: its connections are cut, or another program holds it for a moment."""
    if database == "postgresql":
        cut_connections(server.database)
        return
    connection = sqlite3.connect(server.database.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(0.2)
    connection.execute("ROLLBACK")
    connection.close()


def disturbed(server: ServerProcess, database: str, times: int) -> None:
    calendar = new_calendar(server)
    stop = threading.Event()
    writers = [Writer(server.client(), calendar.href, number, stop) for number in range(4)]
    failed: list[int] = []

    def read() -> None:
        reader = server.client()
        while not stop.is_set():
            status = reader.propfind_raw(calendar.href, None, "1").status
            if status != 207:
                failed.append(status)

    def disturber() -> None:
        for _ in range(times):
            time.sleep(0.25)
            disturb(server, database)
        time.sleep(0.3)
        stop.set()

    others = [threading.Thread(target=read, daemon=True), threading.Thread(target=disturber, daemon=True)]
    for thread in others:
        thread.start()
    run_all(writers)
    for thread in others:
        thread.join(60)
    assert set(failed) <= {503}, failed
    assert len(failed) <= times, f"{len(failed)} reads failed after {times} cuts"
    for writer in writers:
        first = dict(reversed(writer.ledger.refused))
        assert set(first.values()) <= {503}, writer.ledger.refused
        assert {status for _, status in writer.ledger.refused} <= {503, 404}, writer.ledger.refused
    time.sleep(0.5)
    calendar.client.put(calendar.path("after.ics"), event()).expect(201)
    listing = calendar.etags()
    for writer in writers:
        uncertain = {name for name, _ in writer.ledger.refused}
        for name, body in writer.ledger.state.items():
            if name not in uncertain:
                assert (name in listing) == (body is not None), name
                assert body is None or calendar.get(name).body == body
    mirror = Mirror(calendar)
    mirror.pull()
    assert mirror.state == listing


def test_database_disturbed(own_server, database: str) -> None:
    """F3: every database connection is cut (PostgreSQL), or the file is locked (SQLite), under load: at most 503s,
    nothing acknowledged is lost, and the pool is whole again."""
    disturbed(own_server(), database, 5)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_database_disturbed_a_hundred_times(own_server, database: str) -> None:
    """F3: a hundred times."""
    disturbed(own_server(), database, 100)


def test_retry_after_a_lost_answer(loaded_server) -> None:
    """F4: a PUT whose answer was lost can be repeated: 204 with the same ETag, one object, one change."""
    server = loaded_server()
    calendar = new_calendar(server)
    data = event()
    etag = calendar.put("a.ics", data).expect(201).etag
    token = calendar.sync().sync_token
    again = calendar.put("a.ics", data)
    assert again.status in {200, 204} and again.etag == etag
    assert calendar.sync(token).removed == set()
    assert calendar.etags() == {"a.ics": etag}


def test_redis_gone(own_server, tmp_path: Path) -> None:
    """F9: Redis stops, freezes, comes back: no CalDAV request fails or waits."""
    redis = RedisServer(tmp_path / "redis")
    try:
        server = own_server(environment={"CALDAV_SERVER_REDIS": redis.url})
        calendar = new_calendar(server)
        seen = []

        def work(number: int) -> None:
            seen.append(calendar.put(f"{number}.ics", event()).expect(201).seconds)
            seen.append(calendar.propfind("D:getetag", depth="1").items and calendar.get(f"{number}.ics").seconds)

        work(0)
        redis.freeze()
        for number in range(1, 6):
            work(number)
        redis.thaw()
        work(6)
        redis.kill()
        for number in range(7, 12):
            work(number)
        redis.start()
        work(12)
        assert max(seen) < 1.0, seen
        assert len(calendar.etags()) == 13
    finally:
        redis.stop()


def test_redis_never_there(own_server) -> None:
    """F9: a server whose Redis does not exist starts and works."""
    server = own_server(environment={"CALDAV_SERVER_REDIS": "redis://127.0.0.1:1/0"})
    new_calendar(server).put("a.ics", event()).expect(201)


def limit_files(pids: list[int], limit: str) -> None:
    """Let these processes write files up to this size only: what they see then is a full disk (EFBIG for ENOSPC)."""
    for pid in pids:
        if psutil.pid_exists(pid):
            subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={limit}"], check=False)


def family(pid: int) -> list[int]:
    parent = psutil.Process(pid)
    return [parent.pid, *(child.pid for child in parent.children(recursive=True))]


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this size (root only); what fills it up to the last bit is a file named ``filler``."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, keep: int) -> None:
    """Leave this many bytes free."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(b"\0" * max(0, free - keep))


def test_disk_full(own_server, database: str, tmp_path: Path) -> None:
    """F10: on a full disk writes are 507, reads go on, nothing acknowledged is lost, and space makes it work again."""
    if os.getuid() == 0 and database == "sqlite":
        server = own_server(run=False)
        with small_disk(tmp_path / "disk", 64) as disk:
            shutil.copy(server.database.removeprefix("sqlite:///"), disk / "caldav.db")
            server.database = f"sqlite:///{disk / 'caldav.db'}"
            server.start()
            fill(disk, 1_500_000)
            fill_and_recover(server, (disk / "filler").unlink)
            server.stop()
        return
    if os.getuid() == 0:
        with tempfile.TemporaryDirectory(prefix="caldav-full-") as name:
            Path(name).chmod(0o755)
            with small_disk(Path(name) / "disk", 256) as disk:
                full_postgres(own_server, disk)
        return
    limited(own_server, database)


def full_postgres(own_server, disk: Path) -> None:
    """PostgreSQL with its data on the small disk."""
    postgres = start_postgres(disk / "pg", durable=True)
    try:
        server = own_server(run=False)
        server.database = postgres.new_database()
        server.prepare()
        server.start()
        fill(disk, 3_000_000)
        fill_and_recover(server, (disk / "filler").unlink)
        server.stop()
    finally:
        postgres.stop()


def limited(own_server, database: str) -> None:
    """Without root there is no small disk: files that may not grow are an error of the disk, 507 or 503."""
    if database == "postgresql":
        limited_postgres(own_server)
        return
    server = own_server(run=False)
    size = Path(server.database.removeprefix("sqlite:///")).stat().st_size + 1_500_000
    server.start()
    assert server.process is not None
    limit_files(family(server.process.pid), f"{size}:unlimited")
    fill_and_recover(server, lambda: limit_files(family(server.process.pid), "unlimited"))


def limited_postgres(own_server) -> None:
    """The same with a PostgreSQL whose backends may not grow their files; its log and its WAL stay free."""
    server = own_server()
    calendar = new_calendar(server)
    calendar.put("a.ics", event()).expect(201)
    with psycopg.connect(server.database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relkind IN ('r', 't', 'i')"
        ).fetchone()
    size = (int(row[0]) if row else 0) + 200_000
    stop = threading.Event()

    def limit(value: str) -> None:
        with psycopg.connect(server.database, autocommit=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            limit_files([row[0] for row in connection.execute(query).fetchall()], value)

    def keep_limiting() -> None:
        while not stop.is_set():
            limit(f"{size}:unlimited")
            time.sleep(0.05)

    thread = threading.Thread(target=keep_limiting, daemon=True)
    thread.start()
    time.sleep(0.5)

    def more_space() -> None:
        stop.set()
        thread.join(10)
        limit("unlimited")

    fill_and_recover(server, more_space)


def fill_and_recover(server: ServerProcess, more_space) -> None:
    calendar = new_calendar(server)
    kept: dict[str, bytes] = {}
    refused = 0
    for number in range(400):
        body = event(more=f"DESCRIPTION:{secrets.token_hex(30_000)}")
        answer = calendar.put(f"{number}.ics", body)
        if answer.status == 201:
            kept[f"{number}.ics"] = body
        else:
            assert answer.status == 507 or (os.getuid() and answer.status == 503), (answer.status, answer.body[:300])
            refused += 1
            if refused >= 3:
                break
    assert refused, "the disk never was full"
    assert kept
    assert set(calendar.etags()) == set(kept)
    for name, body in list(kept.items())[-5:]:
        assert calendar.get(name).expect(200).body == body
    more_space()
    time.sleep(0.3)
    calendar.put("after.ics", event()).expect(201)
    assert set(calendar.etags()) == {*kept, "after.ics"}
    server.stop()
    server.start()
    calendar.client.close()
    assert set(calendar.etags()) == {*kept, "after.ics"}


def test_unsafe_database_is_refused(own_server, database: str) -> None:
    """F1: the server does not start on a PostgreSQL that may lose what it acknowledged; it says which settings."""
    if database == "sqlite":
        assert own_server().healthy()  # SQLite's durability is the server's own setting of each connection
        return
    postgres = start_postgres()
    try:
        server = own_server(run=False)
        server.database = postgres.new_database()
        done = server.command("migrate", check=False)
        assert done.returncode != 0 and "fsync" in done.stderr + done.stdout
        with pytest.raises(AssertionError):
            server.start(20)
        assert b"fsync" in server.log.read_bytes()
    finally:
        postgres.stop()


def test_brute_force(own_server) -> None:
    """F21: after a few wrong passwords further ones are refused without hashing; a device that knows it stays in."""
    server = own_server()
    device = server.client("user02")
    device.propfind(device.root, "D:resourcetype")
    headers = {"Depth": "0", "User-Agent": "attacker/1.0"}
    answers = []
    for number in range(60):
        attacker = Client(server.url, "user02", f"wrong {number}")
        answers.append(attacker.request("PROPFIND", "/dav/", None, headers))
        attacker.close()
    late = answers[20:]
    assert sum(answer.status == 429 for answer in late) >= 0.9 * len(late)
    assert max(answer.seconds for answer in late) < allowed(0.5)
    throttled = next(answer for answer in answers if answer.status == 429)
    assert throttled.header("Retry-After")
    device.propfind(device.root, "D:resourcetype")
    other = server.client("user03")
    other.propfind(other.root, "D:resourcetype")


def test_brute_force_over_many_accounts(own_server) -> None:
    """F21: wrong passwords for many names from one network are slowed too, and do not stop the event loop."""
    server = own_server(environment={"CALDAV_SERVER_AUTH_NETWORK_FAILURES": "20"})
    calendar = new_calendar(server)
    calendar.add("a.ics", event())
    stop = threading.Event()
    slowest = [0.0]

    def good() -> None:
        own = Calendar(server.client(), calendar.href)
        while not stop.is_set():
            slowest[0] = max(slowest[0], own.get("a.ics").expect(200).seconds)

    thread = threading.Thread(target=good, daemon=True)
    thread.start()

    def bad(number: int) -> list[int]:
        out = []
        for index in range(25):
            client = Client(server.url, f"nobody{number}-{index}", "wrong")
            out.append(client.request("PROPFIND", "/dav/", None, {"Depth": "0"}).status)
            client.close()
        return out

    statuses = [status for row in parallel(8, bad) for status in row]  # type: ignore[attr-defined]
    stop.set()
    thread.join(30)
    assert set(statuses) <= {401, 429, 503}
    assert statuses.count(429) > 100, statuses.count(429)
    assert slowest[0] < allowed(1.0), slowest


def signs_in(server: ServerProcess, user: str, password: str) -> bool:
    client = server.client(user, password)
    answer = client.request("PROPFIND", "/dav/", None, {"Depth": "0"})
    client.close()
    return answer.status == 207


def test_password_change_drops_the_cache(own_server) -> None:
    """Accounts: a changed password counts within a second, the old one no longer."""
    server = own_server()
    client = server.client("user04")
    client.propfind(client.root, "D:resourcetype")
    text = server.command("account", "app-password", "user04", "phone").stdout
    found = [word for word in re.findall(r"[A-Za-z0-9-]{12,}", text) if signs_in(server, "user04", word)]
    assert len(found) == 1, text
    (server.directory / "accounts.toml").write_text(
        '[[user]]\nname = "user04"\npassword = "a new one"\ndisplay_name = "User 04"\n', encoding="utf-8"
    )
    server.command("account", "import", str(server.directory / "accounts.toml"))
    time.sleep(1.6)
    client.request("PROPFIND", "/dav/", None, {"Depth": "0"}).expect(401)
    assert signs_in(server, "user04", "a new one")
    assert signs_in(server, "user04", found[0]), "an app password is not touched by a new account password"
    server.command("account", "app-password", "user04", "phone", "--remove")
    time.sleep(1.6)
    assert not signs_in(server, "user04", found[0])


def test_health_and_metrics(loaded_server) -> None:
    """Operations: /health answers without credentials, /metrics in Prometheus' format."""
    server = loaded_server()
    client = server.client()
    client.request("GET", "/health", auth=False).expect(200)
    client.propfind(client.root, "D:resourcetype")
    answer = client.request("GET", "/metrics", auth=False).expect(200)
    assert b"# TYPE" in answer.body
