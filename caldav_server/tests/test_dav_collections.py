"""Collections: what always is there, what is missing above, conditions without ETags, and requests that race."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from caldav_server.settings import LimitSettings
from protocol.model import MAX_KEY_OCTETS
from storage import pruning
from storage.principals import set_delegates
from testing.builders import event
from testing.face import NAMESPACES, Face

HOME = "/dav/calendars/anna/"


@pytest.fixture
async def face(tmp_path: Path) -> Face:
    return await Face.make(tmp_path)


def _set(inner: str) -> str:
    return f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{inner}</D:prop></D:set></D:propertyupdate>"


async def _token(face: Face, path: str) -> str:
    body = f"<D:propfind {NAMESPACES}><D:prop><D:sync-token/></D:prop></D:propfind>"
    return (await face.ask("PROPFIND", path, body, Depth="0")).token()


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("name", ["inbox", "outbox", "notification", "calendar"])
async def test_nothing_takes_the_place_of_what_is_always_there(face: Face, method: str, name: str) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    await face.ask("DELETE", HOME + name + "/")
    answer = await face.ask(method, HOME + "work/", Destination=f"{HOME}{name}/")
    assert (answer.status, answer.condition) == (403, "calendar-collection-location-ok")
    kind = (await face.ask("PROPFIND", HOME + name + "/", Depth="0")).text
    assert ("<C:calendar/>" in kind) == (name == "calendar")


async def test_a_home_that_does_not_exist_is_a_missing_parent(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    nowhere = "/dav/calendars/nobody/work/"
    for method, path, headers in (
        ("MKCALENDAR", nowhere, {}),
        ("MKCOL", nowhere, {}),
        ("COPY", HOME + "work/", {"Destination": nowhere}),
        ("MOVE", HOME + "work/", {"Destination": nowhere}),
    ):
        assert (await face.ask(method, path, **headers)).status == 409, method


async def test_a_refused_method_names_those_that_are_left(face: Face) -> None:
    for method, path in (("MKCOL", HOME + "calendar/"), ("POST", HOME + "outbox/"), ("MOVE", HOME + "inbox/")):
        answer = await face.ask(method, path, Destination=HOME + "x/")
        assert answer.status == 405
        assert "PROPFIND" in answer.headers["Allow"].split(", ")
        assert method not in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize("tagged", [False, True])
async def test_a_calendar_meets_conditions_by_its_sync_token(face: Face, tagged: bool) -> None:
    """RFC 6578 §5: a sync-token is a state token of its collection."""
    await face.ask("MKCALENDAR", HOME + "work/")
    old = await _token(face, HOME + "work/")
    await face.put(HOME + "work/a.ics", event("a"))
    new = await _token(face, HOME + "work/")

    def header(token: str, path: str = HOME + "work/") -> str:
        return f"<{path}> (<{token}>)" if tagged else f"(<{token}>)"

    change = _set("<D:displayname>Work</D:displayname>")
    assert (await face.ask("PROPPATCH", HOME + "work/", change, If=header(old))).status == 412
    assert (await face.ask("PROPPATCH", HOME + "work/", change, If=header(new))).status == 207
    assert (await face.ask("MOVE", HOME + "work/", Destination=HOME + "moved/", If=header(old))).status == 412
    assert (await face.ask("MOVE", HOME + "work/", Destination=HOME + "moved/", If=header(new))).status == 201
    assert (await face.ask("DELETE", HOME + "moved/", If=header(old, HOME + "moved/"))).status == 412
    assert (await face.ask("DELETE", HOME + "moved/", If=header(new, HOME + "moved/"))).status == 204


async def test_a_calendar_exists_without_having_an_etag(face: Face) -> None:
    change = _set("<D:displayname>Mine</D:displayname>")
    assert (await face.ask("PROPPATCH", HOME + "calendar/", change, If_Match="*")).status == 207
    assert (await face.ask("PROPPATCH", HOME + "calendar/", change, If_None_Match="*")).status == 412


async def test_names_too_long_for_an_index(face: Face) -> None:
    longest, longer = "n" * MAX_KEY_OCTETS, "n" * (MAX_KEY_OCTETS + 1)
    assert (await face.put(f"{HOME}calendar/{longest}", event("a"))).status == 201
    assert (await face.put(f"{HOME}calendar/{longer}", event("b"))).status == 400
    assert (await face.ask("MKCALENDAR", f"{HOME}{longer}/")).status == 400
    assert (await face.ask("MOVE", f"{HOME}calendar/{longest}", Destination=f"{HOME}calendar/{longer}")).status == 400
    refused = await face.put(HOME + "calendar/c.ics", event("u" * (MAX_KEY_OCTETS + 1)))
    assert (refused.status, refused.condition) == (403, "valid-calendar-object-resource")
    answer = await face.ask("PROPPATCH", HOME + "calendar/", _set(f'<X:{longer} xmlns:X="x">v</X:{longer}>'))
    assert "<D:quota-not-exceeded/>" in answer.text


async def test_a_copied_calendar_counts_against_the_quota(tmp_path: Path) -> None:
    face = await Face.make(tmp_path, limits=LimitSettings(home_bytes=1000))
    await face.ask("MKCALENDAR", HOME + "work/")
    for name in ("a", "b", "c"):
        assert (await face.put(f"{HOME}work/{name}.ics", event(name))).status == 201
    refused = await face.ask("COPY", HOME + "work/", Destination=HOME + "again/")
    assert (refused.status, refused.condition) == (507, "quota-not-exceeded")
    assert (await face.ask("PROPFIND", HOME + "again/", Depth="0")).status == 404


async def test_a_move_that_races_with_changes_has_an_outcome(face: Face) -> None:
    """Whoever loses is told what is so: nothing is there any more."""
    await face.put(HOME + "calendar/a.ics", event("a"))
    moves = [face.ask("MOVE", HOME + "calendar/a.ics", Destination=f"{HOME}calendar/{n}.ics") for n in range(8)]
    changes = [face.put(HOME + "calendar/a.ics", event("a", summary=str(n)), If_Match="*") for n in range(8)]
    statuses = Counter(each.status for each in await asyncio.gather(*moves, *changes))
    assert statuses[201] == 1
    assert statuses.keys() <= {201, 204, 404, 412}


async def test_the_default_calendar_comes_back_once_for_all_who_ask(face: Face) -> None:
    await face.ask("PROPFIND", HOME, Depth="1")
    await face.ask("DELETE", HOME + "calendar/")
    puts = [face.put(f"{HOME}calendar/{n}.ics", event(str(n))) for n in range(8)]
    assert {each.status for each in await asyncio.gather(*puts)} == {201}


async def test_dead_properties_go_along_to_another_home(tmp_path: Path) -> None:
    face = await Face.make(tmp_path, "anna")
    room = await face.add("room")
    await face.db.write(lambda tx: set_delegates(tx, room.principal_id, [(face.people["anna"].principal_id, True)]))
    await face.put(HOME + "calendar/a.ics", event("a"))
    await face.ask("PROPPATCH", HOME + "calendar/a.ics", _set('<X:note xmlns:X="urn:x">kept</X:note>'))
    answer = await face.ask("COPY", HOME + "calendar/a.ics", Destination="/dav/calendars/room/calendar/a.ics")
    assert answer.status == 201
    body = f'<D:propfind {NAMESPACES}><D:prop><X:note xmlns:X="urn:x"/></D:prop></D:propfind>'
    assert ">kept<" in (await face.ask("PROPFIND", "/dav/calendars/room/calendar/a.ics", body, Depth="0")).text


async def test_what_comes_too_late_for_a_removed_calendar_has_no_parent(face: Face) -> None:
    """RFC 4918 §9.7.1, also for who found the calendar still there when the request began."""
    await face.ask("MKCALENDAR", HOME + "work/")
    puts = [face.put(f"{HOME}work/{n}.ics", event(str(n))) for n in range(4)]
    statuses = await asyncio.gather(face.ask("DELETE", HOME + "work/"), *puts)
    assert statuses[0].status == 204
    assert {each.status for each in statuses[1:]} <= {201, 409}


async def test_others_write_while_a_large_calendar_is_copied(face: Face) -> None:
    """RFC 4918 §9.8.3: a copy comes to light whole, and holds nobody up on its way."""
    for number in range(400):
        assert (await face.put(f"{HOME}calendar/{number}.ics", event(f"u{number}"))).status == 201
    assert (await face.ask("MKCALENDAR", HOME + "other/")).status == 201
    copying = asyncio.ensure_future(face.ask("COPY", HOME + "calendar/", Destination=HOME + "copy/"))
    beside = 0
    while not copying.done():
        assert (await face.ask("GET", HOME + "copy/")).status == 404 or copying.done()
        assert (await face.put(f"{HOME}other/{beside}.ics", event(f"o{beside}"))).status == 201
        beside += 1
    assert (await copying).status == 201
    assert beside > 5
    listed = await face.ask("PROPFIND", HOME + "copy/", Depth="1")
    assert len(listed.hrefs()) == 401
    assert len((await face.sync(HOME + "copy/")).hrefs()) == 400


async def test_a_copy_that_has_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    """RFC 4331 §6: the refusal comes before anything is seen, and what was made out of sight goes again."""
    face = await Face.make(tmp_path, limits=LimitSettings(home_bytes=20_000))
    for number in range(80):
        assert (await face.put(f"{HOME}calendar/{number}.ics", event(f"u{number}"))).status == 201
    refused = await face.ask("COPY", HOME + "calendar/", Destination=HOME + "copy/")
    assert (refused.status, refused.condition) == (507, "quota-not-exceeded")
    assert (await face.ask("PROPFIND", HOME + "copy/", Depth="0")).status == 404
    owner = face.people["anna"].principal_id
    assert await face.db.read(lambda tx: pruning.unfinished_copies(tx, owner, 1 << 40)) == []
    face.db.close()
