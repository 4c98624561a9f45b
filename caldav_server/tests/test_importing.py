"""Import of whole calendars: repeatable, an outcome for each object (calendaring.importing, protocol.ical.pieces)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caldav_server.calendaring import homes, importing
from caldav_server.calendaring.importing import Outcome
from caldav_server.settings import Settings
from caldav_server.tests.face import Face, event
from protocol.ical.pieces import Cut

CALENDAR = "/dav/calendars/anna/calendar/"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    yield made
    made.db.close()


async def run(face: Face, data: bytes) -> list[Outcome]:
    ctx, owner = face.context(), face.people["anna"]
    calendar = await homes.find_collection(ctx, owner, "calendar")
    assert calendar is not None
    return [each async for batch in importing.import_calendar(ctx, owner, calendar, Cut(data)) for each in batch]


def became(outcomes: list[Outcome]) -> dict[str, int]:
    return dict(Counter(each.became.value for each in outcomes))


def whole(*parts: str) -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:PUBLISH\r\n" + "".join(parts) + "END:VCALENDAR\r\n"
    ).encode()


def inner(text: str) -> str:
    return text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")]


async def test_an_export_imported_again_changes_nothing(face: Face) -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
    many = [inner(event(f"uid {n}" if n % 7 == 0 else f"uid-{n}")) for n in range(450)]
    zoned = inner(event("zoned")).replace("DTSTART:20270105T100000Z", "DTSTART;TZID=Europe/Berlin:20270105T100000")
    override = inner(event("uid-1", "RECURRENCE-ID:20270105T100000Z", summary="moved"))
    first = await run(face, whole(zone, *many, zoned, override))
    assert became(first) == {"created": 451}
    token = (await face.sync(CALENDAR)).token()
    export = (await face.ask("GET", CALENDAR)).body
    assert became(await run(face, export)) == {"unchanged": 451}
    assert (await face.sync(CALENDAR)).token() == token
    assert b"BEGIN:VTIMEZONE" in (await face.ask("GET", CALENDAR + "zoned.ics")).body


async def test_an_export_imported_where_it_came_from_keeps_the_texts_of_clients(face: Face) -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
    text = event("one", "DESCRIPTION:" + "x" * 200).replace("PRODID", "X-OWN:kept\r\nPRODID")
    text = text.replace("BEGIN:VEVENT", zone + "BEGIN:VEVENT").replace("DTSTART:", "DTSTART;TZID=Europe/Berlin:")
    await face.put(CALENDAR + "a.ics", text.replace("100000Z", "100000"))
    before = (await face.sync(CALENDAR)).token()
    assert became(await run(face, (await face.ask("GET", CALENDAR)).body)) == {"unchanged": 1}
    assert (await face.sync(CALENDAR)).token() == before
    assert "X-OWN:kept" in (await face.ask("GET", CALENDAR + "a.ics")).text


async def test_changed_objects_are_updated(face: Face) -> None:
    await run(face, whole(inner(event("a")), inner(event("b"))))
    outcomes = await run(face, whole(inner(event("a", summary="new")), inner(event("b")), inner(event("d"))))
    assert became(outcomes) == {"updated": 1, "unchanged": 1, "created": 1}
    assert "new" in (await face.ask("GET", CALENDAR + "a.ics")).text


async def test_what_has_no_uid_gets_one_that_stays(face: Face) -> None:
    nameless = inner(event("x")).replace("UID:x\r\n", "")
    assert became(await run(face, whole(nameless))) == {"created": 1}
    assert became(await run(face, whole(nameless))) == {"unchanged": 1}


async def test_a_taken_name_does_not_lose_anything(face: Face) -> None:
    await face.put(CALENDAR + "b.ics", event("other"))
    assert became(await run(face, whole(inner(event("b"))))) == {"created": 1}
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
    assert became(outcomes) == {"refused": 1, "created": 1}
    assert next(each for each in outcomes if each.became.value == "refused").message


async def test_what_a_home_has_no_room_for_is_refused_by_name(tmp_path: Path) -> None:
    """RFC 4331 §6: the quota holds for imports as for PUT."""
    face = await Face.make(tmp_path, limits=replace(Settings().limits, home_bytes=3000))
    small, large = inner(event("small")), inner(event("large", "X-FILL:" + "x" * 4000))
    assert became(await run(face, whole(small))) == {"created": 1}
    refused = await run(face, whole(large))
    assert became(refused) == {"refused": 1}
    assert refused[0].message.startswith("quota-not-exceeded: ")
    assert (await face.ask("GET", CALENDAR + "large.ics")).status == 404
    face.db.close()


def test_batches_are_bounded_in_number_and_in_size() -> None:
    """One statement carries a batch: PostgreSQL takes no message above a gigabyte."""
    pieces = [(None, b"x" * size) for size in (*[10] * 1200, *[3_000_000] * 5)]
    batches = list(importing._pieces(iter(pieces)))
    assert [len(batch) for batch in batches] == [500, 500, 203, 2]
    assert sum(len(batch) for batch in batches) == len(pieces)
