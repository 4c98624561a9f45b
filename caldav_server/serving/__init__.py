"""The process model: ``serve`` runs one worker in this process, or watches several in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from caldav_server.serving.supervisor import Supervisor
from caldav_server.serving.worker import Worker, tls_context
from caldav_server.serving.worker_info import WorkerInfo
from caldav_server.settings import Settings

__all__ = ["serve", "tls_context"]


def _new_loop() -> asyncio.AbstractEventLoop:
    """The faster event loop where it is installed (extra ``fast``)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@contextlib.contextmanager
def _pid_file(path: str) -> Iterator[None]:
    """Writes the process id to a file while the server runs."""
    if path:
        Path(path).write_text(f"{os.getpid()}\n", encoding="ascii")
    try:
        yield
    finally:
        if path:
            Path(path).unlink(missing_ok=True)


def serve(settings: Settings, ready: Callable[[str], None]) -> int:
    """Serves until a signal says stop; ``ready`` gets the address in force. The exit status."""
    with _pid_file(settings.server.pid_file):
        if settings.server.workers > 1:
            return Supervisor(settings, run_child, ready).run()

        async def main() -> None:
            worker = Worker(settings, WorkerInfo())
            worker.listen_to_signals(interrupt=True)
            await worker.run(ready)

        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(main())
    return 0


def run_child(settings: Settings, info: WorkerInfo, shared: Sequence[socket.socket], pipe: Connection) -> None:
    """The main function of a worker process under a supervisor; the end of ``pipe`` stops it."""

    async def main() -> None:
        worker = Worker(settings, info)
        # Ctrl-C reaches every process of the terminal; only the supervisor acts on it
        worker.listen_to_signals(interrupt=False)
        asyncio.get_running_loop().add_reader(pipe.fileno(), worker.stop)
        await worker.run(pipe.send, shared)

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(main())
