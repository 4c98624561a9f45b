"""The quota of a home: how much text it may hold (RFC 4331).

Adding up the sizes of a home's calendars is slow. So a process that asks the database grants the home a sixty-fourth of
the room that is left, and asks again when the grant is used up or a minute old. Other processes may fill the home
meanwhile: the limit can be exceeded by what is left of the grants.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cachetools import FIFOCache

from protocol.errors import Condition, Refusal
from protocol.model import PrincipalId
from storage import calendars as stored_calendars
from storage.database import Transaction

_SHARE = 64
_GRANT_SECONDS = 60
"""How long a grant counts: others may have used the room since."""

_MAX_HOMES = 10_000
"""How many grants one process keeps; the oldest goes first."""


@dataclass(slots=True)
class _Grant:
    octets: int
    until: int


class Quota:
    """The octets of text that any home may hold; one per process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._grants: FIFOCache[PrincipalId, _Grant] = FIFOCache(_MAX_HOMES)
        self._lock = threading.Lock()
        """Units of work run in several threads."""

    def __reduce__(self) -> tuple[type[Quota], tuple[int]]:
        """A copy for another process (a parser of an import) has no grants."""
        return Quota, (self.limit,)

    def require_size(self, octets: int) -> None:
        """Refuse what would fill more than a whole home."""
        if octets > self.limit:
            raise _full()

    def require(self, tx: Transaction, principal_id: PrincipalId, more: int, now: int) -> None:
        """Refuse ``quota-not-exceeded`` when a home holds too much, ``more`` octets being new in this transaction.

        Call it after the calendar's size was changed. ``now``: epoch seconds.
        """
        if more <= 0:
            return
        with self._lock:
            grant = self._grants.get(principal_id)
            if grant is not None and grant.octets >= more and grant.until > now:
                grant.octets -= more
                return
        room = self.limit - stored_calendars.usage(tx, principal_id)[1]
        if room < 0:
            raise _full()
        with self._lock:
            self._grants[principal_id] = _Grant(room // _SHARE, now + _GRANT_SECONDS)


def _full() -> Refusal:
    return Refusal(Condition.QUOTA_NOT_EXCEEDED, "There is no room left in this calendar home.")
