"""The metrics of the other workers: each hands out its own on a private socket, and asks the others for theirs.

Whichever worker is asked for /metrics collects the numbers of all, so that one scrape through the shared port sees
the whole server. Rules of this module: a worker that does not answer is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from caldav_server.observability import metrics
from caldav_server.observability.metrics import Family
from caldav_server.services import Services
from caldav_server.serving.worker_info import WorkerInfo

ANSWER_SECONDS = 1.0


@contextlib.asynccontextmanager
async def shared_metrics(services: Services, info: WorkerInfo) -> AsyncIterator[None]:
    """While it lasts, this worker answers the others, and the process can ask them."""
    services.worker = info.name
    if info.count < 2:
        yield
        return

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            writer.write(metrics.encode(services.families()))
            await writer.drain()

    async def ask_all() -> list[tuple[str, list[Family]]]:
        others = [number for number in range(info.count) if number != info.number]
        answers = await asyncio.gather(*(_ask(info.socket(number)) for number in others))
        return [(str(number), found) for number, found in zip(others, answers, strict=True) if found is not None]

    server = await asyncio.start_unix_server(answer, info.socket(info.number))
    services.ask_peers = ask_all
    try:
        yield
    finally:
        server.close()


async def _ask(path: str) -> list[Family] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            with contextlib.closing(writer):
                return metrics.decode(await reader.read())
    except (OSError, TimeoutError, ValueError):  # starting, stopping or stuck; msgspec's errors are ValueErrors
        return None
