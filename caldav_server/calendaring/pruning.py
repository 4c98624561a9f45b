"""Deletes what was kept long enough: previous texts, the content of removed calendars, tombstones.

The settings ``[retention]`` say how long. Every transaction is short: it deletes at most ``BATCH`` rows of a table.
Clients notice only a sync token from before a deleted tombstone, which is refused with ``DAV:valid-sync-token``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

from caldav_server.calendaring.upkeep import empty, principal_pages
from caldav_server.settings import Settings
from protocol.model import DAY, PrincipalId
from storage import pruning, server_state
from storage.database import Database, Transaction
from storage.pruning import Sizes

BATCH = 300
_NEVER = -1
"""Nothing is as old as this instant."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a complete pruning found and left, of all principals; ``at``: epoch seconds."""

    at: int = 0
    before: Sizes = field(default_factory=Sizes)
    after: Sizes = field(default_factory=Sizes)

    def plus(self, before: Sizes, after: Sizes) -> Report:
        """The same with one more principal."""
        return Report(self.at, self.before.plus(before), self.after.plus(after))

    def text(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Report:
        """A stored report; empty for an empty text."""
        if not text:
            return cls()
        found = json.loads(text)
        return cls(found["at"], Sizes(**found["before"]), Sizes(**found["after"]))


def keep_report(tx: Transaction, report: Report) -> None:
    """Store the report of a complete pruning."""
    server_state.set_pruning_report(tx, report.text())


def last_report(tx: Transaction) -> Report:
    """The report of the last complete pruning; empty before the first."""
    return Report.parse(server_state.pruning_report(tx))


async def prune_all(db: Database, settings: Settings, now: int, advance: Callable[[int], None]) -> Report:
    """Prune what every principal has; ``advance`` gets the number of principals of each step."""
    report = Report(now)
    async for page in principal_pages(db):
        for owner in page:
            report = report.plus(*await prune(db, settings, now, owner))
        advance(len(page))
    await db.write(lambda tx: keep_report(tx, report))
    return report


async def prune(db: Database, settings: Settings, now: int, owner: PrincipalId) -> tuple[Sizes, Sizes]:
    """Prune what a principal has; answers the sizes before and after."""
    before = await db.read(partial(pruning.sizes, principal_id=owner))
    retention = settings.retention
    deleted = await _previous_texts(db, owner, _limit(now, retention.previous_texts_days))
    deleted += await _removed_calendars(db, owner, _limit(now, retention.removed_calendars_days))
    deleted += await _tombstones(db, owner, _limit(now, retention.tombstones_days))
    return before, await db.read(partial(pruning.sizes, principal_id=owner)) if deleted else before


def _limit(now: int, days: int) -> int:
    """The instant up to which things are old enough; 0 days: nothing ever is."""
    return now - days * DAY if days else _NEVER


async def _previous_texts(db: Database, owner: PrincipalId, before: int) -> int:
    if not await db.read(partial(pruning.any_version, principal_id=owner, before=before)):
        return 0
    return await _repeat(db, partial(pruning.delete_versions, principal_id=owner, before=before, limit=BATCH))


async def _removed_calendars(db: Database, owner: PrincipalId, before: int) -> int:
    deleted = 0
    for calendar_id in await db.read(partial(pruning.removed_collections, principal_id=owner, before=before)):
        deleted += await empty(db, owner, calendar_id, BATCH)
    return deleted


async def _tombstones(db: Database, owner: PrincipalId, before: int) -> int:
    deleted = 0
    for calendar_id in await db.read(partial(pruning.calendars_with_tombstones, principal_id=owner, before=before)):
        some = partial(
            pruning.delete_tombstones, principal_id=owner, calendar_id=calendar_id, before=before, limit=BATCH
        )
        deleted += await _repeat(db, some)
    if await db.read(partial(pruning.any_home_tombstone, principal_id=owner, before=before)):
        some = partial(pruning.delete_home_tombstones, principal_id=owner, before=before, limit=BATCH)
        deleted += await _repeat(db, some)
    return deleted


async def _repeat(db: Database, some: Callable[[Transaction], int]) -> int:
    """Run a deletion until it finds nothing more; answers the number of rows."""
    deleted = 0
    while step := await db.write(some):
        deleted += step
    return deleted
