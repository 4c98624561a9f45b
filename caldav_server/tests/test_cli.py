"""The commands, run as a user runs them."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from caldav_server.cli import main, parsers
from testing.builders import event
from testing.process import ROOT, environment
from testing.process import command as command_in_process


def command(folder: Path, *args: str, stdin: str = "") -> tuple[int, str, str]:
    """One command in this process: exit status, output, errors."""
    done = CliRunner().invoke(main, args, input=stdin, env=environment(folder), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    status, output, errors = command(tmp_path, "migrate")
    assert (status, errors) == (0, "")
    assert "up to date" in output
    return tmp_path


def run(folder: Path, *args: str, stdin: str = "") -> str:
    status, output, errors = command(folder, *args, stdin=stdin)
    assert status == 0, errors
    return output


def fails(folder: Path, *args: str) -> str:
    status, _, errors = command(folder, *args)
    assert status != 0
    assert "Traceback" not in errors
    return errors


def test_the_commands_of_the_manual_exist(tmp_path: Path) -> None:
    text = run(tmp_path, "--help")
    for name in ("serve", "migrate", "reindex", "check-config", "account", "calendar"):
        assert name in text
        assert "--config FILE" in run(tmp_path, name, "--help") or name in ("account", "calendar")
    listed = {"account": run(tmp_path, "account", "--help"), "calendar": run(tmp_path, "calendar", "--help")}
    assert all(name in listed["account"] for name in ("add", "list", "password", "app-password", "remove", "import"))
    assert all(name in listed["calendar"] for name in ("list", "create", "import", "export"))
    for option in ("--config", "--bind", "--database", "--workers"):
        assert option in run(tmp_path, "serve", "--help")


@pytest.mark.slow
def test_the_program_starts_as_a_module_and_loads_no_server_for_a_command(tmp_path: Path) -> None:
    status, output, errors = command_in_process(tmp_path, "account", "list")
    assert (status, output) == (1, "")
    assert "caldav-server migrate" in errors
    slow = ("aiohttp", "lxml", "alembic")
    used = "caldav_server.cli.account, caldav_server.accounts.accounts_file"
    code = f"import sys, {used}; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_check_config(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[server]\nbind = "127.0.0.1:9"\n[database]\nurl = "postgresql://me:hunter2@db/x"\n')
    output = run(tmp_path, "check-config", "--config", str(path), "--database", "postgresql://me:hunter2@db/y")
    assert "[server] bind = 127.0.0.1:9" in output
    assert "hunter2" not in output
    assert "valid" in output
    path.write_text("[server]\nbnid = 1\n")
    assert "[server] has no setting bnid" in fails(tmp_path, "check-config", "--config", str(path))
    path.write_text('[tls]\ncertificate = "/nowhere.pem"\n')
    assert "[tls] certificate" in fails(tmp_path, "check-config", "--config", str(path))
    assert "valid" in run(tmp_path, "check-config", "--config", str(ROOT / "config" / "caldav-server.toml"))


def test_a_command_before_migrate_says_what_to_do(tmp_path: Path) -> None:
    assert "caldav-server migrate" in fails(tmp_path, "account", "list")


def test_accounts_from_birth_to_death(folder: Path) -> None:
    assert "Its password is" in run(folder, "account", "add", "まだ", "--email", "mada@example.com", "--admin")
    assert "Added user user01." in run(folder, "account", "add", "user01", "--password", "p")
    assert "already an account" in fails(folder, "account", "add", "user01")
    assert "by capitals only" in fails(folder, "account", "add", "User01")
    assert "no colon" in fails(folder, "account", "add", "a:b")
    assert "addresses" in fails(folder, "account", "add", "other", "--email", "MADA@example.com")
    assert "no control characters" in fails(folder, "account", "add", "a\nb")
    listed = run(folder, "account", "list")
    assert "まだ (admin)" in listed
    assert "mada@example.com" in listed
    assert "is changed" in run(folder, "account", "password", "user01", "--password", "q")
    assert run(folder, "account", "app-password", "user01", "phone").startswith("app-")
    assert run(folder, "account", "app-password", "user01") == "phone\n"
    assert "Removed" in run(folder, "account", "app-password", "user01", "phone", "--remove")
    assert "no app password" in fails(folder, "account", "app-password", "user01", "phone", "--remove")
    assert "calendar\tcalendar\t0" in run(folder, "calendar", "list", "まだ")
    run(folder, "account", "remove", "まだ", "--yes")
    assert "まだ" not in run(folder, "account", "list")
    assert "no account" in fails(folder, "account", "password", "まだ", "--password", "x")


def test_an_accounts_file_is_imported_and_imported_again(folder: Path) -> None:
    path = ROOT / "config" / "accounts.toml"
    assert "4 created" in run(folder, "account", "import", str(path))
    assert "4 unchanged" in run(folder, "account", "import", str(path))
    changed = folder / "changed.toml"
    text = path.read_text(encoding="utf-8").replace('"User 01"', '"User One"').replace('["user01", "まだ"]', '["まだ"]')
    changed.write_text(text, encoding="utf-8")
    output = run(folder, "account", "import", str(changed))
    assert "2 updated" in output
    assert "updated   user user01" in output
    assert "updated   group group01" in output
    assert "no password" not in output
    assert "room     location01" in run(folder, "account", "list")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[user]]\nname = "a"\nnmae = "b"\n', "nmae"),
        ("[[user]]\nname = 5\n", "$.user[1].name"),
        ('[[group]]\nname = "g"\nmembers = ["nobody"]\n', "'g' names 'nobody'"),
        ('[[user]]\nname = "a"\n[[room]]\nname = "a"\n', "named twice"),
        ("[[user]", "bad.toml"),
    ],
)
def test_a_wrong_accounts_file_changes_nothing_and_is_explained(folder: Path, text: str, message: str) -> None:
    path = folder / "bad.toml"
    path.write_text('[[user]]\nname = "first"\npassword = "p"\n' + text, encoding="utf-8")
    errors = fails(folder, "account", "import", str(path))
    assert message in errors.replace("\n", " ")
    assert run(folder, "account", "list") == ""


def test_a_calendar_goes_out_and_in_again_without_a_change(folder: Path) -> None:
    run(folder, "account", "add", "user01", "--password", "p")
    run(folder, "calendar", "create", "user01", "work", "--color", "#FF0000", "--component", "VEVENT")
    assert "There is already" in run(folder, "calendar", "create", "user01", "work")
    source = folder / "in.ics"
    source.write_text("".join(event(f"uid-{n}", summary=f"Größe {n}").decode() for n in range(3)), encoding="utf-8")
    output = run(folder, "calendar", "import", "user01", "work", str(source))
    assert "created   uid-0" in output
    assert "3 created" in output
    assert "3 unchanged" in run(folder, "calendar", "import", "user01", "work", str(source))
    exported = folder / "out.ics"
    run(folder, "calendar", "export", "user01", "work", str(exported))
    assert exported.read_text(encoding="utf-8").count("BEGIN:VEVENT") == 3
    assert not (folder / "out.ics.part").exists()
    assert "3 unchanged" in run(folder, "calendar", "import", "user01", "work", str(exported))
    assert run(folder, "calendar", "export", "user01", "work").count("END:VCALENDAR") == 1
    assert "3 objects indexed" in run(folder, "reindex")
    assert "work\tcalendar\t3" in run(folder, "calendar", "list", "user01")
    assert "calendar create" in fails(folder, "calendar", "import", "user01", "other", str(source))


def test_what_an_import_refuses_is_told_and_the_rest_goes_in(folder: Path) -> None:
    run(folder, "account", "add", "user01", "--password", "p")
    text = (event("good") + event("bad").replace(b"DTSTART", b"DTSTRAT")).decode()
    status, output, _ = command(folder, "calendar", "import", "user01", "calendar", "-", stdin=text)
    assert "created   good" in output
    assert status == (1 if "refused" in output else 0)


def test_a_restored_database_has_another_epoch(folder: Path) -> None:
    def epoch() -> str:
        file = next(folder.rglob("*.db"))
        with contextlib.closing(sqlite3.connect(file)) as connection:
            return str(connection.execute("SELECT value FROM server_state WHERE key = 'epoch'").fetchone()[0])

    before = epoch()
    assert "void" in run(folder, "restored")
    assert epoch() not in ("", before)


@pytest.mark.slow
def test_a_large_import_is_parsed_by_processes_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def start(count: int, **options: object) -> ProcessPoolExecutor:
        started.append(count)
        return ProcessPoolExecutor(count, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(parsers, "ProcessPoolExecutor", start)
    monkeypatch.setattr(parsers, "PARALLEL_FROM", 3)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    run(folder, "account", "add", "user01", "--password", "p")
    text = b"".join(event(f"uid-{n}") for n in range(4)).decode()
    for became in ("4 created", "4 unchanged"):
        assert became in run(folder, "calendar", "import", "user01", "calendar", "-", stdin=text)
    assert started == [1, 1]
