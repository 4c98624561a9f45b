"""Who is asking: what is worked out once per login (calendaring.actors)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caldav_server.accounts import accounts
from caldav_server.calendaring import actors
from caldav_server.calendaring.actors import Actors
from caldav_server.dav.face import DavFace
from caldav_server.faces import Handler
from caldav_server.http.messages import Request, Response
from storage.principals import set_delegates
from testing.edge import PASSWORD, basic, running
from testing.face import NAMESPACES, Face

SYNC = (
    f"<D:sync-collection {NAMESPACES}><D:sync-token/><D:sync-level>1</D:sync-level>"
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
).encode()


async def test_each_device_of_a_person_keeps_what_was_worked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every login has a principal object of its own; taking turns must not mean asking the database each time."""
    face = await Face.make(tmp_path)
    known = Actors(face.db)
    loaded: list[Any] = []
    load = actors.load_actor

    def counted(tx: Any, principal: Any) -> Any:
        loaded.append(principal)
        return load(tx, principal)

    monkeypatch.setattr(actors, "load_actor", counted)
    devices = [replace(face.people["anna"]) for _ in range(3)]
    for _ in range(4):
        for device in devices:
            assert (await known.find(device)).principal is device
    assert len(loaded) == 3
    face.db.close()


async def test_access_that_was_taken_away_ends_requests_under_way(tmp_path: Path) -> None:
    """A request that waits for its body while its delegation ends is refused, and leaves no answer for later ones.

    It is so even when another request has told the process of the change before.
    """
    made: list[Handler] = []

    async def face(request: Request) -> Response:
        return await made[0](request)

    path = "/dav/calendars/user/calendar/"
    headers = {"Authorization": basic("ben"), "Depth": "0"}
    async with running(tmp_path, face=face) as edge:
        made.append(DavFace(edge.app.services).answer)
        db = edge.app.services.db
        ben = accounts.new_principal("ben")
        await db.write(lambda tx: accounts.create(tx, ben, 0))
        hashed = edge.login.hasher.hash(PASSWORD)
        await db.write(lambda tx: accounts.set_password(tx, ben, hashed, 0))
        user = await db.read(lambda tx: accounts.find(tx, "user"))
        await db.write(lambda tx: set_delegates(tx, user.principal_id, [(ben.principal_id, False)]))
        client, other = await edge.connect(), await edge.connect()
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"REPORT {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len(SYNC)}\r\n\r\n"
        assert (await client.request("PROPFIND", path, headers)).status == 207
        await client.send(head.encode() + SYNC[:9])
        await asyncio.sleep(0.05)
        await db.write(lambda tx: set_delegates(tx, user.principal_id, []))
        assert (await other.request("PROPFIND", path, {"Depth": "0"})).status == 207
        await client.send(SYNC[9:])
        assert (await client.answer()).status == 403
        assert (await other.request("REPORT", path, headers, SYNC)).status == 403
