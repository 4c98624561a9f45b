"""What a client sees when the database fails it, on both databases: never half a write, always a safe retry.

The commit whose outcome nobody knows, and an error at every statement of PUT, MOVE and DELETE in turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.database import Database
from storage.errors import CommitUnknown, Unavailable
from testing.builders import event
from testing.face import Answer, Face

CALENDAR = "/dav/calendars/anna/calendar/"
OTHER = "/dav/calendars/anna/other/"


class Faults:
    """A hook that fails at one event, when it is told to."""

    def __init__(self) -> None:
        self.at: tuple[str, int] | None = None
        self.seen = 0

    def __call__(self, happening: str) -> None:
        if self.at is None or happening != self.at[0]:
            return
        self.seen += 1
        if self.seen == self.at[1]:
            raise CommitUnknown("injected") if happening == "after commit" else Unavailable("injected")

    def fail(self, happening: str, number: int = 1) -> None:
        self.at, self.seen = (happening, number), 0


@pytest.fixture
async def faulty(url: str) -> AsyncIterator[tuple[Face, Faults]]:
    db, faults = Database.open(url, allow_unsafe=True), Faults()
    db.set_fault(faults)
    face = Face(db)
    await face.add("anna")
    await face.ask("MKCALENDAR", OTHER)
    await face.put(CALENDAR + "a.ics", event("one"))
    yield face, faults
    db.close()


async def test_a_put_whose_commit_nobody_heard_of_can_be_sent_again(faulty: tuple[Face, Faults]) -> None:
    face, faults = faulty
    before = (await face.ask("GET", CALENDAR + "a.ics")).headers["ETag"]
    faults.fail("after commit")
    with pytest.raises(CommitUnknown):  # the edge answers 503
        await face.put(CALENDAR + "a.ics", event("one", summary="second"), If_Match=before)
    again = await face.put(CALENDAR + "a.ics", event("one", summary="second"), If_Match=before)
    stored = await face.ask("GET", CALENDAR + "a.ics")
    assert (again.status, again.headers["ETag"]) == (204, stored.headers["ETag"])
    assert "second" in stored.text
    faults.fail("after commit")
    with pytest.raises(CommitUnknown):
        await face.put(CALENDAR + "b.ics", event("two"))
    assert (await face.put(CALENDAR + "b.ics", event("two"))).status == 204
    assert len((await face.sync(CALENDAR)).hrefs()) == 2


@pytest.mark.parametrize("what", ["create", "update", "move", "delete"])
async def test_whatever_statement_fails_nothing_is_half_done(faulty: tuple[Face, Faults], what: str) -> None:
    face, faults = faulty

    async def act() -> Answer:
        if what == "create":
            return await face.put(CALENDAR + "new.ics", event("new", more="RRULE:FREQ=DAILY;COUNT=5"))
        if what == "update":
            return await face.put(CALENDAR + "a.ics", event("one", more="RRULE:FREQ=DAILY;COUNT=5"))
        if what == "move":
            return await face.ask("MOVE", CALENDAR + "a.ics", Destination=OTHER + "a.ics")
        return await face.ask("DELETE", CALENDAR + "a.ics")

    async def state() -> list[str]:
        faults.at = None
        texts = [(await face.ask("GET", path)).text for path in (CALENDAR, OTHER)]
        return [*texts, *[(await face.sync(path)).text for path in (CALENDAR, OTHER)]]

    before = await state()
    for number in range(1, 60):
        faults.fail("statement", number)
        try:
            answer = await act()
        except Unavailable:
            assert await state() == before, number
            continue
        assert answer.status in (201, 204)
        break
    assert number > 3
    assert await state() != before
