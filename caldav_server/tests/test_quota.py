"""The quota of a home (RFC 4331): exact where room is short, asked rarely where there is plenty."""

from __future__ import annotations

from typing import Any, cast

import pytest

from caldav_server.calendaring import quota
from caldav_server.calendaring.quota import Quota
from protocol.errors import Condition, Refusal
from protocol.model import PrincipalId
from storage.database import Transaction

HOME = PrincipalId("p")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A home's size, and how often it was added up."""
    state = {"size": 0, "asked": 0}

    def usage(_tx: Any, _principal_id: PrincipalId) -> tuple[int, int]:
        state["asked"] += 1
        return 0, state["size"]

    monkeypatch.setattr(quota.stored_calendars, "usage", usage)
    return state


def write(home: dict[str, int], rules: Quota, more: int, now: int = 0) -> None:
    home["size"] += more
    try:
        rules.require(cast("Transaction", None), HOME, more, now)
    except Refusal as refusal:
        home["size"] -= more
        assert refusal.condition is Condition.QUOTA_NOT_EXCEEDED
        raise


def test_processes_together_never_exceed_it(home: dict[str, int]) -> None:
    processes = [Quota(1_000_000) for _ in range(32)]
    refused = 0
    for n in range(3000):
        try:
            write(home, processes[n % 32], 500)
        except Refusal:
            refused += 1
    assert home["size"] == 1_000_000 and refused == 1000


def test_plenty_of_room_is_asked_about_once(home: dict[str, int]) -> None:
    rules = Quota(1 << 33)
    for _ in range(1000):
        write(home, rules, 1000)
    assert home["asked"] == 1
    write(home, rules, 1000, now=61)
    assert home["asked"] == 2


def test_grants_are_bounded(home: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "_MAX_HOMES", 2)
    rules = Quota(1 << 33)
    for name in ("a", "b", "c", "c", "b", "a"):
        rules.require(cast("Transaction", None), PrincipalId(name), 1, 0)
    assert home["asked"] == 4
    assert len(rules._grants) == 2


def test_less_text_is_always_welcome(home: dict[str, int]) -> None:
    write(home, Quota(10), 0)
    write(home, Quota(-1), -5)
    assert home["asked"] == 0
