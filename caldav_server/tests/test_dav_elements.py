"""Remembered response elements: the same answer as without them whatever happened before, within bounds."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caldav_server.calendaring import queries
from caldav_server.dav.elements import Elements
from caldav_server.dav.methods import DavFace
from caldav_server.tests.face import NAMESPACES, Face, event
from protocol.model import Calendar, CalendarId, PrincipalId, Seq

HOME = "/dav/calendars/anna/"
NAMES = [f"n{number}.ics" for number in range(12)]
QUESTIONS = (
    "<D:getetag/><C:calendar-data/>",
    "<C:calendar-data/><D:getetag/>",
    "<D:getetag/>",
    "<D:getlastmodified/><D:getcontentlength/><D:resourcetype/><D:getcontenttype/>",
    "<D:getetag/><D:displayname/><C:calendar-data/>",
    "<D:getetag/><X:kept xmlns:X='urn:x'/>",
    '<C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/></C:comp></C:calendar-data>',
)


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    yield made
    made.db.close()


def body_of(question: str, hrefs: list[str]) -> str:
    listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    return f"<C:calendar-multiget {NAMESPACES}><D:prop>{question}</D:prop>{listed}</C:calendar-multiget>"


async def change(face: Face, by: random.Random, number: int) -> None:
    """Something that may change what is answered."""
    calendar = f"{HOME}{by.choice(('calendar', 'other'))}/"
    path, text = calendar + by.choice(NAMES), event(f"{by.choice(NAMES)}", summary=f"{number} & ü")
    match by.randrange(8):
        case 0 | 1 | 2:
            await face.put(path, text)
        case 3:
            await face.ask("DELETE", path)
        case 4 | 5:
            target = f"{HOME}{by.choice(('calendar', 'other'))}/{by.choice(NAMES)}"
            await face.ask(by.choice(("MOVE", "COPY")), path, Destination=target)
        case 6:
            kept = f"<X:kept xmlns:X='urn:x'>{number}</X:kept>"
            update = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{kept}</D:prop></D:set></D:propertyupdate>"
            await face.ask("PROPPATCH", path, update)
        case 7:
            await face.ask("DELETE", f"{HOME}other/")
            await face.ask("MKCALENDAR", f"{HOME}other/")


@pytest.mark.parametrize("seed", range(4))
async def test_answers_are_those_of_a_process_that_remembers_nothing(face: Face, seed: int) -> None:
    by = random.Random(seed)
    await face.ask("MKCALENDAR", f"{HOME}other/")
    remembering = face.face
    for number in range(150):
        await change(face, by, number)
        where = by.choice(("", "calendar/", "other/"))
        hrefs = [HOME + (where or by.choice(("calendar/", "other/"))) + name for name in by.sample(NAMES, 6)]
        body, minimal = body_of(by.choice(QUESTIONS), hrefs), by.choice(({}, {"Prefer": "return=minimal"}))
        answers = []
        for each in (remembering, remembering, DavFace()):
            face.face = each
            answers.append(await face.ask("REPORT", HOME + where, body, **minimal))
        assert answers[0].status == 207
        assert answers[0].body == answers[1].body == answers[2].body
        face.face = remembering


async def test_what_is_known_is_not_read_again(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    with_names = queries.with_names

    async def counted(ctx, calendar, names, work):  # type: ignore[no-untyped-def]
        read.extend(names)
        return await with_names(ctx, calendar, names, work)

    monkeypatch.setattr(queries, "with_names", counted)
    for name in NAMES[:3]:
        await face.put(f"{HOME}calendar/{name}", event(name))
    body = body_of(QUESTIONS[0], [f"{HOME}calendar/{name}" for name in NAMES[:4]])
    first = await face.ask("REPORT", f"{HOME}calendar/", body)
    assert read == NAMES[:4]
    second = await face.ask("REPORT", f"{HOME}calendar/", body)
    assert second.body == first.body
    assert read == NAMES[:4] + NAMES[3:4], "only the object that is not there is looked for again"


def calendar_at(seq: int, number: int = 1) -> Calendar:
    return Calendar(PrincipalId(b"p" * 16), CalendarId(bytes([number]) * 16), "c", seq=Seq(seq))


def test_another_state_or_question_is_answered_anew() -> None:
    elements = Elements()
    now = calendar_at(3)
    elements.keep(now, "q", {"a": "A", "b": "B"})
    assert dict(elements.of(now, "q")) == {"a": "A", "b": "B"}
    assert not elements.of(replace(now, seq=Seq(4)), "q")
    assert not elements.of(now, "another")
    assert not elements.of(calendar_at(3, number=2), "q")
    elements.keep(replace(now, seq=Seq(4)), "q", {"a": "new"})
    assert dict(elements.of(replace(now, seq=Seq(4)), "q")) == {"a": "new"}
    assert elements._held == 3


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    elements = Elements(max_characters=1000)
    first, second, third = (calendar_at(1, number) for number in (1, 2, 3))
    elements.keep(first, "q", {f"{number}": "x" * 100 for number in range(4)})
    elements.keep(second, "q", {f"{number}": "x" * 100 for number in range(4)})
    assert len(elements.of(first, "q")) == 4
    elements.keep(third, "q", {f"{number}": "x" * 100 for number in range(5)})
    assert sorted(elements.of(second, "q")) == ["3"]
    assert len(elements.of(first, "q")) == 4 and len(elements.of(third, "q")) == 5
    elements.keep(third, "q", {"huge": "x" * 100_000, "4": "x" * 50})
    assert "huge" not in elements.of(third, "q")
    for number in range(4, 60):
        elements.keep(calendar_at(1, number), "q", {"a": "x" * 300})
    assert len(elements._calendars) <= 4
    held = sum(len(text) for known in elements._calendars.values() for text in known.by_name.values())
    assert held == elements._held <= 1000
