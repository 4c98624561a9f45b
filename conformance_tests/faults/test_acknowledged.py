"""What one worker acknowledged, every worker answers: a read that begins after it is never stale."""

from pathlib import Path

import pytest

from conformance_tests.client import Calendar
from conformance_tests.faults.workload import new_calendar
from testing.builders import event
from testing.redis import RedisServer

READERS = 8
"""Connections; the kernel spreads them over both workers."""


def written_here_read_there(calendar: Calendar, readers: list[Calendar], times: int) -> None:
    """Change an object over one connection after the other; all the others must see it in whatever they ask."""
    calendar.add("b.ics", event(uid="b"))
    token, everyone = calendar.sync().sync_token, [calendar, *readers]
    for number in range(times):
        writer = everyone[number % len(everyone)]
        if number % 5 == 4:
            writer.delete("a.ics").expect(204)
            etag = None
        else:
            etag = writer.put("a.ics", event("a", summary=str(number))).expect(201, 204).header("ETag")
        tokens = set()
        for reader in everyone:
            assert reader.get("a.ics").header("ETag") == etag
            assert reader.etags().get("a.ics") == etag
            several = reader.multiget(calendar.path("a.ics"), calendar.path("b.ics")).multistatus
            assert several.items[1].has("C:calendar-data")
            assert (several.items[0].text("D:getetag") == etag) if etag else (several.items[0].status == 404)
            tokens.add(reader.prop("D:sync-token").text)
            assert [item.href.endswith("/a.ics") for item in reader.sync(token or "").items] == [True]
        assert len(tokens) == 1 and tokens != {token}
        token = tokens.pop()


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("redis", [False, True])
def test_no_read_is_stale(own_server, database: str, tmp_path: Path, redis: bool, times: int) -> None:
    """A write in one worker is seen by reads in the other at once, with Redis and through the database alone."""
    shared = RedisServer(tmp_path / "redis") if redis else None
    try:
        environment = {"CALDAV_SERVER_REDIS": shared.url} if shared else {}
        server = own_server(workers=2, environment=environment)
        calendar = new_calendar(server)
        readers = [Calendar(server.client(), calendar.href) for _ in range(READERS)]
        written_here_read_there(calendar, readers, times)
    finally:
        if shared:
            shared.stop()
