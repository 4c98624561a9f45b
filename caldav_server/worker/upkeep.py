"""Upkeep: once at the start and once a day, what ``calendaring.upkeep`` keeps up to date.

It runs in one process only, beside the requests, in short transactions; a failure is logged and tried again the next
day, because nothing a client asks depends on it: queries beyond the horizon are expanded on demand.
"""

from __future__ import annotations

import asyncio
import time
import zoneinfo
from pathlib import Path

import tzdata

from caldav_server.calendaring import upkeep
from caldav_server.observability import logs
from caldav_server.settings import Settings
from protocol.model import DAY
from storage.database import Database
from storage.errors import StorageError

_SETTLE_SECONDS = 5.0
"""After the start, so that the first requests of waiting clients go first."""


async def run(db: Database, settings: Settings) -> None:
    """Run until cancelled."""
    await asyncio.sleep(_SETTLE_SECONDS)
    while True:
        try:
            await once(db, settings, int(time.time()), await asyncio.to_thread(zone_data_version))
        except StorageError as error:
            logs.get().error("upkeep failed", kind=type(error).__name__, error=str(error))
        await asyncio.sleep(DAY)


async def once(db: Database, settings: Settings, now: int, zone_data: str) -> None:
    """One round of upkeep."""
    for each in await upkeep.rederive_zones(db, settings, now, zone_data):
        logs.get().warning(
            "times moved with the zone data", principal=each.principal, calendar=each.calendar, object=each.name
        )
    reindexed = await upkeep.reindex_older(db, settings, now)
    if reindexed:
        logs.get().info("indexes of an older version derived anew", objects=reindexed)
    forgotten = await upkeep.forget_unfinished(db, now)
    if forgotten:
        logs.get().info("unfinished copies of calendars forgotten", calendars=forgotten)
    extended = await upkeep.extend_horizon(db, settings, now)
    if extended:
        logs.get().info("horizon extended", objects=extended)


def zone_data_version() -> str:
    """What tells one state of the zone data from another: the package's release and the system's, if it has one."""
    parts = [tzdata.IANA_VERSION]
    for folder in zoneinfo.TZPATH:
        first = Path(folder, "tzdata.zi")
        if first.is_file():
            with first.open(encoding="utf-8") as lines:
                parts.append(lines.readline().strip())
            break
    return " ".join(parts)
