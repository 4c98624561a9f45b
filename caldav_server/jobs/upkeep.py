"""The handlers of upkeep: each visits all principals, in short transactions."""

from __future__ import annotations

import asyncio
import zoneinfo
from functools import partial
from pathlib import Path

import tzdata

from caldav_server.calendaring import upkeep
from caldav_server.calendaring.pruning import Report, keep_report, prune
from caldav_server.jobs.each_principal import for_each_principal
from caldav_server.jobs.kind import Last, Run
from caldav_server.observability import logs
from protocol.ical.index import INDEX_VERSION
from protocol.model import PrincipalId
from storage import principals, server_state
from storage.database import Transaction
from storage.jobs import NOBODY


class OtherVersion(Exception):
    """The job is for a process of another version: a later attempt may meet one."""


async def horizon(run: Run) -> None:
    """Index endless series further ahead."""

    async def one(owner: PrincipalId) -> None:
        done = await upkeep.extend_horizon(run.db, run.settings, run.now, owner)
        if done:
            logs.get().info("horizon extended", principal=owner.hex(), objects=done)

    await for_each_principal(run, one)


async def unfinished_copies(run: Run) -> None:
    """Delete copies of calendars that nobody finished."""

    async def one(owner: PrincipalId) -> None:
        done = await upkeep.forget_unfinished(run.db, run.now, owner)
        if done:
            logs.get().info("unfinished copies of calendars deleted", principal=owner.hex(), calendars=done)

    await for_each_principal(run, one)


async def zone_data(run: Run) -> Last | None:
    """Derive every index again after a change of the zone data; the log names the objects that moved."""
    version = await asyncio.to_thread(zone_data_version)
    if run.job.key != version:
        raise OtherVersion(f"this process has the zone data {version}, the job is for {run.job.key}")
    if run.job.principal_id == NOBODY and await run.db.point(server_state.zone_data) == version:
        return None
    await for_each_principal(run, partial(_reindex, run, warn=True))

    def last(tx: Transaction) -> None:
        server_state.set_zone_data(tx, version)
        upkeep.all_indexes_are_current(tx)

    return last if run.job.principal_id == NOBODY else None


async def old_indexes(run: Run) -> Last | None:
    """Derive every index again that an older version of the server made."""
    if run.job.key != index_version():
        raise OtherVersion(f"this process makes indexes of version {INDEX_VERSION}, the job is for {run.job.key}")
    if run.job.principal_id == NOBODY and await run.db.point(server_state.index_version) >= INDEX_VERSION:
        return None
    await for_each_principal(run, partial(_reindex, run, warn=False))
    return upkeep.all_indexes_are_current if run.job.principal_id == NOBODY else None


async def _reindex(run: Run, owner: PrincipalId, *, warn: bool) -> None:
    moved = await upkeep.reindex(run.db, run.settings, run.now, owner)
    principal = await run.db.point(partial(principals.get, principal_id=owner)) if moved and warn else None
    if principal is not None:
        for each in moved:
            logs.get().warning(
                "times moved with the zone data", principal=principal.name, calendar=each.calendar, object=each.name
            )


async def pruning(run: Run) -> Last | None:
    """Delete what was kept long enough, and store how much there was and is."""
    kept = run.payload.get("report")
    report = Report.parse(kept) if kept else Report(run.now)

    async def one(owner: PrincipalId) -> None:
        nonlocal report
        report = report.plus(*await prune(run.db, run.settings, run.now, owner))
        run.payload["report"] = report.text()

    await for_each_principal(run, one)
    return partial(keep_report, report=report) if run.job.principal_id == NOBODY else None


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


def index_version() -> str:
    """The version of the indexes that this process makes."""
    return str(INDEX_VERSION)
