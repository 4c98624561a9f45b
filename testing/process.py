"""The real program as a child process, for tests of its commands and its process model."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from testing.edge import basic
from testing.programs import ROOT

QUICK_HASHES = {"CALDAV_SERVER_AUTH_ARGON2_MEMORY_KIB": "64", "CALDAV_SERVER_AUTH_ARGON2_TIME": "1"}
READY = re.compile(r"ready on (\S+)")


def environment(folder: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALDAV_SERVER_")}
    mine = {"PYTHONPATH": str(ROOT), "CALDAV_SERVER_DATABASE": f"sqlite:///{folder}/data/test.db"}
    return inherited | mine | QUICK_HASHES | (extra or {})


def command(folder: Path, *args: str, stdin: str = "", extra: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Runs one command to its end: exit status, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "caldav_server", *args],
        cwd=folder,
        env=environment(folder, extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    output: str
    log: Path

    @property
    def password(self) -> str:
        found = re.search(r"Password +(\S+)", self.output)
        assert found is not None
        return found.group(1)

    def get(self, path: str, *, name: str = "admin", password: str = "") -> tuple[int, bytes]:
        request = urllib.request.Request(self.url + path)
        if password:
            request.add_header("Authorization", basic(name, password))
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def workers(self) -> list[psutil.Process]:
        """The worker processes, without the helper that Python starts for spawned ones."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextlib.contextmanager
def serving(folder: Path, args: Sequence[str] = (), extra: dict[str, str] | None = None) -> Iterator[Server]:
    """``caldav-server serve`` on a free port; stopped at the end if the test did not."""
    log = folder / "server.log"
    settings = {"CALDAV_SERVER_BIND": "127.0.0.1:0", "CALDAV_SERVER_LOG_FILE": str(log)} | (extra or {})
    process = subprocess.Popen(
        [sys.executable, "-m", "caldav_server", "serve", *args],
        cwd=folder,
        env=environment(folder, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output, found = "", None
    try:
        for line in process.stdout:
            output += line
            found = found or READY.search(line)
            if found and ("More accounts" in line or (folder / "known").exists()):
                break
        assert found is not None, output
        (folder / "known").touch()
        yield Server(process, found.group(1), output, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(20)
        process.stdout.close()


def wait_until(what: object, seconds: float = 60.0) -> None:
    """Waits for a condition, a function without arguments."""
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
