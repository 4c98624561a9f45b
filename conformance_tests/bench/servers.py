"""The servers that are measured, each started on loopback in a folder of its own and stopped again.

Ours on SQLite (synchronous=FULL, its default) and on a PostgreSQL with fsync and synchronous_commit on; Radicale and
Xandikos with their defaults, where they are installed; the floor.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from conformance_tests.bench import cpu
from conformance_tests.bench.wire import Address
from testing.programs import ROOT, free_port

START_SECONDS = 60
PEERS = ("radicale", "xandikos")


@dataclass
class Server:
    """A running server: where it is, which processes are its own, and what may be asked of it."""

    name: str
    address: Address
    home: str
    """The path of the user's calendar home."""
    process: subprocess.Popen[bytes]
    database: str = ""
    """The address of the database, for ours."""
    verbatim: bool = False
    """Whether it answers with the very bytes that were stored."""
    others: list[int] = field(default_factory=list)
    """Further process trees whose CPU counts: the database's."""
    stops: list[Callable[[], None]] = field(default_factory=list)
    again: Callable[[], subprocess.Popen[bytes]] | None = None
    """Starts its process once more."""

    @property
    def roots(self) -> list[int]:
        """The process trees that are the server."""
        return [self.process.pid, *self.others]

    def cpu(self) -> float:
        """Seconds of CPU used so far, the database's included."""
        return cpu.seconds(self.roots)

    def restart(self) -> None:
        """Ends the server's process and starts another one in its place."""
        assert self.again is not None
        self.end()
        self.process = self.again()

    def stop(self) -> None:
        """Ends the server, then what it stood on."""
        self.end()
        for stop in self.stops:
            stop()

    def end(self) -> None:
        """Ends the server's process."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)


def spawn(folder: Path, line: list[str], port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a program and wait until something accepts connections on the port."""
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            line,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return process
        time.sleep(0.05)
    process.kill()
    tail = (folder / "server.log").read_bytes()[-2000:].decode(errors="replace")
    raise RuntimeError(f"{line}: did not start\n{tail}")


def start_ours(
    folder: Path, name: str, url: str, *, workers: int = 1, environment: dict[str, str] | None = None
) -> Server:
    """Our server on a database that is still empty: the first account, which it makes then, is the user."""
    port = free_port()
    line = [sys.executable, "-m", "caldav_server", "serve", "--bind", f"127.0.0.1:{port}"]
    if workers > 1:
        line += ["--workers", str(workers)]
    again = partial(spawn, folder, line, port, {"CALDAV_SERVER_DATABASE": url, **(environment or {})})
    process = again()
    user, password = _first_account(folder / "server.log")
    address = Address("127.0.0.1", port, user, password)
    return Server(name, address, f"/dav/calendars/{user}/", process, url, verbatim=True, again=again)


def _first_account(log: Path) -> tuple[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = re.search(r"User name\s+(\S+)\s+Password\s+(\S+)", log.read_text(errors="replace"))
        if found:
            return found[1], found[2]
        time.sleep(0.05)
    raise RuntimeError(f"{log}: the server made no first account")


def start_sqlite(folder: Path) -> Server:
    """Our server on SQLite."""
    folder.mkdir(parents=True, exist_ok=True)
    return start_ours(folder, "sqlite", f"sqlite:///{folder / 'caldav.db'}")


def start_postgresql(folder: Path, *, workers: int = 1) -> Server:
    """Our server on a PostgreSQL of its own, durable."""
    from testing.postgres import start_postgres

    folder.mkdir(parents=True, exist_ok=True)
    postgres = start_postgres(folder / "postgres", durable=True)
    try:
        server = start_ours(folder, "postgresql", postgres.new_database(), workers=workers)
    except BaseException:
        postgres.stop()
        raise
    server.others.append(postgres.pid)
    server.stops.append(postgres.stop)
    return server


def start_floor(folder: Path, body: bytes) -> Server:
    """The bare handler, answering ``body``."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "body").write_bytes(body)
    line = [sys.executable, "-m", "conformance_tests.bench.floor", str(port), str(folder / "body")]
    return Server("floor", Address("127.0.0.1", port, "admin", "0123456789abcdef"), "/", spawn(folder, line, port, {}))


def start_radicale(folder: Path, program: Path) -> Server:
    """Radicale with plain passwords in a file, else as it comes."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "users").write_text("bench:bench\n")
    (folder / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\nhtpasswd_encryption = plain\n"
        f"[storage]\nfilesystem_folder = {folder / 'data'}\n[logging]\nlevel = error\n"
    )
    process = spawn(folder, [str(program), "--config", str(folder / "config")], port, {})
    return Server("radicale", Address("127.0.0.1", port, "bench", "bench"), "/bench/", process)


def start_xandikos(folder: Path, program: Path) -> Server:
    """Xandikos as it comes; it knows no passwords."""
    port = free_port()
    line = [str(program), "serve", "-d", str(folder / "data"), "-l", "127.0.0.1", "-p", str(port)]
    line += ["--defaults", "--current-user-principal", "/bench/", "--no-detect-systemd"]
    process = spawn(folder, line, port, {})
    return Server("xandikos", Address("127.0.0.1", port, "bench", "bench"), "/bench/calendars/", process)


OURS: dict[str, Callable[[Path], Server]] = {"sqlite": start_sqlite, "postgresql": start_postgresql}
OTHERS: dict[str, Callable[[Path, Path], Server]] = {"radicale": start_radicale, "xandikos": start_xandikos}


def installed_peers(folder: Path | None) -> Iterator[tuple[str, Path]]:
    """The peers that are installed in a virtual environment: the given one, or that of this program."""
    programs = folder / "bin" if folder else Path(sys.executable).parent
    for name in PEERS:
        if (programs / name).exists():
            yield name, programs / name
