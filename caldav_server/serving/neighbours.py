"""How the workers of one server find each other: a private folder with one socket per worker.

Only metrics travel here: whichever worker is asked for /metrics collects the numbers of all, so that a scrape through
the shared port sees the whole server. Rules of this module: a neighbour that does not answer is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, MutableSequence
from dataclasses import dataclass, field
from pathlib import Path

from caldav_server.observability import metrics
from caldav_server.observability.metrics import Family
from caldav_server.services import Services

ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker of how many this is, and where the workers meet."""

    number: int = 0
    count: int = 1
    folder: str = ""
    counts: MutableSequence[int] | None = field(default=None, repr=False, compare=False)
    """The table of ``spreading`` that several workers share."""

    @property
    def name(self) -> str:
        """The label of this worker in logs and metrics; empty when it is the only one."""
        return str(self.number) if self.count > 1 else ""

    def socket(self, number: int) -> str:
        """The private socket on which a worker hands out its numbers."""
        return str(Path(self.folder) / f"worker-{number}.sock")


@contextlib.asynccontextmanager
async def meeting(services: Services, place: Place) -> AsyncIterator[None]:
    """While it lasts, this worker answers its neighbours and the process can ask them."""
    services.worker = place.name
    if place.count < 2:
        yield
        return

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            writer.write(metrics.encode(services.families()))
            await writer.drain()

    async def ask_all() -> list[tuple[str, list[Family]]]:
        others = [number for number in range(place.count) if number != place.number]
        answers = await asyncio.gather(*(_ask(place.socket(number)) for number in others))
        return [(str(number), found) for number, found in zip(others, answers, strict=True) if found is not None]

    server = await asyncio.start_unix_server(answer, place.socket(place.number))
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
