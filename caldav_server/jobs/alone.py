"""A process that runs jobs and serves no requests: ``caldav-server worker``."""

from __future__ import annotations

import asyncio
import signal

from caldav_server.jobs import JOBS
from caldav_server.jobs.runner import Runner
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import open_database
from caldav_server.services import Services
from caldav_server.settings import Settings
from storage.bus import Bus


async def run_alone(settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT; SIGHUP opens the log file again."""
    log = logs.Log(settings.log)
    log.install()
    services = Services(settings, open_database(settings), log, Bus(settings.redis.url))
    try:
        services.db.require_schema()
        await services.bus.start()
        runner = Runner(services, JOBS)
        services.wake_jobs = runner.wake
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, runner.stop)
        loop.add_signal_handler(signal.SIGHUP, log.sink.reopen)
        logs.get().info("running jobs", database=services.db.dialect)
        await runner.run()
        logs.get().info("stopped")
    finally:
        await services.bus.close()
        services.db.close()
        log.sink.flush()
