"""Import of whole calendars: repeatable, an outcome for each object (calendaring.importing, protocol.ical.split)."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caldav_server.calendaring import importing
from caldav_server.calendaring.importing import Outcome
from caldav_server.settings import Settings
from protocol.ical.split import Splitter
from storage.database import Database
from storage.errors import CommitUnknown
from testing.builders import event
from testing.face import Face

CALENDAR = "/dav/calendars/anna/calendar/"


@pytest.fixture
async def face(url: str) -> AsyncIterator[Face]:
    db = Database.open(url, allow_unsafe=True)
    made = Face(db)
    await made.add("anna")
    yield made
    db.close()


async def run(face: Face, data: bytes, db: Database | None = None) -> list[Outcome]:
    opened = await face.open()
    ctx = replace(face.context(), db=db or face.db)
    return [each async for batch in importing.import_calendar(ctx, opened, Splitter(data)) for each in batch]


def statuses(outcomes: list[Outcome]) -> dict[str, int]:
    return dict(Counter(each.status.value for each in outcomes))


def whole(*parts: str) -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:PUBLISH\r\n" + "".join(parts) + "END:VCALENDAR\r\n"
    ).encode()


def inner(data: bytes) -> str:
    text = data.decode()
    return text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")]


async def test_an_export_imported_again_changes_nothing(face: Face) -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
    many = [inner(event(f"uid {n}" if n % 7 == 0 else f"uid-{n}")) for n in range(450)]
    zoned = inner(event("zoned")).replace("DTSTART:20260105T100000Z", "DTSTART;TZID=Europe/Berlin:20260105T100000")
    override = inner(event("uid-1", summary="moved", more="RECURRENCE-ID:20260105T100000Z"))
    first = await run(face, whole(zone, *many, zoned, override))
    assert statuses(first) == {"created": 451}
    token = (await face.sync(CALENDAR)).token()
    export = (await face.ask("GET", CALENDAR)).body
    assert statuses(await run(face, export)) == {"unchanged": 451}
    assert (await face.sync(CALENDAR)).token() == token
    assert b"BEGIN:VTIMEZONE" in (await face.ask("GET", CALENDAR + "zoned.ics")).body


async def test_an_export_imported_where_it_came_from_keeps_the_texts_of_clients(face: Face) -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
    text = event("one", more="DESCRIPTION:" + "x" * 200).decode().replace("PRODID", "X-OWN:kept\r\nPRODID")
    text = text.replace("BEGIN:VEVENT", zone + "BEGIN:VEVENT").replace("DTSTART:", "DTSTART;TZID=Europe/Berlin:")
    await face.put(CALENDAR + "a.ics", text.replace("100000Z", "100000"))
    before = (await face.sync(CALENDAR)).token()
    assert statuses(await run(face, (await face.ask("GET", CALENDAR)).body)) == {"unchanged": 1}
    assert (await face.sync(CALENDAR)).token() == before
    assert "X-OWN:kept" in (await face.ask("GET", CALENDAR + "a.ics")).text


async def test_changed_objects_are_updated(face: Face) -> None:
    await run(face, whole(inner(event("a")), inner(event("b"))))
    outcomes = await run(face, whole(inner(event("a", summary="new")), inner(event("b")), inner(event("d"))))
    assert statuses(outcomes) == {"updated": 1, "unchanged": 1, "created": 1}
    assert "new" in (await face.ask("GET", CALENDAR + "a.ics")).text


async def test_what_has_no_uid_gets_one_that_stays(face: Face) -> None:
    nameless = inner(event("x")).replace("UID:x\r\n", "")
    assert statuses(await run(face, whole(nameless))) == {"created": 1}
    assert statuses(await run(face, whole(nameless))) == {"unchanged": 1}


async def test_a_taken_name_does_not_lose_anything(face: Face) -> None:
    await face.put(CALENDAR + "b.ics", event("other"))
    assert statuses(await run(face, whole(inner(event("b"))))) == {"created": 1}
    assert "UID:other" in (await face.ask("GET", CALENDAR + "b.ics")).text
    assert len((await face.sync(CALENDAR)).hrefs()) == 2


async def test_a_refused_object_stops_no_other(face: Face) -> None:
    wrong = "BEGIN:VEVENT\r\nUID:c\r\nSUMMARY:two\r\nBEGIN:VEVENT\r\nUID:d\r\nEND:VEVENT\r\nEND:VEVENT\r\n"
    outcomes = await run(
        face,
        whole(
            wrong.replace("BEGIN:VEVENT\r\nUID:c", "BEGIN:X-ODD\r\nUID:c", 1).replace(
                "END:VEVENT\r\nEND:VEVENT", "END:VEVENT\r\nEND:X-ODD"
            ),
            inner(event("a")),
        ),
    )
    assert statuses(outcomes) == {"refused": 1, "created": 1}
    assert next(each for each in outcomes if each.status.value == "refused").message


async def test_what_a_home_has_no_room_for_is_refused_by_name(tmp_path: Path) -> None:
    """RFC 4331 §6: the quota holds for imports as for PUT."""
    face = await Face.make(tmp_path, limits=replace(Settings().limits, home_bytes=3000))
    small, large = inner(event("small")), inner(event("large", more="X-FILL:" + "x" * 4000))
    assert statuses(await run(face, whole(small))) == {"created": 1}
    refused = await run(face, whole(large))
    assert statuses(refused) == {"refused": 1}
    assert refused[0].message.startswith("quota-not-exceeded: ")
    assert (await face.ask("GET", CALENDAR + "large.ics")).status == 404
    face.db.close()


async def test_one_uid_is_one_object_whatever_kind(face: Face) -> None:
    """RFC 4791 §4.1: of an event and a task with one UID the first stays, side by side and far from each other."""
    both = inner(event("both")), inner(event("both")).replace("VEVENT", "VTODO")
    many = [inner(event(f"n{n}")) for n in range(importing.BATCH + 20)]
    for number, data in enumerate((whole(*both), whole(both[0], *many, both[1]), whole(both[0], *many, both[1]))):
        outcomes = await run(face, data)
        refused = [each for each in outcomes if each.status.value == "refused"]
        assert [each.uid for each in refused] == ["both"] and refused[0].message.startswith("no-uid-conflict: ")
        assert len(outcomes) == 2 + (number > 0) * len(many)
        assert "BEGIN:VEVENT" in (await face.ask("GET", CALENDAR + "both.ics")).text


async def test_what_stands_twice_in_a_file_is_one_object(face: Face) -> None:
    nameless = inner(event("x")).replace("UID:x\r\n", "")
    many = [inner(event(f"n{n}")) for n in range(importing.BATCH)]
    assert statuses(await run(face, whole(nameless, nameless))) == {"created": 1, "unchanged": 1}
    assert statuses(await run(face, whole(nameless, *many, nameless))) == {"unchanged": 2, "created": len(many)}


async def test_names_that_meet_in_one_batch_are_told_apart(face: Face) -> None:
    digest = hashlib.sha256(b"a b c").hexdigest()[:32]
    assert statuses(await run(face, whole(inner(event("a b c")), inner(event(digest))))) == {"created": 2}
    assert len((await face.sync(CALENDAR)).hrefs()) == 2


@pytest.mark.slow
async def test_two_imports_at_once_store_every_object_once(face: Face, url: str) -> None:
    data, other = whole(*[inner(event(f"n{n}")) for n in range(1200)]), Database.open(url, allow_unsafe=True)
    try:
        first, second = await asyncio.gather(run(face, data), run(face, data, other))
    finally:
        other.close()
    assert Counter(statuses(first)) + Counter(statuses(second)) == {"created": 1200, "unchanged": 1200}
    assert len((await face.sync(CALENDAR)).hrefs()) == 1200


@pytest.mark.slow
async def test_clients_that_change_what_is_imported(face: Face, url: str) -> None:
    """Whoever comes first, nothing fails: a client's change is before the import's or after it."""
    names = [f"n{n}" for n in range(700)]
    await run(face, whole(*[inner(event(name)) for name in names]))
    by, imports = random.Random(1), 0
    other = Face(Database.open(url, allow_unsafe=True), people=face.people)

    async def client() -> set[int]:
        said = set()
        while imports < 4:
            path = f"{CALENDAR}{by.choice(names)}.ics"
            said.add((await other.ask("DELETE", path)).status)
            name = by.choice(names)
            said.add((await other.put(f"{CALENDAR}{name}.ics", event(name, summary=f"client {by.random()}"))).status)
        return said

    clients = asyncio.gather(client(), client())
    for number in range(4):
        outcomes = await run(face, whole(*[inner(event(name, summary=f"import {number}")) for name in names]))
        assert [each.uid for each in outcomes] == names
        assert set(statuses(outcomes)) <= {"created", "updated", "unchanged"}
        imports += 1
    assert set().union(*await clients) <= {201, 204, 404}
    other.db.close()
    hrefs = (await face.sync(CALENDAR)).hrefs()
    texts = [(await face.ask("GET", href)).text for href, status in hrefs.items() if status == 200]
    uids = Counter(re.findall(r"UID:(\S+)", "".join(texts)))
    assert set(uids.values()) == {1} and set(uids) <= set(names)


@pytest.mark.parametrize("happening", ["before commit", "after commit"])
async def test_a_commit_nobody_heard_of_is_found_out(face: Face, url: str, happening: str) -> None:
    left = [1]

    def fault(event: str) -> None:
        if event == happening and left:
            left.pop()
            raise CommitUnknown("injected")

    await run(face, whole(inner(event("n1"))))
    other = Database.open(url, allow_unsafe=True)
    other.set_fault(fault)
    outcomes = await run(face, whole(*[inner(event(f"n{n}", summary="new")) for n in range(3)]), other)
    other.close()
    assert not left
    assert statuses(outcomes) == {"created": 2, "updated" if happening == "before commit" else "unchanged": 1}
    assert len((await face.sync(CALENDAR)).hrefs()) == 3


async def test_a_batch_of_many_occurrences_is_stored_in_parts(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction keeps everybody else out of the calendar: it may not be long, however often objects occur."""
    monkeypatch.setattr(importing, "BATCH_ROWS", 1000)
    together: list[int] = []
    add_rows = importing.stored_occurrences.add_rows

    def counted(tx: Any, pid: Any, cid: Any, rows: list[Any], of: Any) -> None:
        together.append(len(rows))
        add_rows(tx, pid, cid, rows, of)

    monkeypatch.setattr(importing.stored_occurrences, "add_rows", counted)
    series = [
        inner(event(f"n{n}", more=f"RRULE:FREQ=DAILY;COUNT={count}")) for n, count in enumerate((400, 400, 400, 1))
    ]
    outcomes = await run(face, whole(*series))
    assert [each.uid for each in outcomes] == ["n0", "n1", "n2", "n3"]
    assert statuses(outcomes) == {"created": 4}
    assert together == [800, 401]
    monkeypatch.setattr(importing, "BATCH_ROWS", 300)
    assert statuses(await run(face, whole(*[text.replace("UID:", "UID:x") for text in series]))) == {"created": 4}
    assert together[2:] == [400, 400, 400, 1]


def test_batches_are_bounded_in_number_and_in_size() -> None:
    """One statement carries a batch: PostgreSQL takes no message above a gigabyte."""
    pieces = [(None, b"x" * size) for size in (*[10] * 1200, *[3_000_000] * 5)]
    batches = list(importing._pieces(iter(pieces)))
    assert [len(batch) for batch in batches] == [500, 500, 203, 2]
    assert sum(len(batch) for batch in batches) == len(pieces)
