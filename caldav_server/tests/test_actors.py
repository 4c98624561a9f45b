"""Who is asking: what is worked out once per login (calendaring.actors)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caldav_server.calendaring import actors
from caldav_server.calendaring.actors import Actors
from testing.face import Face


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
