"""One serving process: one event loop, one application, one edge, from start to graceful stop.

Rules of this module: sockets, files and the order of starting and stopping; no requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from caldav_server.app import FACES, Application
from caldav_server.faces import Face
from caldav_server.http.server import EdgeServer
from caldav_server.jobs import JOBS
from caldav_server.jobs.runner import Runner
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import open_database
from caldav_server.services import Services
from caldav_server.serving.peer_metrics import shared_metrics
from caldav_server.serving.worker_info import WorkerInfo
from caldav_server.settings import Settings, TlsSettings
from storage.bus import Bus

M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
"""The names of the parameters in glibc's malloc.h."""
ARENAS = 1
"""One heap for all threads: they hold the interpreter's lock when they allocate, so several only waste memory."""
LARGE_BLOCK = 4 * 1_048_576
SETTLE_SECONDS = 5.0
"""Jobs begin so long after the start, so that the first requests of waiting clients go first."""


def tls_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """The TLS context for direct serving, or ``None`` without a certificate; raises ``OSError`` on a bad file."""
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[settings.minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.certificate, settings.key or None)
    return context


def raise_file_limit(wanted: int) -> int:
    """Lets this process open as many files as the system allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = max(soft, min(hard, wanted + 1024)) if hard != resource.RLIM_INFINITY else max(soft, wanted + 1024)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def return_large_memory() -> None:
    """Makes the C library give large blocks back at once: each password hash takes 19 MiB for 20 milliseconds.

    Left alone, glibc learns from the first such block to keep the next ones for itself, once per hashing thread.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to tell it
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(M_ARENA_MAX, ARENAS)


def settle_memory() -> None:
    """After the start: what was loaded stays, so the collector need not look at it again; what was freed goes back."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Worker:
    """One serving process from start to stop."""

    def __init__(self, settings: Settings, info: WorkerInfo, faces: Sequence[Face] = FACES) -> None:
        self.settings = settings
        self.info = info
        self._faces = faces
        self._stop = asyncio.Event()
        self._log = logs.Log(settings.log, worker=info.number if info.count > 1 else None)
        self._tls: ssl.SSLContext | None = None

    def stop(self) -> None:
        """Begins the graceful stop."""
        self._stop.set()

    def reload(self) -> None:
        """Reads the certificate again and reopens the log; connections go on."""
        self._log.sink.reopen()
        if self._tls is not None:
            try:
                self._tls.load_cert_chain(self.settings.tls.certificate, self.settings.tls.key or None)
            except OSError as error:
                logs.get().error("the certificate could not be read again", error=str(error))
        logs.get().info("reloaded")

    def listen_to_signals(self, *, interrupt: bool) -> None:
        """SIGTERM (and SIGINT, from a terminal) stop, SIGHUP reloads; call it on the event loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGINT, self.stop if interrupt else lambda: None)

    @contextlib.asynccontextmanager
    async def _running_jobs(self, services: Services) -> AsyncIterator[Callable[[], None]]:
        """Runs jobs beside the requests, in the first process; yields what stops them."""
        if self.info.number > 0 or not self.settings.jobs.in_server:
            yield lambda: None
            return
        runner = Runner(services, JOBS)
        services.wake_jobs = runner.wake
        running = asyncio.create_task(runner.run(settle_seconds=SETTLE_SECONDS), name="jobs")
        try:
            yield runner.stop
        finally:
            runner.stop()
            await running

    async def run(self, ready: Callable[[str], None], shared: Sequence[socket.socket] = ()) -> None:
        """Serves until ``stop``; ``ready`` is called with the address in force once it accepts.

        ``shared`` are sockets that listen already, for several workers.
        """
        self._log.install()
        return_large_memory()
        settings = self.settings
        files = raise_file_limit(settings.limits.connections)
        if files < settings.limits.connections:
            logs.get().warning("the limit of open files is below the limit of connections", files=files)
        self._tls = tls_context(settings.tls)
        services = Services(settings, open_database(settings), self._log, Bus(settings.redis.url))
        app = Application(services, self._faces)
        try:
            await app.start()
            edge = EdgeServer(app, settings, self.info.balance)
            services.metrics.gauge("connections", "Connections that are open.", lambda: edge.connection_count)
            async with shared_metrics(services, self.info):
                settle_memory()
                address = edge.listen(settings.server.bind, tls=self._tls, shared=shared)
                logs.get().info("serving", address=address, database=services.db.dialect, tls=self._tls is not None)
                ready(address)
                async with self._running_jobs(services) as stop_jobs:
                    await self._stop.wait()
                    stop_jobs()
                    cut = await edge.drain(settings.server.graceful_seconds)
                logs.get().info("stopped", cut_off=cut)
        finally:
            await app.close()
