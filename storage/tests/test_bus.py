"""Announcements and counters, with a real Redis, with a frozen one and with none (F9)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from protocol.model import CalendarId, PrincipalId, Seq
from storage.bus import Bus
from testing.programs import free_port
from testing.redis import RedisServer, start_redis

PID, CID = PrincipalId(b"p" * 16), CalendarId(b"c" * 16)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


class Heard(list[tuple[object, ...]]):
    gaps = 0

    def __call__(self, *announcement) -> None:
        self.append(announcement)

    def gap(self) -> None:
        self.gaps += 1


@pytest.fixture
async def pair(redis: RedisServer) -> AsyncIterator[tuple[Bus, Bus]]:
    both = Bus(redis.url), Bus(redis.url)
    for bus in both:
        await bus.start()
    await until(lambda: all(bus.connected for bus in both))
    yield both
    for bus in both:
        await bus.close()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


async def test_without_redis_one_process_is_complete() -> None:
    bus, heard = Bus(), Heard()
    bus.listen(heard, heard.gap)
    await bus.start()
    bus.announce(PID, CID, Seq(7))
    assert heard == [(PID, CID, 7)]
    assert [await bus.count("a", 60) for _ in range(3)] == [1, 2, 3]
    await bus.reset("a")
    assert await bus.count("a", 60) == 1
    assert not bus.connected
    await bus.close()


async def test_a_counter_ends_with_its_window() -> None:
    now = [0.0]
    bus = Bus(clock=lambda: now[0])
    assert [await bus.count("a", 10) for _ in range(2)] == [1, 2]
    now[0] = 9.9
    assert await bus.count("a", 10) == 3
    now[0] = 10.0
    assert await bus.count("a", 10) == 1


async def test_counters_are_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.bus._MAX_COUNTERS", 3)
    bus = Bus()
    assert [await bus.count(key, 60) for key in ("a", "b", "a", "c", "d")] == [1, 1, 2, 1, 1]
    assert len(bus._counts) == 3
    assert await bus.count("a", 60) == 3
    assert await bus.count("b", 60) == 1


async def test_others_hear_once_and_in_order(pair: tuple[Bus, Bus]) -> None:
    mine, theirs = Heard(), Heard()
    pair[0].listen(mine, mine.gap)
    pair[1].listen(theirs, theirs.gap)
    for seq in range(100):
        pair[0].announce(PID, CID, Seq(seq))
    assert len(mine) == 100
    await until(lambda: len(theirs) >= 100)
    await asyncio.sleep(0.05)
    assert theirs == mine == [(PID, CID, seq) for seq in range(100)]


async def test_accounts_and_calendars_are_told_apart(pair: tuple[Bus, Bus]) -> None:
    calendars, accounts, own = Heard(), Heard(), Heard()
    pair[1].listen(calendars, calendars.gap)
    pair[1].listen_to_accounts(accounts, accounts.gap)
    pair[0].listen_to_accounts(own, own.gap)
    pair[0].announce_accounts(7)
    pair[0].announce(PID, CID, Seq(8))
    await until(lambda: bool(calendars and accounts))
    assert (calendars, accounts, own) == ([(PID, CID, 8)], [(7,)], [(7,)])


async def test_a_bus_that_closes_sends_what_waits(pair: tuple[Bus, Bus], redis: RedisServer) -> None:
    heard = Heard()
    pair[1].listen_to_accounts(heard, heard.gap)
    command = Bus(redis.url)  # as a command does, it sends only
    command.announce_accounts(3)
    await command.close()
    await until(lambda: heard == [(3,)])


async def test_closing_waits_for_a_frozen_redis_no_longer_than_a_second(redis: RedisServer) -> None:
    redis.freeze()
    command = Bus(redis.url)
    command.announce_accounts(3)
    start = time.perf_counter()
    await command.close()
    assert 0.9 < time.perf_counter() - start < 5


async def test_counters_are_shared(pair: tuple[Bus, Bus], redis: RedisServer) -> None:
    counts = [await pair[n % 2].count("k", 60) for n in range(6)]
    assert counts == [1, 2, 3, 4, 5, 6]
    await pair[0].reset("k")
    assert await pair[0].count("k", 60) == 1


async def test_frozen_redis_delays_nobody(pair: tuple[Bus, Bus], redis: RedisServer) -> None:
    heard = Heard()
    pair[1].listen(heard, heard.gap)
    assert await pair[0].count("k", 60) == 1
    redis.freeze()
    delays = []
    for turn in range(40):
        start = time.perf_counter()
        assert await pair[0].count("k", 60) == turn + 2
        pair[0].announce(PID, CID, Seq(turn))
        delays.append(time.perf_counter() - start)
    assert sorted(delays)[30] < 0.05  # a few may have waited for a core
    redis.thaw()
    await until(lambda: len(heard) > 0 and heard[-1][2] == 39)


async def test_killed_redis_is_found_again(pair: tuple[Bus, Bus], redis: RedisServer) -> None:
    heard = Heard()
    pair[1].listen(heard, heard.gap)
    redis.kill()
    await until(lambda: not pair[1].connected)
    pair[0].announce(PID, CID, Seq(1))
    assert await pair[0].count("k", 60) == 1
    redis.start()
    await until(lambda: pair[1].connected and heard.gaps == 1)
    pair[0].announce(PID, CID, Seq(2))
    await until(lambda: (PID, CID, 2) in heard)


async def test_redis_that_was_never_there() -> None:
    bus, heard = Bus(f"redis://127.0.0.1:{free_port()}/0"), Heard()
    bus.listen(heard, heard.gap)
    await bus.start()
    bus.announce(PID, CID, Seq(1))
    assert await bus.count("k", 60) == 1
    assert heard == [(PID, CID, 1)]
    await bus.close()


async def test_a_flushed_redis_forgives_nothing_this_process_saw(pair: tuple[Bus, Bus]) -> None:
    for _ in range(5):
        await pair[0].count("k", 60)
    await pair[0]._client.flushall()  # type: ignore[union-attr]
    assert await pair[0].count("k", 60) == 6
    assert await pair[1].count("k", 60) == 2


async def test_foreign_messages_are_ignored(pair: tuple[Bus, Bus]) -> None:
    heard = Heard()
    pair[1].listen(heard, heard.gap)
    for data in (b"x", "text", None, b"y" * 48 + b"z"):
        pair[1]._received(b"caldav-server:changes", data)
    pair[1]._received(b"caldav-server:unknown", b"y" * 48)
    assert heard == []
