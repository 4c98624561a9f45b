"""Remembered responses of objects: the same answer as without them whatever happened before, within bounds."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from caldav_server.calendaring import queries
from caldav_server.calendaring.lens import Detail, Lens
from caldav_server.dav.caches.object_response_cache import ObjectResponseCache
from protocol.dav.names import CALENDAR_DATA as NAMES_DATA
from protocol.model import CalendarId, PrincipalId, Seq
from testing.builders import event
from testing.face import NAMESPACES, Face

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


@pytest.mark.slow
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
        for each in (remembering, remembering, face.fresh()):
            face.face = each
            answers.append(await face.ask("REPORT", HOME + where, body, **minimal))
        assert answers[0].status == 207
        assert answers[0].body == answers[1].body == answers[2].body
        face.face = remembering


async def test_what_is_known_is_not_read_again(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []
    with_names = queries.with_names

    async def counted(ctx: Any, calendar: Any, names: list[str], work: Any) -> Any:
        read.append(list(names))
        return await with_names(ctx, calendar, names, work)

    monkeypatch.setattr(queries, "with_names", counted)
    for name in NAMES[:3]:
        await face.put(f"{HOME}calendar/{name}", event(name))

    async def asked(*names: str) -> bytes:
        body = body_of(QUESTIONS[0], [f"{HOME}calendar/{name}" for name in names])
        return (await face.ask("REPORT", f"{HOME}calendar/", body)).body

    first = await asked(*NAMES[:3])
    assert await asked(*NAMES[:3]) == first
    assert read == [NAMES[:3]]
    assert event(NAMES[1]).splitlines()[4] in await asked(NAMES[1])
    assert read == [NAMES[:3]]
    await asked(*NAMES[:4])
    assert read[1:] == [NAMES[3:4]], "only what is not known is read"


async def test_an_answer_is_of_one_snapshot(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that moves while a multiget is answered is in it once."""
    await face.put(f"{HOME}calendar/a.ics", event("a"))
    await face.put(f"{HOME}calendar/b.ics", event("b"))
    hrefs = [f"{HOME}calendar/{name}.ics" for name in "abc"]
    await face.ask("REPORT", f"{HOME}calendar/", body_of(QUESTIONS[0], hrefs[:2]))
    with_names, read = queries.with_names, []

    async def overtaken(ctx: Any, calendar: Any, names: list[str], work: Any) -> Any:
        read.append(list(names))
        if len(read) == 1:
            await face.ask("MOVE", hrefs[0], Destination=hrefs[2])
        return await with_names(ctx, calendar, names, work)

    monkeypatch.setattr(queries, "with_names", overtaken)
    found = (await face.ask("REPORT", f"{HOME}calendar/", body_of(QUESTIONS[0], hrefs))).hrefs()
    assert list(found.values()) == [404, 200, 200]
    assert read == [["c.ics"], ["a.ics", "b.ics", "c.ics"]]


async def test_what_was_read_after_a_change_is_not_kept_as_of_before(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar's row is read first, the objects later: what happens in between belongs to its own number."""
    await face.put(f"{HOME}calendar/a.ics", event("a", summary="old"))
    remembering, with_names = face.face, queries.with_names

    async def overtaken(ctx: Any, calendar: Any, names: Any, work: Any) -> Any:
        monkeypatch.setattr(queries, "with_names", with_names)
        await face.put(f"{HOME}calendar/a.ics", event("a", summary="new"))
        return await with_names(ctx, calendar, names, work)

    monkeypatch.setattr(queries, "with_names", overtaken)
    body = body_of(QUESTIONS[0], [f"{HOME}calendar/a.ics"])
    assert "new" in (await face.ask("REPORT", f"{HOME}calendar/", body)).text
    opened = await face.open()
    cache, question = remembering.object_responses, (f"{HOME}calendar/", ("{DAV:}getetag", NAMES_DATA), False)
    assert not cache.get(opened.lens, opened.calendar.calendar_id, Seq(1), question)
    assert "new" in cache.get(opened.lens, opened.calendar.calendar_id, Seq(2), question)["a.ics"]


NOW, LATER = Seq(3), Seq(4)
FIRST, SECOND, THIRD = (CalendarId(bytes([number]) * 16) for number in (1, 2, 3))


LENS = Lens(Detail.WHOLE)


def test_another_state_question_or_lens_is_answered_anew() -> None:
    cache = ObjectResponseCache()
    cache.keep(LENS, FIRST, NOW, "q", {"a": "A", "b": "B"})
    assert dict(cache.get(LENS, FIRST, NOW, "q")) == {"a": "A", "b": "B"}
    assert not cache.get(LENS, FIRST, LATER, "q")
    assert not cache.get(LENS, FIRST, NOW, "another")
    assert not cache.get(LENS, SECOND, NOW, "q")
    assert not cache.get(Lens(Detail.BUSY), FIRST, NOW, "q")
    assert not cache.get(Lens(Detail.WHOLE, PrincipalId(b"anna"), 1), FIRST, NOW, "q")
    cache.keep(LENS, FIRST, LATER, "q", {"a": "new"})
    cache.keep(LENS, FIRST, NOW, "q", {"a": "A", "b": "B"})  # a long answer, begun before the change
    assert dict(cache.get(LENS, FIRST, LATER, "q")) == {"a": "new"}


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    cache = ObjectResponseCache(most_octets=10_000)
    texts = {f"{number}": "x" * 100 for number in range(8)}
    cache.keep(LENS, FIRST, NOW, "q", texts)
    cache.keep(LENS, SECOND, NOW, "q", texts)
    assert len(cache.get(LENS, FIRST, NOW, "q")) == 8
    cache.keep(LENS, THIRD, NOW, "q", texts)
    assert not cache.get(LENS, SECOND, NOW, "q")
    assert len(cache.get(LENS, FIRST, NOW, "q")) == len(cache.get(LENS, THIRD, NOW, "q")) == 8
    cache.keep(LENS, THIRD, NOW, "q", {"huge": "x" * 100_000})
    assert "huge" not in cache.get(LENS, THIRD, NOW, "q") and cache.octets <= 10_000


def test_one_question_keeps_what_fits() -> None:
    cache = ObjectResponseCache(most_octets=10_000)
    for number in range(40):
        cache.keep(LENS, FIRST, NOW, "q", {f"{number}": "x" * 100})
    assert 10 < len(cache.get(LENS, FIRST, NOW, "q")) < 30 and cache.octets <= 10_000


def test_memory_is_bounded_whatever_is_asked() -> None:
    """Questions without an answer, tiny and wide texts, new calendars without end, questions of great length."""
    cache = ObjectResponseCache(most_octets=200_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(5_000):
        cid = CalendarId(number.to_bytes(16, "big"))
        wide = {f"{number}-{n}": f"{n}\U0001f600" * (n % 9) for n in range(3)}
        cache.keep(LENS, cid, NOW, f"nothing {number}", {})
        cache.keep(LENS, cid, NOW, f"question {number}", wide)
        cache.keep(LENS, cid, NOW, (f"{number}" * 500, (f"{number}" * 300,)), {"a": "b"})
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert cache.octets <= 200_000
    assert used < 300_000


def test_an_answer_that_outgrows_the_bound_is_forgotten() -> None:
    """A long question leaves little room: what grew after it was weighed must not stay at its old weight."""
    cache = ObjectResponseCache(most_octets=10_000)
    question = "q" * 4_000
    for number in range(40):
        cache.keep(LENS, FIRST, NOW, question, {f"{number}": "x" * 200})
        known = cache.get(LENS, FIRST, NOW, question)
        assert sum(map(len, known.values())) <= cache.octets <= 10_000
