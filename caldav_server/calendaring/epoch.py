"""The epoch of a database: the part of every sync token that tells one history from another (RFC 6578 §3.2)."""

from __future__ import annotations

from storage import server_state
from storage.database import Database
from storage.ids import new_epoch


async def void_sync_tokens(db: Database) -> None:
    """Makes every sync token void; after a restore, clients may have seen changes that the database does not hold."""
    await db.write(lambda tx: server_state.set_epoch(tx, new_epoch()))
