"""The server under test as a process of its own, started through its command line like an operator would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from conformance_tests.client import Client
from testing.programs import ROOT, free_port

USERS = [f"user{number:02d}" for number in range(1, 11)]


def accounts_toml() -> str:
    """The accounts of every test: ten users, one whose display name is not ASCII, groups, rooms with delegates."""
    parts = [
        f'[[user]]\nname = "{name}"\npassword = "{name}"\ndisplay_name = "User {name[4:]}"\n'
        f'emails = ["{name}@example.com"]\ntime_zone = "Europe/Berlin"\nadmin = false\n'
        for name in USERS
    ]
    parts.append(
        '[[user]]\nname = "i18nuser"\npassword = "i18nuser"\ndisplay_name = "まだ"\n'
        'emails = ["i18nuser@example.com"]\ntime_zone = "Asia/Tokyo"\nadmin = false\n'
    )
    parts.append(
        '[[user]]\nname = "いろは"\npassword = "パス:ワード"\ndisplay_name = "いろは"\nemails = ["iroha@example.com"]\n'
    )
    for group, members in (("group01", ["user01"]), ("group02", ["user06", "user07"]), ("group03", ["user08"])):
        listed = ", ".join(f'"{member}"' for member in members)
        parts.append(f'[[group]]\nname = "{group}"\ndisplay_name = "Group {group[5:]}"\nmembers = [{listed}]\n')
    for number in range(1, 4):
        parts.append(
            f'[[room]]\nname = "location{number:02d}"\ndisplay_name = "Location {number:02d}"\n'
            f'emails = ["location{number:02d}@example.com"]\nwrite_delegates = ["user01"]\n'
            f'read_delegates = ["user03"]\nauto_accept = "automatic"\n'
        )
    parts.append('[[resource]]\nname = "resource01"\ndisplay_name = "Resource 01"\nwrite_delegates = ["user01"]\n')
    return "\n".join(parts)


class ServerProcess:
    """One server on one database; ``start`` returns when ``/health`` answers."""

    def __init__(
        self,
        directory: Path,
        database: str,
        *,
        workers: int = 1,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory, self.database, self.workers = directory, database, workers
        self.environment = environment or {}
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = directory / "server.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dav/"

    @property
    def env(self) -> dict[str, str]:
        path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
        return {**os.environ, "PYTHONPATH": path, "CALDAV_SERVER_DATABASE": self.database, **self.environment}

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line against this server's database."""
        line = [sys.executable, "-m", "caldav_server", *arguments]
        done = subprocess.run(line, env=self.env, cwd=self.directory, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def prepare(self) -> None:
        """Create the schema and the accounts."""
        accounts = self.directory / "accounts.toml"
        accounts.write_text(accounts_toml(), encoding="utf-8")
        self.command("migrate")
        self.command("account", "import", str(accounts))

    def start(self, seconds: float = 30) -> float:
        """Start serving; returns how long it took until the server answered, in seconds."""
        while self.healthy():  # somebody else took the port since it was chosen: theirs would answer for ours
            self.port = free_port()
        begun = time.monotonic()
        line = [sys.executable, "-m", "caldav_server", "serve", "--bind", f"127.0.0.1:{self.port}"]
        if self.workers > 1:
            line += ["--workers", str(self.workers)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                line, env=self.env, cwd=self.directory, stdout=log, stderr=log, start_new_session=True
            )
        while time.monotonic() - begun < seconds:
            if self.process.poll() is not None:
                break
            if self.healthy():
                return time.monotonic() - begun
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.tail()}")

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def tail(self, size: int = 4000) -> str:
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """kill -9 of the whole process group: what a power cut looks like to the programs."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
            self.process = None

    def stop(self, seconds: float = 20) -> int | None:
        """SIGTERM and wait; the exit status, or ``None`` when it had to be killed."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill_group()

    def kill_group(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def client(self, user: str = "user01", password: str | None = None, **more: float) -> Client:
        return Client(self.url, user, user if password is None else password, **more)

    def memory(self) -> int:
        """Resident bytes of the server's process and its children."""
        import psutil

        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in [parent, *parent.children(recursive=True)])
