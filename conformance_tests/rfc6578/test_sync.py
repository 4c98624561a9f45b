"""sync-collection: RFC 6578 §3, on calendars."""

import re

import pytest

from conformance_tests.client import Calendar, Client, sync_body
from conformance_tests.dav import NAMESPACES, conditions_of, segments
from testing.builders import event, new_uid


def test_initial(calendar: Calendar) -> None:
    """RFC 6578 §3.4: an empty token returns every member and no removed one."""
    etags = {f"{n}.ics": calendar.add(f"{n}.ics", event()) for n in range(3)}
    calendar.add("gone.ics", event())
    calendar.delete("gone.ics").expect(204)
    answer = calendar.sync()
    assert answer.changed == etags
    assert answer.removed == set()


def test_nothing_new(calendar: Calendar) -> None:
    """RFC 6578 §3.2: with a current token there are no responses, and the token stays usable."""
    calendar.add("a.ics", event())
    token = calendar.sync().sync_token
    for _ in range(2):
        answer = calendar.sync(token)
        assert len(answer) == 0
        token = answer.sync_token
    assert calendar.sync(token).sync_token == token


def test_changes(calendar: Calendar) -> None:
    """RFC 6578 §3.5: added, changed and removed members, each once."""
    uid = new_uid()
    calendar.add("changed.ics", event(uid))
    calendar.add("removed.ics", event())
    calendar.add("kept.ics", event())
    token = calendar.sync().sync_token
    added = calendar.add("added.ics", event())
    changed = calendar.put("changed.ics", event(uid, summary="B")).expect(204).etag
    calendar.delete("removed.ics").expect(204)
    answer = calendar.sync(token)
    assert answer.changed == {"added.ics": added, "changed.ics": changed}
    assert answer.removed == {"removed.ics"}


def test_several_changes_are_one(calendar: Calendar) -> None:
    """RFC 6578 §3.2: a member appears once, in its last state."""
    uid = new_uid()
    token = calendar.sync().sync_token
    calendar.add("a.ics", event(uid))
    for number in range(5):
        etag = calendar.put("a.ics", event(uid, summary=str(number))).expect(204).etag
    assert calendar.sync(token).changed == {"a.ics": etag}


def test_removed_and_made_again(calendar: Calendar) -> None:
    """RFC 6578 §3.5.1: removed and mapped again is changed, not removed."""
    calendar.add("a.ics", event())
    token = calendar.sync().sync_token
    calendar.delete("a.ics").expect(204)
    etag = calendar.add("a.ics", event())
    answer = calendar.sync(token)
    assert answer.changed == {"a.ics": etag} and answer.removed == set()


def test_added_and_removed(calendar: Calendar) -> None:
    """RFC 6578 §3.5.2: added and removed between two reports is removed."""
    token = calendar.sync().sync_token
    calendar.add("a.ics", event())
    calendar.delete("a.ics").expect(204)
    answer = calendar.sync(token)
    assert answer.changed == {} and answer.removed == {"a.ics"}


def test_removal_is_told_to_every_old_token(calendar: Calendar) -> None:
    """RFC 6578 §3.5.2: each client learns of a removal, whichever token it has."""
    calendar.add("a.ics", event())
    first = calendar.sync().sync_token
    calendar.add("b.ics", event())
    second = calendar.sync(first).sync_token
    calendar.delete("a.ics").expect(204)
    assert calendar.sync(first).removed == calendar.sync(second).removed == {"a.ics"}
    assert set(calendar.sync(first).changed) == {"b.ics"}


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_copy_and_move(calendar: Calendar, new_calendar, client: Client, method: str) -> None:
    """RFC 6578 §3.5.1: COPY and MOVE change both collections."""
    target = new_calendar()
    calendar.add("a.ics", event())
    here, there = calendar.sync().sync_token, target.sync().sync_token
    client.request(method, calendar.path("a.ics"), None, {"Destination": target.path("b.ics")}).expect(201)
    assert set(target.sync(there).changed) == {"b.ics"}
    assert calendar.sync(here).removed == ({"a.ics"} if method == "MOVE" else set())


def test_rename(calendar: Calendar, client: Client) -> None:
    """RFC 6578 §3.5: a rename removes one name and adds the other."""
    etag = calendar.add("a.ics", event())
    token = calendar.sync().sync_token
    client.move(calendar.path("a.ics"), calendar.path("b.ics")).expect(201)
    answer = calendar.sync(token)
    assert answer.changed == {"b.ics": etag} and answer.removed == {"a.ics"}


def test_failed_requests_change_nothing(calendar: Calendar) -> None:
    """RFC 6578 §3.5: what is refused does not appear and does not move the token."""
    etag = calendar.add("a.ics", event())
    token = calendar.sync().sync_token
    calendar.put("a.ics", event(), {"If-Match": '"no"'}).expect(412)
    calendar.put("b.ics", "garbage").expect(403)
    calendar.delete("none.ics").expect(404)
    answer = calendar.sync(token)
    assert len(answer) == 0 and answer.sync_token == token
    assert calendar.etags() == {"a.ics": etag}


def page_through(calendar: Calendar, token: str, limit: int) -> tuple[dict[str, str], set[str], int, str]:
    """All pages of a limited sync: what changed, what was removed, the number of pages, the last token."""
    changed: dict[str, str] = {}
    removed: set[str] = set()
    for pages in range(1, 1000):
        answer = calendar.sync(token, limit=limit)
        cut = [item for item in answer.items if item.status == 507]
        members = [item for item in answer.items if item.status != 507]
        assert len(members) <= limit
        assert answer.sync_token != token or not members
        changed.update(answer.changed)
        removed |= answer.removed
        token = answer.sync_token or ""
        if not cut:
            return changed, removed, pages, token
        assert segments(cut[0].href) == segments(calendar.href)
        assert cut[0].error is not None
        assert conditions_of(cut[0].error) == {"D:number-of-matches-within-limits"}
        assert members, "a truncated page must carry something"
    raise AssertionError("paging does not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_paging_the_first_sync(calendar: Calendar, limit: int) -> None:
    """RFC 6578 §3.6: a limited first sync is paged: 507 for the collection, a token per page, nothing lost."""
    etags = {f"{n}.ics": calendar.add(f"{n}.ics", event()) for n in range(7)}
    calendar.add("gone.ics", event())
    calendar.delete("gone.ics").expect(204)
    changed, removed, pages, token = page_through(calendar, "", limit)
    assert changed == etags and removed == set()
    assert pages == -(-7 // limit)
    assert len(calendar.sync(token)) == 0


def test_paging_later_changes(calendar: Calendar) -> None:
    """RFC 6578 §3.6: later changes and removals are paged the same way."""
    for n in range(6):
        calendar.add(f"{n}.ics", event())
    token = calendar.sync().sync_token or ""
    for n in range(3):
        calendar.delete(f"{n}.ics").expect(204)
    etags = {f"{n}.ics": calendar.add(f"{n}.ics", event()) for n in range(6, 9)}
    changed, removed, pages, _ = page_through(calendar, token, 2)
    assert changed == etags and removed == {"0.ics", "1.ics", "2.ics"} and pages == 3


def test_changes_while_paging(calendar: Calendar) -> None:
    """RFC 6578 §3.6: what changes between two pages is not lost and ends in its last state."""
    uids = {f"{n}.ics": new_uid() for n in range(6)}
    for name, uid in uids.items():
        calendar.add(name, event(uid))
    first = calendar.sync(limit=3)
    seen = dict(first.changed)
    already = sorted(seen)[0]
    waiting = sorted(set(uids) - set(seen))[0]
    calendar.put(already, event(uids[already], summary="again")).expect(204)
    calendar.delete(waiting).expect(204)
    changed, removed, _, _ = page_through(calendar, first.sync_token or "", 3)
    state = {**seen, **changed}
    for name in removed:
        state.pop(name, None)
    assert state == calendar.etags()


BAD_TOKENS = [
    "1",
    "0",
    "garbage",
    "http://example.com/ns/sync/1234",
    "urn:caldav-server:sync:x:y:z",
    "data:,1",
    "urn:uuid:fe184f2e-6eec-41d0-c765-01adc56e6bb4",
    "x" * 5000,
    "まだ",
    "&lt;script&gt;",
    "-1",
    "'; DROP TABLE objects; --",
]


@pytest.mark.parametrize("token", BAD_TOKENS, ids=range(len(BAD_TOKENS)))
def test_foreign_token(calendar: Calendar, token: str) -> None:
    """RFC 6578 §3.2: a token this server did not give out is refused with DAV:valid-sync-token, 403."""
    calendar.add("a.ics", event())
    calendar.sync_raw(token).refused(403, "D:valid-sync-token")


def test_token_of_another_calendar(calendar: Calendar, new_calendar) -> None:
    """RFC 6578 §3.2: a token belongs to its collection."""
    token = new_calendar().sync().sync_token or ""
    calendar.sync_raw(token).refused(403, "D:valid-sync-token")


def test_token_of_a_deleted_calendar(calendar: Calendar, client: Client) -> None:
    """RFC 6578 §3.2: the token of a deleted calendar is not valid for a new one at the same URL."""
    calendar.add("a.ics", event())
    token = calendar.sync().sync_token or ""
    client.delete(calendar.href).expect(204)
    client.mkcalendar(calendar.href).expect(201)
    calendar.sync_raw(token).refused(403, "D:valid-sync-token")
    assert calendar.sync().changed == {}


def test_token_from_the_future(calendar: Calendar) -> None:
    """RFC 6578 §3.2: a token with a number never reached (a restored backup) is refused, not answered with nothing."""
    token = calendar.sync().sync_token or ""
    number = re.search(r"\d+$", token)
    if number:
        later = token[: number.start()] + str(int(number[0]) + 1000)
        calendar.sync_raw(later).refused(403, "D:valid-sync-token")


@pytest.mark.parametrize(
    ("level", "depth"), [("1", "0"), ("1", None), ("1", "1"), ("infinite", "0"), ("infinity", "0")]
)
def test_levels_and_depths(calendar: Calendar, level: str, depth: str | None) -> None:
    """RFC 6578 §3.3: sync-level 1 or infinite with Depth: 0; Depth: 1, which clients send, is taken too."""
    calendar.add("a.ics", event())
    assert calendar.sync_raw(level=level, depth=depth).multistatus.names == {"a.ics"}


def test_depth_1_as_the_level(calendar: Calendar) -> None:
    """RFC 6578 Appendix A: without sync-level the Depth header says it, as older clients do."""
    calendar.add("a.ics", event())
    body = f"<D:sync-collection {NAMESPACES}><D:sync-token/><D:prop><D:getetag/></D:prop></D:sync-collection>"
    assert calendar.report(body, "1").multistatus.names == {"a.ics"}


def test_depth_infinity(calendar: Calendar) -> None:
    """RFC 6578 §3.2: Depth: infinity is 400, or harmless: calendars have one level only."""
    calendar.add("a.ics", event())
    answer = calendar.sync_raw(depth="infinity").expect(207, 400)
    assert answer.status == 400 or answer.multistatus.names == {"a.ics"}


@pytest.mark.parametrize("level", ["2", "", "all"])
def test_bad_level(calendar: Calendar, level: str) -> None:
    """RFC 6578 §6.3: a sync-level that is neither 1 nor infinite is 400."""
    calendar.sync_raw(level=level).expect(400)


@pytest.mark.parametrize("limit", ["0", "-1", "x", ""])
def test_bad_limit(calendar: Calendar, limit: str) -> None:
    """RFC 5323 §5.17: nresults is a positive number; what is not is 400 (or 0 results with 507), never 5xx."""
    calendar.add("a.ics", event())
    calendar.report(sync_body("", limit, "1", "<D:getetag/>"), "0").expect(400, 207, 507, 403)  # type: ignore[arg-type]


def test_properties(calendar: Calendar) -> None:
    """RFC 6578 §3.2: any property may be asked for; calendar-data too."""
    body = event()
    calendar.add("a.ics", body)
    item = calendar.sync(props="<D:getetag/><D:getcontenttype/><C:calendar-data/><X:none/>").only
    assert item.data == body.decode().replace("\r\n", "\n")
    assert item.text("D:getcontenttype").startswith("text/calendar")
    assert item.status_for("X:none") == 404


def test_sync_token_property(calendar: Calendar) -> None:
    """RFC 6578 §4: DAV:sync-token is the token the report would give, and changes with the members."""
    calendar.add("a.ics", event())
    token = calendar.prop("D:sync-token").text
    assert calendar.sync().sync_token == token
    calendar.add("b.ics", event())
    assert calendar.prop("D:sync-token").text != token
    assert set(calendar.sync(token).changed) == {"b.ics"}


def test_token_is_a_uri(calendar: Calendar) -> None:
    """RFC 6578 §4: the token is a URI without spaces."""
    token = calendar.sync().sync_token or ""
    assert ":" in token and token.strip() == token and " " not in token and token.isascii()


def test_report_is_advertised(calendar: Calendar, client: Client) -> None:
    """RFC 6578 §4: a collection that supports the report has a sync-token."""
    assert calendar.propfind("D:sync-token").only.has("D:sync-token")


def test_on_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 6578 §3.2: the report is for collections: elsewhere it is refused with DAV:supported-report."""
    calendar.add("a.ics", event())
    client.report(calendar.path("a.ics"), sync_body("", None, "1", "<D:getetag/>"), "0").refused(
        403, "D:supported-report"
    )


def test_dead_properties_do_not_move_members(calendar: Calendar, client: Client) -> None:
    """RFC 6578 §3.5.1: a member is changed when its ETag changed; PROPPATCH of the calendar reports no member."""
    calendar.add("a.ics", event())
    token = calendar.sync().sync_token
    client.set_properties(calendar.href, "<D:displayname>New</D:displayname>").expect(207)
    assert calendar.sync(token).changed == {}


def test_home_level(client: Client, new_calendar) -> None:
    """RFC 6578 §3.4: the home itself syncs: new, changed and removed calendars."""
    home = Calendar(client, client.home)
    token = home.sync(props="<D:resourcetype/>").sync_token or ""
    made = new_calendar()
    name = made.href.rstrip("/").rsplit("/", 1)[1]
    answer = home.sync(token, props="<D:resourcetype/>")
    assert name in answer.names
    token = answer.sync_token or ""
    made.add("a.ics", event())
    answer = home.sync(token, props="<CS:getctag/>")
    token = answer.sync_token or ""
    client.set_properties(made.href, "<D:displayname>New name</D:displayname>").expect(207)
    answer = home.sync(token, props="<D:displayname/>")
    assert name in answer.names
    token = answer.sync_token or ""
    client.delete(made.href).expect(204)
    assert name in home.sync(token, props="<D:displayname/>").removed


def test_home_level_token_is_checked(client: Client, calendar: Calendar) -> None:
    """RFC 6578 §3.2: a home does not take a calendar's token, nor garbage."""
    home = Calendar(client, client.home)
    for token in (calendar.sync().sync_token or "", "garbage"):
        home.sync_raw(token, props="<D:resourcetype/>").refused(403, "D:valid-sync-token")


def test_many_members(calendar: Calendar) -> None:
    """RFC 6578 §3.6: two hundred members page through in any size without loss or doubling."""
    etags = {f"{n}.ics": calendar.add(f"{n}.ics", event()) for n in range(60)}
    for n in range(0, 60, 3):
        calendar.delete(f"{n}.ics").expect(204)
        del etags[f"{n}.ics"]
    changed, removed, _, _ = page_through(calendar, "", 7)
    assert changed == etags and not removed
