"""What the helpers of the tests promise: a helper that cannot fail would hide what it should show."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from protocol.ical.document import parse_document
from testing.builders import BERLIN, event, journal, todo
from testing.cost import within
from testing.databases import CleanDatabases, new_sqlite
from testing.programs import ROOT


@pytest.mark.parametrize(("text", "status"), [("pytest.skip('no place')", 1), ("pass", 0)])
def test_a_run_with_a_skipped_test_fails(tmp_path: Path, text: str, status: int) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test_it():\n    {text}\n", encoding="utf-8")
    line = [sys.executable, "-m", "pytest", "-p", "testing.summary", "--rootdir", str(tmp_path), "-q", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("1  no place" in done.stdout) == bool(status)


def test_a_database_is_lent_again_when_it_is_as_it_was(clean_databases: CleanDatabases) -> None:
    state = "SELECT key, value FROM server_state ORDER BY key"
    url = clean_databases.take()
    with psycopg.connect(url) as connection:
        before = connection.execute(state).fetchall()
        connection.execute("UPDATE server_state SET value = 'x'")
    clean_databases.give_back(url)
    assert clean_databases.take() == url
    with psycopg.connect(url) as connection:
        assert connection.execute(state).fetchall() == before
        connection.execute("CREATE TABLE more (id int)")
    clean_databases.give_back(url)
    other = clean_databases.take()
    assert other != url
    clean_databases.give_back(other)


def test_files_of_sqlite_have_nothing_in_common(tmp_path: Path) -> None:
    assert new_sqlite(tmp_path / "a.db") != new_sqlite(tmp_path / "b" / "b.db")


def test_a_bound_on_cpu_can_fail() -> None:
    def busy() -> None:
        ends = time.process_time() + 0.1
        while time.process_time() < ends:
            pass

    assert not within(busy, 0.005)
    assert within(lambda: None, 0.005)


@pytest.mark.parametrize(
    "data",
    [event(), event("a", start="DTSTART;TZID=Europe/Berlin:20260105T100000", end="", zone=BERLIN), todo(), journal()],
)
def test_built_objects_need_no_repair(data: bytes) -> None:
    parsed = parse_document(data, strict=True)
    assert (parsed.data, parsed.repairs) == (data, ())
