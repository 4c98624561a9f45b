"""The real-world files of the tests, in $CALDAV_SHARED or in a folder beside the checkout; they may be absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SHARED = Path(os.environ.get("CALDAV_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")


def files(shard: int = 0, of: int = 1) -> Iterator[tuple[str, bytes]]:
    """Name and content of every corpus file, or of those in one shard of several."""
    folder = SHARED / "corpus"
    for path in sorted(folder.rglob("*.ics"))[shard::of]:
        yield str(path.relative_to(folder)), path.read_bytes()
