"""A server below a base path: every href in an answer obeys it, and hrefs of clients are read with it or without."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from testing.builders import event
from testing.face import NAMESPACES, Face

CALENDAR = "/dav/calendars/anna/calendar/"
SEEN = f"/cal{CALENDAR}"
EVERYTHING = f"<D:propfind {NAMESPACES}><D:propname/></D:propfind>"
HREFS = (
    f"<D:propfind {NAMESPACES}><D:prop><D:current-user-principal/><D:owner/><D:principal-collection-set/>"
    "<D:principal-URL/><C:calendar-home-set/><D:acl/><D:add-member/><C:calendar-user-address-set/>"
    "<D:group-membership/><D:resourcetype/></D:prop></D:propfind>"
)


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path, "anna", "ben")
    await made.put(CALENDAR + "a.ics", event("a"))
    made.base_path = "/cal"
    yield made
    made.db.close()


def hrefs(text: str) -> set[str]:
    return {each for each in re.findall(r"<D:href>([^<]*)</D:href>", text) if not each.startswith("mailto:")}


@pytest.mark.parametrize("body", [EVERYTHING, HREFS])
@pytest.mark.parametrize(
    "path",
    ["/", "/dav/principals/", "/dav/principals/anna/", "/dav/calendars/", "/dav/calendars/anna/", CALENDAR],
)
async def test_every_href_of_a_listing_obeys_it(face: Face, path: str, body: str) -> None:
    answer = await face.ask("PROPFIND", path, body, Depth="1")
    assert answer.status == 207
    found = hrefs(answer.text)
    assert found and all(each.startswith("/cal/dav/") for each in found), found


async def test_hrefs_of_clients_are_read_with_it_and_without(face: Face) -> None:
    for base in ("", "/cal", "http://calendar.example/cal"):
        body = (
            f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/></D:prop>"
            f"<D:href>{base}{CALENDAR}a.ics</D:href></C:calendar-multiget>"
        )
        answer = await face.ask("REPORT", CALENDAR, body)
        assert answer.hrefs() == {SEEN + "a.ics": 200}
    moved = await face.ask("MOVE", CALENDAR + "a.ics", Destination=f"http://calendar.example{SEEN}b.ics")
    assert (moved.status, moved.headers["Location"]) == (201, SEEN + "b.ics")
    back = await face.ask("MOVE", CALENDAR + "b.ics", Destination=CALENDAR + "a.ics")
    assert (back.status, back.headers["Location"]) == (201, SEEN + "a.ics")
    etag = (await face.ask("GET", CALENDAR + "a.ics")).headers["ETag"]
    for condition, status in ((etag, 204), ('"other"', 412)):
        answer = await face.put(
            CALENDAR + "a.ics", event("a", summary=f"{status}"), If=f"<{SEEN}a.ics> ([{condition}])"
        )
        assert answer.status == status


async def test_what_is_made_is_found_where_it_says(face: Face) -> None:
    posted = await face.ask("POST", CALENDAR, event("posted"), Content_Type="text/calendar")
    assert posted.status == 201 and posted.headers["Location"].startswith(SEEN)
    made = await face.ask("MKCALENDAR", "/dav/calendars/anna/new/")
    assert (made.status, made.headers["Location"]) == (201, "/cal/dav/calendars/anna/new/")
    conflict = await face.put(CALENDAR + "other.ics", event("a"))
    assert conflict.condition == "no-uid-conflict" and hrefs(conflict.text) == {SEEN + "a.ics"}
    refused = await face.ask("PROPFIND", CALENDAR, HREFS, who="ben", Depth="0")
    assert refused.condition == "need-privileges" and hrefs(refused.text) == {SEEN}
    assert set((await face.sync(CALENDAR)).hrefs()) >= {SEEN + "a.ics"}


async def test_what_is_remembered_is_of_one_base_path(face: Face) -> None:
    poll = f"<D:propfind {NAMESPACES}><D:prop><D:sync-token/></D:prop></D:propfind>"
    body = (
        f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>"
        f"<D:href>{CALENDAR}a.ics</D:href></C:calendar-multiget>"
    )
    for base in ("/cal", "", "/other", "/cal"):
        face.base_path = base
        for _ in range(2):
            assert set((await face.ask("PROPFIND", CALENDAR, poll, Depth="0")).hrefs()) == {base + CALENDAR}
            assert set((await face.ask("REPORT", CALENDAR, body)).hrefs()) == {base + CALENDAR + "a.ics"}
