"""Which queries the occurrence index decides alone: all but those with an end at a transition (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caldav_server.calendaring import work_budget
from testing.builders import event
from testing.face import Face

CALENDAR = "/dav/calendars/anna/calendar/"
NOTHING = "<D:displayname/>"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path, "berta")
    await made.add("anna", time_zone="Europe/Berlin")
    for name, start in (("first", "20271031T023500"), ("second", "20271031T034500"), ("day", "20271030")):
        await made.put(
            f"{CALENDAR}{name}.ics",
            event(name, start=f"DTSTART:{start}", more="DURATION:PT5M" if "T" in start else "X-A:b"),
        )
    await made.put(
        f"{CALENDAR}weekly.ics",
        event("weekly", start="DTSTART:20270103T023500", end="DURATION:PT5M", more="RRULE:FREQ=WEEKLY"),
    )
    await made.put(f"{CALENDAR}fixed.ics", event("fixed", start="DTSTART:20271031T003500Z", end="DURATION:PT5M"))
    yield made
    made.db.close()


@pytest.fixture
def parsed(face: Face, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts that were parsed since."""
    seen: list[bytes] = []
    parse = work_budget.parse_document

    def counted(data: bytes, **more: object) -> object:
        seen.append(data)
        return parse(data, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(work_budget, "parse_document", counted)
    return seen


async def found(face: Face, start: str, end: str) -> set[str]:
    span = f'<C:time-range start="{start}" end="{end}"/>'
    answer = await face.query(CALENDAR, f'<C:comp-filter name="VEVENT">{span}</C:comp-filter>', NOTHING)
    return {href.rpartition("/")[2].removesuffix(".ics") for href in answer.hrefs()}


async def test_ordinary_queries_parse_nothing(face: Face, parsed: list[bytes]) -> None:
    weeks = [("20271025T000000Z", "20271101T000000Z"), ("20271030T220000Z", "20271031T230000Z")]
    weeks += [("20270327T230000Z", "20270328T220000Z"), ("20270601T000000Z", "20270701T000000Z")]
    weeks += [("20271031T005800Z", "20271031T024600Z")]
    for start, end in weeks:
        assert await found(face, start, end)
    assert parsed == []


async def test_only_floating_times_at_a_transition_are_decided_on_their_text(face: Face, parsed: list[bytes]) -> None:
    """RFC 5545 §3.3.5: 02:35 is in the first pass of the hour, 00:35 in UTC; an end at 01:15 is in the second."""
    assert await found(face, "20271031T003000Z", "20271031T011500Z") == {"first", "weekly", "fixed"}
    assert len(parsed) == 2
    assert await found(face, "20271031T010500Z", "20271031T024000Z") == set()
    parsed.clear()
    assert await found(face, "20271025T000000Z", "20271031T011500Z") == {"first", "weekly", "fixed", "day"}
    assert len(parsed) == 2, "only what the wall clock shows from 02:15 to 03:15 needs its text"
