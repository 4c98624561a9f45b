"""F7 and its relatives: lost updates, double creations, writers of one calendar."""

import re
import uuid

import pytest

from conformance_tests.client import Calendar
from conformance_tests.faults.workload import new_calendar, parallel
from testing.builders import event


@pytest.mark.parametrize("turns", [3, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("workers", [1, 2])
def test_if_match_has_one_winner(loaded_server, workers: int, turns: int) -> None:
    """F7: of sixteen writers with the same If-Match exactly one wins per round; its text is what is stored."""
    server = loaded_server(workers)
    calendar = new_calendar(server)
    uid = "race@example.com"
    etag = calendar.add("a.ics", event(uid))
    clients = [Calendar(server.client(), calendar.href) for _ in range(16)]
    for turn in range(turns):

        def put(number: int, etag: str = etag, turn: int = turn) -> int:
            body = event(uid, summary=f"{turn}-{number}")
            return clients[number].put("a.ics", body, {"If-Match": etag}).expect(204, 412).status

        statuses = parallel(16, put)
        assert statuses.count(204) == 1, statuses
        stored = calendar.get("a.ics")
        assert stored.body == event(uid, summary=f"{turn}-{statuses.index(204)}")
        etag = stored.etag


def test_read_modify_write_counts_every_increment(loaded_server) -> None:
    """F7: clients that read, add one and write with If-Match lose no increment: the sum is the number of 204s."""
    server = loaded_server()
    calendar = new_calendar(server)
    uid = "counter@example.com"
    calendar.add("a.ics", event(uid, summary="0"))

    def work(number: int) -> int:
        own, won = Calendar(server.client(), calendar.href), 0
        for turn in range(15):
            seen = own.get("a.ics")
            match = re.search(rb"SUMMARY:(\d+)", seen.body)
            assert match
            body = event(uid, summary=str(int(match[1]) + 1), more=f"X-WRITER:{number}-{turn}")
            won += own.put("a.ics", body, {"If-Match": seen.etag}).expect(204, 412).status == 204
        return won

    acknowledged = sum(int(str(won)) for won in parallel(8, work))
    assert f"SUMMARY:{acknowledged}\r\n".encode() in calendar.get("a.ics").body


def test_if_none_match_creates_once(loaded_server) -> None:
    """F7: of sixteen creations of one name with If-None-Match: * exactly one is 201."""
    server = loaded_server()
    calendar = new_calendar(server)
    clients = [Calendar(server.client(), calendar.href) for _ in range(16)]
    for turn in range(5):

        def create(number: int, turn: int = turn) -> int:
            body = event(f"{turn}-{number}@example.com")
            return clients[number].put(f"{turn}.ics", body, {"If-None-Match": "*"}).expect(201, 412).status

        assert parallel(16, create).count(201) == 1


def test_one_uid_under_many_names(loaded_server) -> None:
    """F7: of sixteen creations of one UID under different names exactly one is stored."""
    server = loaded_server()
    calendar = new_calendar(server)
    clients = [Calendar(server.client(), calendar.href) for _ in range(16)]
    for turn in range(5):

        def create(number: int, turn: int = turn) -> int:
            return clients[number].put(f"{turn}-{number}.ics", event(f"{turn}@example.com")).expect(201, 403).status

        assert parallel(16, create).count(201) == 1
    assert len(calendar.etags()) == 5


def test_calendar_is_made_once(loaded_server) -> None:
    """F7: of eight MKCALENDAR on one URL exactly one is 201."""
    server = loaded_server()
    clients = [server.client() for _ in range(8)]
    href = f"{clients[0].home}same-{uuid.uuid4().hex[:12]}/"
    for each in clients:
        each.propfind(each.root, "D:resourcetype")
    statuses = parallel(8, lambda number: clients[number].mkcalendar(href).expect(201, 403).status)
    assert statuses.count(201) == 1


def test_deleting_a_calendar_beside_writers(loaded_server) -> None:
    """F7: puts into a calendar that is being deleted are stored or 404/409; nothing is left over."""
    server = loaded_server()
    for _ in range(3):
        calendar = new_calendar(server)
        clients = [Calendar(server.client(), calendar.href) for _ in range(6)]

        def work(number: int, clients: list[Calendar] = clients, calendar: Calendar = calendar) -> None:
            if number == 0:
                calendar.client.delete(calendar.href).expect(204)
                return
            for index in range(8):
                clients[number].put(f"{number}-{index}.ics", event()).expect(201, 404, 409)

        parallel(6, work)
        calendar.client.propfind_raw(calendar.href, None).expect(404)
        calendar.client.mkcalendar(calendar.href).expect(201)
        assert calendar.etags() == {}


def test_moves_against_each_other(loaded_server) -> None:
    """F7: two calendars between which clients move the same objects keep each object exactly once, without deadlock."""
    server = loaded_server()
    one, two = new_calendar(server), new_calendar(server)
    for number in range(6):
        one.add(f"{number}.ics", event(f"{number}@example.com"))

    def work(number: int) -> None:
        client = server.client()
        for index in range(12):
            name = f"{(number + index) % 6}.ics"
            source, target = (one, two) if (number + index) % 2 else (two, one)
            client.move(source.path(name), target.path(name)).expect(201, 204, 404, 403)

    parallel(6, work)
    assert sorted([*one.etags(), *two.etags()]) == [f"{number}.ics" for number in range(6)]
