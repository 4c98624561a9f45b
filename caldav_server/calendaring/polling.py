"""Has anything happened in this calendar? The one question of a repeated poll, asked without opening anything.

The answer to a poll is remembered for the viewer who asked. It holds while the state below is the same: the version of
the accounts in it also covers who may see the calendar.
"""

from __future__ import annotations

from collections.abc import Hashable

from caldav_server.calendaring.opening import OpenCalendar
from protocol.model import Calendar
from storage import lookups
from storage.database import Database
from storage.lookups import CalendarState

__all__ = ["CalendarState"]


def state_of(opened: OpenCalendar, calendar: Calendar | None = None) -> CalendarState:
    """What an answer about one calendar depends on; ``calendar`` is its row when it was read again since."""
    now = calendar or opened.calendar
    return now.seq, now.home_seq, now.calendar_id, opened.accounts_version


class Polls:
    """Asks a database whether anything changed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def database_version(self) -> Hashable | None:
        """On SQLite a value that changes with every commit by anybody; ``None`` where only a read can tell."""
        return self._db.version()

    async def is_unchanged(self, home: str, name: str, state: CalendarState) -> bool:
        """Whether the calendar of that name in a home is still in this state."""
        return await self._db.point(lookups.calendar_state(home, name)) == state
