"""sync-collection and its tokens through the face (RFC 6578)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caldav_server.calendaring.sync import SyncToken, parse_token, render_token
from protocol.errors import Condition, Refusal
from protocol.model import Seq
from storage import calendars, principals, pruning, server_state
from testing.builders import event
from testing.face import Face

HOME = "/dav/calendars/anna/"
CALENDAR = HOME + "calendar/"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    yield made
    made.db.close()


async def _fill(face: Face, count: int) -> None:
    for number in range(count):
        await face.put(f"{CALENDAR}{number}.ics", event(f"uid-{number}"))


async def test_pages_of_a_first_synchronisation_tell_nothing_of_what_was_never_seen(face: Face) -> None:
    await _fill(face, 5)
    await face.ask("DELETE", CALENDAR + "2.ics")
    first = await face.sync(CALENDAR, limit=2)
    assert first.hrefs() == {CALENDAR + "0.ics": 200, CALENDAR + "1.ics": 200, CALENDAR: 507}
    second = await face.sync(CALENDAR, first.token(), limit=2)
    third = await face.sync(CALENDAR, second.token(), limit=2)
    seen = {**second.hrefs(), **third.hrefs()}
    assert seen == {CALENDAR + "3.ics": 200, CALENDAR + "4.ics": 200}


async def test_what_is_removed_while_a_client_pages_is_reported(face: Face) -> None:
    await _fill(face, 4)
    first = await face.sync(CALENDAR, limit=2)
    await face.ask("DELETE", CALENDAR + "0.ics")
    rest = await face.sync(CALENDAR, first.token())
    assert rest.hrefs() == {CALENDAR + "0.ics": 404, CALENDAR + "2.ics": 200, CALENDAR + "3.ics": 200}


async def test_removed_and_made_again_is_changed(face: Face) -> None:
    await _fill(face, 1)
    token = (await face.sync(CALENDAR)).token()
    await face.ask("DELETE", CALENDAR + "0.ics")
    await face.put(CALENDAR + "0.ics", event("another"))
    assert (await face.sync(CALENDAR, token)).hrefs() == {CALENDAR + "0.ics": 200}


@pytest.mark.parametrize("token", ["x", "urn:caldav-server:sync:a:b:1", "1", "http://sabre.io/ns/sync/4"])
async def test_foreign_tokens(face: Face, token: str) -> None:
    refused = await face.sync(CALENDAR, token)
    assert (refused.status, refused.condition) == (403, "valid-sync-token")


async def test_tokens_older_than_the_kept_tombstones(face: Face) -> None:
    await _fill(face, 1)
    token = (await face.sync(CALENDAR)).token()
    await face.ask("DELETE", CALENDAR + "0.ics")
    owner = face.people["anna"].principal_id

    def prune(tx: object) -> int:
        calendar = calendars.find(tx, owner, "calendar")  # type: ignore[arg-type]
        assert calendar is not None
        return pruning.delete_tombstones(tx, owner, calendar.calendar_id, 1 << 40, 9)  # type: ignore[arg-type]

    assert await face.db.write(prune) == 1
    assert (await face.sync(CALENDAR, token)).condition == "valid-sync-token"


async def test_tokens_end_with_a_restore(face: Face) -> None:
    token = (await face.sync(CALENDAR)).token()
    await face.db.write(lambda tx: server_state.set_epoch(tx, "another"))
    face.face = face.fresh()
    assert (await face.sync(CALENDAR, token)).condition == "valid-sync-token"


async def test_a_home_reports_its_collections(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    token = (await face.sync(HOME)).token()
    await face.ask("MKCALENDAR", HOME + "more/")
    await face.ask("DELETE", HOME + "work/")
    found = await face.sync(HOME, token)
    assert found.hrefs() == {HOME + "more/": 200, HOME + "work/": 404}
    assert (await face.sync(HOME, found.token())).hrefs() == {}


def test_a_token_of_the_future_is_refused() -> None:
    text = render_token("e", b"\x01", SyncToken(Seq(9)))
    with pytest.raises(Refusal) as refused:
        parse_token(text, epoch="e", collection_id=b"\x01", seq=Seq(8), min_valid_seq=Seq(0))
    assert refused.value.condition is Condition.VALID_SYNC_TOKEN


async def test_remembered_answers_are_never_stale(face: Face) -> None:
    """The same question again and again, with something different happening in between each time."""
    poll = (
        '<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:sync-token/><CS:getctag/>'
        '<D:displayname/><X:dead xmlns:X="urn:x"/></D:prop></D:propfind>'
    )

    async def ask() -> str:
        first = await face.ask("PROPFIND", CALENDAR, poll, Depth="0")
        again = await face.ask("PROPFIND", CALENDAR, poll, Depth="0")
        assert first.text == again.text and first.headers == again.headers
        return first.text

    seen = [await ask()]
    await face.put(CALENDAR + "a.ics", event("one"))
    seen.append(await ask())
    await face.put(CALENDAR + "a.ics", event("one", summary="two"))
    seen.append(await ask())
    await face.ask("MKCALENDAR", HOME + "other/")
    assert await ask() == seen[-1]
    for value in ("1", "2"):
        update = f'<D:set><D:prop><X:dead xmlns:X="urn:x">{value}</X:dead></D:prop></D:set>'
        await face.ask("PROPPATCH", CALENDAR, f'<D:propertyupdate xmlns:D="DAV:">{update}</D:propertyupdate>')
        seen.append(await ask())
    await face.ask("DELETE", CALENDAR + "a.ics")
    seen.append(await ask())
    await face.ask("DELETE", CALENDAR)
    seen.append(await ask())
    assert len(set(seen)) == len(seen) == 7
    stranger = await face.add("ben")
    assert (await face.ask("PROPFIND", CALENDAR, poll, who="ben", Depth="0")).status == 403
    await face.db.write(
        lambda tx: principals.set_delegates(tx, face.people["anna"].principal_id, [(stranger.principal_id, False)])
    )
    face.people["ben"] = replace(stranger)  # what a login does when accounts change
    assert (await face.ask("PROPFIND", CALENDAR, poll, who="ben", Depth="0")).status == 207


async def test_a_poll_by_report_sees_each_change_once(face: Face) -> None:
    token = (await face.sync(CALENDAR)).token()
    for number in range(3):
        assert (await face.sync(CALENDAR, token)).hrefs() == (await face.sync(CALENDAR, token)).hrefs() == {}
        await face.put(f"{CALENDAR}{number}.ics", event(f"uid-{number}"))
        found = await face.sync(CALENDAR, token)
        assert found.hrefs() == (await face.sync(CALENDAR, token)).hrefs() == {f"{CALENDAR}{number}.ics": 200}
        token = found.token()


async def test_a_first_synchronisation_of_a_home_knows_no_removed_calendars(face: Face) -> None:
    """RFC 6578 §3.4."""
    await face.ask("MKCALENDAR", HOME + "gone/")
    await face.ask("DELETE", HOME + "gone/")
    assert HOME + "gone/" not in (await face.sync(HOME)).hrefs()


async def test_a_renamed_calendar_is_told_by_both_names_however_the_answer_is_cut(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "old/")
    token = (await face.sync(HOME)).token()
    await face.ask("MOVE", HOME + "old/", Destination=HOME + "new/")
    told: dict[str, int] = {}
    for _ in range(2):
        page = await face.sync(HOME, token, limit=1)
        told |= page.hrefs()
        token = page.token()
    del told[HOME]
    assert told == {HOME + "old/": 404, HOME + "new/": 200}
