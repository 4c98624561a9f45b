"""What the DAV face remembers between requests (dav.sessions)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from caldav_server.dav import sessions
from caldav_server.dav.sessions import Sessions
from caldav_server.http.messages import Request
from storage.bus import Bus
from testing.face import Face


async def test_each_device_of_a_person_keeps_what_was_worked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every login has a principal object of its own; taking turns must not mean asking the database each time."""
    face = await Face.make(tmp_path)
    kept = Sessions(face.db, face.settings, lambda _version: False, Bus())
    loaded: list[Any] = []
    load = sessions._load_actor

    def counted(tx: Any, principal: Any) -> Any:
        loaded.append(principal)
        return load(tx, principal)

    monkeypatch.setattr(sessions, "_load_actor", counted)
    devices = [replace(face.people["anna"]) for _ in range(3)]
    for _ in range(4):
        for device in devices:
            request = cast("Request", SimpleNamespace(principal=device, request_id="r"))
            assert (await kept.context(request)).actor.principal is device
    assert len(loaded) == 3
    face.db.close()
