"""The DAV face without sockets: requests go straight into ``DavFace`` over a real SQLite database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from caldav_server.calendaring import opening
from caldav_server.calendaring.actors import Actor
from caldav_server.calendaring.context import Context, Rules, StaleLogin
from caldav_server.calendaring.opening import OpenCalendar
from caldav_server.dav import refusals
from caldav_server.dav.face import DavFace
from caldav_server.http.messages import Request, Response
from caldav_server.observability import logs
from caldav_server.observability.instrumented_database import InstrumentedDatabase
from caldav_server.services import Services
from caldav_server.settings import Settings
from protocol.errors import Refusal
from protocol.model import Access, Principal, PrincipalId, PrincipalKind
from storage import principals
from storage.bus import Bus
from storage.database import Database
from storage.ids import new_id
from testing.databases import new_sqlite
from testing.edge import FixedBody, headers_of

NOW = 1_800_000_000
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="http://apple.com/ns/ical/"'


@dataclass
class Answer:
    """One answer with its whole body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def condition(self) -> str:
        """The local name of the first element in the error body."""
        found = re.search(r"<D:error[^>]*><\w+:([\w-]+)", self.text)
        return found.group(1) if found else ""

    def hrefs(self) -> dict[str, int]:
        """Each response's href with its status (200 where it has properties)."""
        found = {}
        for response in ElementTree.fromstring(self.body).iter("{DAV:}response"):
            status = response.findtext("{DAV:}status", "HTTP/1.1 200")
            found[response.findtext("{DAV:}href", "")] = int(status.split()[1])
        return found

    def token(self) -> str:
        """The last DAV:sync-token."""
        return [each.text or "" for each in ElementTree.fromstring(self.body).iter("{DAV:}sync-token")][-1]


@dataclass
class Face:
    """A DAV face over a database, with principals to ask as."""

    db: Database
    settings: Settings = field(default_factory=Settings)
    people: dict[str, Principal] = field(default_factory=dict)
    face: DavFace = field(init=False)
    asked: int = 0
    base_path: str = ""
    """Where clients see the server, as a proxy says."""

    def __post_init__(self) -> None:
        self.face = self.fresh()

    def fresh(self) -> DavFace:
        """A face like that of a process which has just started."""
        return DavFace(self.services())

    def services(self) -> Services:
        """What a process has that has just started."""
        return Services(self.settings, cast(InstrumentedDatabase, self.db), cast(logs.Log, None), Bus())

    @classmethod
    async def make(cls, folder: Path, *names: str, **settings: Any) -> Face:
        db = Database.open(new_sqlite(folder / "calendars.db"))
        made = cls(db, replace(Settings(), **settings))
        for name in names or ("anna",):
            await made.add(name)
        return made

    async def add(self, name: str, kind: PrincipalKind = PrincipalKind.USER, **more: Any) -> Principal:
        person = Principal(PrincipalId(new_id()), kind, name, name.title(), emails=(f"{name}@example.com",), **more)
        await self.db.write(lambda tx: principals.save(tx, person))
        self.people[name] = person
        return person

    def context(self, name: str = "anna", now: int = NOW) -> Context:
        """The means of a use-case, for tests below the face."""
        return Context(self.db, Rules.of(self.settings), Actor(self.people[name]), "test", now, lambda *_seen: None)

    async def open(self, calendar: str = "calendar", owner: str = "anna", who: str = "anna") -> OpenCalendar:
        """A calendar as a use-case gets it."""
        return await opening.calendar(self.context(who), owner, calendar)

    async def ask(
        self, method: str, path: str, body: str | bytes = b"", *, who: str = "anna", **headers: str
    ) -> Answer:
        """The answer with its whole body."""
        response = await self.send(method, path, body, who=who, **headers)
        content = response.body
        whole = content if isinstance(content, bytes) else b"".join([chunk async for chunk in content])
        return Answer(response.status, response.headers, whole)

    async def send(
        self, method: str, path: str, body: str | bytes = b"", *, who: str = "anna", **headers: str
    ) -> Response:
        """The answer as the face gives it: a long body is still to be made."""
        self.asked += 1
        data = body.encode() if isinstance(body, str) else body
        request = Request(
            method=method,
            raw_path=path,
            query_string="",
            headers=headers_of({name.replace("_", "-"): value for name, value in headers.items()}),
            reader=FixedBody(data),
            request_id=f"request-{self.asked}",
            remote="127.0.0.1",
            scheme="http",
            authority="calendar.example",
            base_path=self.base_path,
            principal=self.people[who],
        )
        try:
            try:
                return await self.face.answer(request)
            except StaleLogin:  # the application logs in anew
                request.principal = self.people[who] = replace(self.people[who])
                return await self.face.answer(request)
        except Refusal as refusal:
            return refusals.render(request, refusal)

    async def put(self, path: str, data: str | bytes, **headers: str) -> Answer:
        return await self.ask("PUT", path, data, Content_Type="text/calendar; charset=utf-8", **headers)

    async def sync(self, path: str, token: str = "", limit: int | None = None, **more: str) -> Answer:
        bound = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
        body = (
            f"<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
            f"{bound}<D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
        return await self.ask("REPORT", path, body, Depth="0", **more)

    async def query(self, path: str, inner: str, data: str = "<C:calendar-data/>") -> Answer:
        body = (
            f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/>{data}</D:prop>"
            f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter></C:calendar-query>'
        )
        return await self.ask("REPORT", path, body, Depth="1")


OWN = Access.OWN
