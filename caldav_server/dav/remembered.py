"""Answers given again: polls of a calendar in which nothing happened (keys carry ``seq``).

Clients ask the same question every few minutes, and nearly always nothing has changed. Such an answer depends on the
question, on who asks, and on the state of one calendar alone; it is given again while that state is the same. Nothing
is ever invalidated: the database is asked each time, on SQLite whether *anything* was committed since
(``Database.version``), otherwise for the calendar's row. So no answer is staler than the database, whichever process
wrote last. Handlers say with ``Call.reusable`` which answers qualify.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from caldav_server.dav.paths import Location, Place
from caldav_server.http.messages import Request, Response
from protocol.model import Calendar
from storage import lookups
from storage.database import Database

_ENTRIES = 4096
_LARGEST = 4096
"""Bytes of a question and of an answer worth remembering; with ``_ENTRIES`` it bounds the memory this takes."""
_METHODS = frozenset({"PROPFIND", "REPORT"})
_VARY = ("Depth", "Prefer", "Brief", "CalDAV-Timezones")

State = lookups.CalendarState


@dataclass(slots=True)
class _Entry:
    """One answer, the state it was made of, and the last version of the database known to be in that state."""

    response: Response
    state: State
    version: Hashable | None


def state_of(calendar: Calendar, accounts_version: int) -> State:
    """What an answer about one calendar depends on: its members, its own properties, which it is, who may see it."""
    return calendar.seq, calendar.home_seq, calendar.calendar_id, accounts_version


class Remembered:
    """The answers one process remembers, oldest forgotten first."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    async def answer(
        self,
        db: Database,
        request: Request,
        location: Location,
        limit: int,
        make: Callable[[], Awaitable[tuple[Response, State | None]]],
    ) -> Response:
        """The remembered answer if it still holds, else the one that ``make`` gives, with the state it depends on."""
        if location.place is not Place.COLLECTION or request.method not in _METHODS:
            return (await make())[0]
        principal, body, headers = request.principal, await request.read(limit), request.headers
        assert principal is not None  # noqa: S101 - the edge authenticates before it dispatches
        if len(body) > _LARGEST:
            return (await make())[0]
        asked = [tuple(headers.getall(name, ())) for name in _VARY]
        key = (principal.principal_id, request.method, request.raw_path, body, *asked)
        version = db.version()
        entry = self._entries.get(key)
        if entry is not None and await _holds(db, entry, location, version):
            remembered = entry.response
            return Response(remembered.status, dict(remembered.headers), remembered.body)
        response, state = await make()
        if state is not None and isinstance(response.body, bytes) and len(response.body) <= _LARGEST:
            self._keep(key, _Entry(Response(response.status, dict(response.headers), response.body), state, version))
        return response

    def _keep(self, key: Hashable, entry: _Entry) -> None:
        self._entries.pop(key, None)
        if len(self._entries) >= _ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry


async def _holds(db: Database, entry: _Entry, location: Location, version: Hashable | None) -> bool:
    if version is not None and entry.version == version:
        return True
    if await db.point(lookups.calendar_state(location.principal, location.collection)) != entry.state:
        return False
    entry.version = version
    return True
