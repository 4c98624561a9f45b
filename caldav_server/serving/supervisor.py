"""Several workers and the process that watches them.

The watching process listens and hands its sockets down; workers are started fresh (spawned: a fork would copy threads'
locks). A worker that dies is started again, with a pause that grows while it keeps dying; what waited for it is
accepted by the others. A worker notices the death of the watching process by the end of its pipe, and stops.
Rules of this module: processes and signals; it never touches the database.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from caldav_server.http import accepting
from caldav_server.http.load_balancing import Counts, no_workers
from caldav_server.observability import logs
from caldav_server.serving.worker_info import WorkerInfo
from caldav_server.settings import Settings

LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 60.0
KILL_AFTER_SECONDS = 5.0
"""How much longer than the graceful stop a worker may take before it is killed."""

Main = Callable[[Settings, WorkerInfo, Sequence[socket.socket], Connection], None]


@dataclass(slots=True)
class _Child:
    info: WorkerInfo
    process: SpawnProcess | None = None
    pipe: Connection | None = None
    started: float = 0.0
    restart_at: float = 0.0
    pause: float = 0.1
    is_ready: bool = False


@dataclass(slots=True)
class _Signals:
    """Signals as data: the handlers only note, the loop acts."""

    stop: bool = False
    reload: bool = False
    wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def install(self) -> None:
        for end in self.wake:
            end.setblocking(False)
        signal.set_wakeup_fd(self.wake[1].fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, *_: object) -> None:
        self.stop = True

    def _on_reload(self, *_: object) -> None:
        self.reload = True


class Supervisor:
    """Keeps as many workers alive as the settings ask for."""

    def __init__(self, settings: Settings, main: Main, ready: Callable[[str], None]) -> None:
        self._settings = settings
        self._main = main
        self._ready = ready
        self._spawn = multiprocessing.get_context("spawn")
        self._signals = _Signals()

    def run(self) -> int:
        """Starts the workers and watches them until a signal; the exit status."""
        logs.Log(self._settings.log).install()
        server = self._settings.server
        listening = accepting.listen(server.bind, server.backlog)
        self._signals.install()
        with tempfile.TemporaryDirectory(prefix="caldav-server-") as folder:
            counts = cast(Counts, self._spawn.RawArray(ctypes.c_uint32, no_workers(server.workers)))
            infos = [WorkerInfo(number, server.workers, folder, counts) for number in range(server.workers)]
            children = [_Child(info) for info in infos]
            for child in children:
                self._start(child, listening)
            status = self._watch(children, listening)
            for each in listening:
                each.close()
            self._stop_all(children)
        accepting.remove_path(server.bind)
        return status

    def _start(self, child: _Child, listening: Sequence[socket.socket]) -> None:
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(
            target=self._main, args=(self._settings, child.info, listening, theirs), daemon=False
        )
        process.start()
        theirs.close()
        child.process, child.pipe, child.started = process, ours, time.monotonic()

    def _watch(self, children: list[_Child], listening: Sequence[socket.socket]) -> int:
        """Until a signal, or until a worker fails before the server was ever ready."""
        announced = False
        while not self._signals.stop:
            pipes = [child.pipe for child in children if child.pipe is not None]
            sentinels = [child.process.sentinel for child in children if child.process is not None]
            due = [child.restart_at for child in children if child.process is None]
            timeout = max(0.0, min(due) - time.monotonic()) if due else None
            wait([*pipes, *sentinels, self._signals.wake[0]], timeout)
            self._read_wakeups(children)
            for child in children:
                self._read_pipe(child)
                if child.process is not None and child.process.exitcode is not None:
                    if not announced:
                        return child.process.exitcode or 1
                    self._plan_restart(child)
                elif child.process is None and time.monotonic() >= child.restart_at and not self._signals.stop:
                    self._start(child, listening)
            if not announced and all(child.is_ready for child in children):
                announced = True
                self._ready(accepting.address_in_force(self._settings.server.bind, listening))
        return 0

    def _read_wakeups(self, children: list[_Child]) -> None:
        try:
            while self._signals.wake[0].recv(4096):
                pass
        except BlockingIOError:
            pass
        if self._signals.reload:
            self._signals.reload = False
            for child in children:
                if child.process is not None and child.process.pid is not None:
                    os.kill(child.process.pid, signal.SIGHUP)

    @staticmethod
    def _read_pipe(child: _Child) -> None:
        try:
            while child.pipe is not None and child.pipe.poll():
                child.pipe.recv()
                child.is_ready = True
        except (EOFError, OSError):
            if child.pipe is not None:
                child.pipe.close()
            child.pipe = None

    @staticmethod
    def _plan_restart(child: _Child) -> None:
        """Clears what is left of a dead worker."""
        if child.process is None:
            return
        status = child.process.exitcode
        lived = time.monotonic() - child.started
        child.pause = 0.1 if lived > SETTLED_SECONDS else min(LONGEST_PAUSE, child.pause * 2)
        child.restart_at = time.monotonic() + child.pause
        logs.get().error(
            "a worker died", number=child.info.number, status=status, lived=round(lived, 1), restart_in=child.pause
        )
        child.process.close()
        child.process = None
        child.info.balance.close()
        if child.pipe is not None:
            child.pipe.close()
            child.pipe = None

    def _stop_all(self, children: list[_Child]) -> None:
        alive = [child.process for child in children if child.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + self._settings.server.graceful_seconds + KILL_AFTER_SECONDS
        for process in alive:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
