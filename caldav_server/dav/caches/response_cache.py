"""Answers given again: polls of a calendar in which nothing happened.

Clients ask the same question every few minutes, and nearly always nothing has changed. Such an answer depends on the
question, on who asks, and on the state of one calendar. It is given again while that state is the same. Nothing is ever
invalidated: the database is asked each time, on SQLite whether *anything* was committed since, otherwise for the
calendar's row. So no answer is older than the database, whichever process wrote last. Handlers say with
``Call.depends_on`` which answers qualify.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from caldav_server.calendaring.lens import lens_of_one
from caldav_server.calendaring.polling import CalendarState, Polls
from caldav_server.dav.caches.lensed import LensedCache
from caldav_server.dav.paths import Location, Place
from caldav_server.http.messages import Request, Response

_MOST_OCTETS = 16 * 1024 * 1024
_LARGEST = 4096
"""Octets of a question and of an answer that are worth remembering."""
_METHODS = frozenset({"PROPFIND", "REPORT"})
_VARY = ("Depth", "Prefer", "Brief", "CalDAV-Timezones")


@dataclass(slots=True)
class _Entry:
    """One answer, the state it was made of, and the last version of the database known to be in that state."""

    response: Response
    state: CalendarState
    version: Hashable | None


class ResponseCache:
    """The answers one process remembers."""

    def __init__(self, most_octets: int = _MOST_OCTETS) -> None:
        self._entries: LensedCache[_Entry] = LensedCache(most_octets)

    async def answer(
        self,
        polls: Polls,
        request: Request,
        location: Location,
        limit: int,
        make: Callable[[], Awaitable[tuple[Response, CalendarState | None]]],
    ) -> Response:
        """The remembered answer if it still holds, else the one that ``make`` gives, with the state it depends on."""
        if location.place is not Place.COLLECTION or request.method not in _METHODS:
            return (await make())[0]
        body, headers = await request.read(limit), request.headers
        asked = tuple(tuple(headers.getall(name, ())) for name in _VARY)
        if len(body) > _LARGEST or sum(len(text) for texts in asked for text in texts) > _LARGEST:
            return (await make())[0]
        lens = lens_of_one(request.viewer.principal_id)
        key = (request.method, request.base_path, request.raw_path, body, asked)
        version = polls.database_version()
        entry = self._entries.get(lens, key)
        if entry is not None and await _holds(polls, entry, location, version):
            known = entry.response
            return Response(known.status, dict(known.headers), known.body)
        response, state = await make()
        if state is not None and isinstance(response.body, bytes) and len(response.body) <= _LARGEST:
            kept = Response(response.status, dict(response.headers), response.body)
            self._entries.keep(lens, key, _Entry(kept, state, version), len(response.body) + _OF_RESPONSE)
        return response


_OF_RESPONSE = 2048
"""Octets of an answer beside its body: headers, state and version."""


async def _holds(polls: Polls, entry: _Entry, location: Location, version: Hashable | None) -> bool:
    if version is not None and entry.version == version:
        return True
    if not await polls.is_unchanged(location.principal, location.collection, entry.state):
        return False
    entry.version = version
    return True
