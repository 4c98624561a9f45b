"""Jobs in real processes, on both databases: kill -9, several workers and a server at once, what operators see."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner

from caldav_server.cli import main
from caldav_server.serving.worker import SETTLE_SECONDS
from storage import jobs
from storage.database import Database, Transaction
from storage.ids import new_id
from storage.jobs import NOBODY, Job
from storage.migrations import runner as migrations
from testing.builders import event
from testing.edge import basic
from testing.postgres import PostgresServer, start_postgres
from testing.process import Server, environment, serving, wait_until

pytestmark = pytest.mark.slow

T = TypeVar("T")


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[PostgresServer]:
    """The program refuses a PostgreSQL without fsync."""
    server = start_postgres(durable=True)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with the schema."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/calendars.db"
    else:
        url = request.getfixturevalue("durable_postgres").new_database()
    db = Database.open(url)
    db.migrate()
    db.close()
    return url


def write(url: str, work: Callable[[Transaction], T]) -> T:
    db = Database.open(url, pool_size=1)
    try:
        return asyncio.run(db.write(work))
    finally:
        db.close()


def stored(url: str) -> list[Job]:
    return write(url, jobs.list_all)


def enqueue(url: str, kind: str, key: str = "k") -> None:
    write(url, lambda tx: jobs.enqueue(tx, NOBODY, kind, key, now=jobs.clock(tx)))


_WORKER = """
import asyncio, sys
from caldav_server.jobs.kind import JobKind
from caldav_server.jobs.runner import Runner
from caldav_server.observability.instrumented_database import InstrumentedDatabase
from caldav_server.services import Services
from caldav_server.settings import JobSettings, Settings
from dataclasses import replace
from storage.bus import Bus

async def slow(run):
    print("begun", run.job.attempts, flush=True)
    await asyncio.sleep(float(sys.argv[2]))
    print("done", flush=True)

async def main():
    db = InstrumentedDatabase.open(sys.argv[1])
    settings = replace(Settings(), jobs=JobSettings(poll_seconds=0.1))
    await Runner(Services(settings, db, None, Bus()), {"slow": JobKind("slow", slow, lease=3)}).run()

asyncio.run(main())
"""


def worker(url: str, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WORKER, url, str(seconds)], stdout=subprocess.PIPE, text=True)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_job_whose_process_is_killed_is_taken_over_when_its_lease_ends(database: str) -> None:
    enqueue(database, "slow")
    first, second = worker(database, 600), None
    try:
        assert read_line(first) == "begun 1"
        time.sleep(1.5)  # the lease is renewed at least once
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        killed = time.monotonic()
        (job,) = stored(database)
        assert job.lease is not None, "nobody gave it back"
        second = worker(database, 0)
        assert read_line(second) == "begun 2"
        assert time.monotonic() - killed > 0.5
        assert read_line(second) == "done"
        wait_until(lambda: not stored(database))
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait(10)


def alone(folder: Path, url: str, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "caldav_server", "worker"],
        cwd=folder,
        env=environment(folder, {"CALDAV_SERVER_DATABASE": url, **quick(log)}),
    )


def quick(log: Path) -> dict[str, str]:
    return {
        "CALDAV_SERVER_LOG_FILE": str(log),
        "CALDAV_SERVER_LOG_LEVEL": "debug",
        "CALDAV_SERVER_LOG_FORMAT": "json",
        "CALDAV_SERVER_JOBS_POLL_SECONDS": "0.3",
    }


def done_in(log: Path) -> list[str]:
    """The kinds of the jobs that a process says it did."""
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [str(line["job"]) for line in lines if "job done" in line.values()]


def test_recurring_jobs_run_once_in_two_servers_and_a_worker(database: str, tmp_path: Path) -> None:
    logs = [tmp_path / name for name in ("worker.log", "one.log", "two.log")]
    second = tmp_path / "second"
    second.mkdir()
    (second / "known").touch()
    extra = {"CALDAV_SERVER_DATABASE": database}
    process = alone(tmp_path, database, logs[0])
    try:
        with serving(tmp_path, extra=extra | quick(logs[1])), serving(second, extra=extra | quick(logs[2])):
            wait_until(lambda: logs[0].exists() and "running jobs" in logs[0].read_text())
            time.sleep(SETTLE_SECONDS + 1)
            wait_until(lambda: not stored(database))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
    done = Counter(kind for log in logs for kind in done_in(log))
    assert {kind: done[kind] for kind in ("horizon", "unfinished_copies", "pruning")} == {
        "horizon": 1,
        "unfinished_copies": 1,
        "pruning": 1,
    }
    assert done["zone_data"] >= 1 and done["old_indexes"] >= 1


def test_dead_jobs_are_listed_and_tried_again(database: str) -> None:
    def fail(tx: Transaction) -> None:
        for principal_id, kind, key in jobs.due(tx, ["broken"], now=1 << 40, limit=9):
            job = jobs.claim(tx, principal_id, kind, key, now=1 << 40, until=1 << 40, lease=new_id())
            assert job is not None
            jobs.fail(tx, job, error="OSError: the other side is deaf", due_at=None)

    enqueue(database, "broken", "a")
    enqueue(database, "broken", "b")
    write(database, fail)
    enqueue(database, "waiting")
    status, listed, _ = command(database, "jobs", "list")
    assert status == 0
    assert re.findall(r"^[0-9a-f]{32}  (\w+)", listed, re.MULTILINE) == ["dead", "dead", "waiting"]
    assert listed.count("OSError: the other side is deaf") == 2
    first = listed.split()[0]
    assert command(database, "jobs", "retry", first)[:2] == (0, "1 jobs are due again.\n")
    status, _, error = command(database, "jobs", "retry", first)
    assert status == 1 and "not dead" in error
    assert command(database, "jobs", "retry", "what")[0] == 1
    assert command(database, "jobs", "retry")[0] == 2
    dead = command(database, "jobs", "list", "--dead")[1]
    assert dead.count("dead") == 1 and first not in dead
    assert command(database, "jobs", "retry", "--all")[:2] == (0, "1 jobs are due again.\n")
    assert not any(job.dead for job in stored(database))


def command(url: str, *args: str) -> tuple[int, str, str]:
    """Run a command in this process: exit status, output, errors."""
    done = CliRunner().invoke(main, args, env={"CALDAV_SERVER_DATABASE": url})
    return done.exit_code, done.stdout, done.stderr


def age(url: str, **columns: Any) -> None:
    """Let a column of each named table be 1,000 days older."""
    made = migrations.engine(url)
    with made.begin() as connection:
        for table, column in columns.items():
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = {column} - 86400000")
    made.dispose()


def test_prune_says_what_went_and_metrics_say_what_there_was(database: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    extra = {"CALDAV_SERVER_DATABASE": database, "CALDAV_SERVER_JOBS_IN_SERVER": "false", **quick(log)}
    with serving(tmp_path, extra=extra) as server:
        began = time.monotonic()
        for summary in ("first", "second"):
            text = event("one", summary=summary)
            assert ask(server, "PUT", "one.ics", text)[0] in (201, 204)
        assert command(database, "prune")[1].startswith("0 previous texts deleted, 0 octets.")
        assert 'retained_rows{what="versions",when="after"} 1.0' in server.get("/metrics")[1].decode()
        age(database, versions="replaced_at")
        status, said, _ = command(database, "prune")
        assert (status, said.splitlines()[0]) == (
            0,
            f"1 previous texts deleted, {len(event('one', summary='first'))} octets.",
        )
        metrics = server.get("/metrics")[1].decode()
        time.sleep(max(0, SETTLE_SECONDS + 1 - (time.monotonic() - began)))
    assert done_in(log) == [], "this server was told to run no jobs"
    for line in (
        'caldav_server_retained_rows{what="versions",when="before"} 1.0',
        'caldav_server_retained_rows{what="versions",when="after"} 0.0',
        f'caldav_server_retained_octets{{what="versions",when="before"}} {float(len(event("one", summary="first")))}',
        'caldav_server_retained_rows{what="tombstones",when="after"} 0.0',
        'caldav_server_retained_rows{what="removed_calendars",when="after"} 0.0',
    ):
        assert line in metrics, metrics
    assert abs(float(re.findall(r"^caldav_server_pruned_at (\S+)", metrics, re.MULTILINE)[0]) - time.time()) < 60


SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)


def test_a_sync_token_from_before_pruning_is_refused_over_http(database: str, tmp_path: Path) -> None:
    """RFC 6578 §3.2: the precondition DAV:valid-sync-token, and a new start with an empty token."""
    extra = {"CALDAV_SERVER_DATABASE": database, "CALDAV_SERVER_JOBS_IN_SERVER": "false"}
    with serving(tmp_path, extra=extra) as server:
        ask(server, "PUT", "one.ics", event("one"))
        ask(server, "PUT", "two.ics", event("two"))
        token = re.findall("<D:sync-token>(.*?)</", ask(server, "REPORT", "", SYNC.format("").encode())[1])[0]
        ask(server, "DELETE", "one.ics")
        age(database, objects="modified_at")
        assert "1 tombstones deleted" in command(database, "prune")[1]
        status, body = ask(server, "REPORT", "", SYNC.format(token).encode())
        assert status == 403 and "<D:valid-sync-token" in body
        status, body = ask(server, "REPORT", "", SYNC.format("").encode())
        assert status == 207 and "two.ics" in body and "one.ics" not in body


def ask(server: Server, method: str, name: str, body: bytes = b"") -> tuple[int, str]:
    """The answer to a request for an object of the first account, or for its calendar."""
    url = f"{server.url}/dav/calendars/admin/calendar/{name}"
    request = urllib.request.Request(url, data=body, method=method)
    request.add_header("Authorization", basic("admin", server.password))
    request.add_header("Content-Type", "text/calendar" if method == "PUT" else "application/xml")
    request.add_header("Depth", "0")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
