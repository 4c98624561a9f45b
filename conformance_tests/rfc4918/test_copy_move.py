"""COPY and MOVE: RFC 4918 §9.8, §9.9, §10.3, §10.6; and RFC 4791 §5.3.2.1's UID rule on them."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import segments, tag
from testing.builders import event, new_uid


@pytest.fixture
def target(new_calendar) -> Calendar:
    """A second calendar of the same user."""
    return new_calendar()


def test_copy_to_another_calendar(client: Client, calendar: Calendar, target: Calendar) -> None:
    """RFC 4918 §9.8: COPY makes an equal resource at the destination: 201, both remain."""
    data = event()
    calendar.add("a.ics", data)
    client.copy(calendar.path("a.ics"), target.path("b.ics")).expect(201)
    assert target.get("b.ics").expect(200).body == data
    assert calendar.get("a.ics").expect(200).body == data


def test_copy_takes_dead_properties(client: Client, calendar: Calendar, target: Calendar) -> None:
    """RFC 4918 §9.8.2: dead properties are duplicated."""
    calendar.add("a.ics", event())
    client.set_properties(calendar.path("a.ics"), "<X:dead>v</X:dead>").expect(207)
    client.copy(calendar.path("a.ics"), target.path("b.ics")).expect(201)
    assert client.propfind(target.path("b.ics"), "X:dead").only.text("X:dead") == "v"


def test_copy_inside_a_calendar_breaks_the_uid_rule(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: COPY beside the original would give two resources one UID: no-uid-conflict with its href."""
    calendar.add("a.ics", event())
    answer = client.copy(calendar.path("a.ics"), calendar.path("b.ics")).refused(403, "C:no-uid-conflict")
    from conformance_tests.dav import parse_xml

    href = parse_xml(answer.body).findtext(f".//{tag('C:no-uid-conflict')}/{tag('D:href')}")
    assert href and segments(href) == segments(calendar.path("a.ics"))
    calendar.get("b.ics").expect(404)


def test_move_renames(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.9: MOVE inside a calendar: 201, the old name is 404, the bytes and the ETag are the same."""
    data = event()
    etag = calendar.add("a.ics", data)
    client.move(calendar.path("a.ics"), calendar.path("b.ics")).expect(201)
    calendar.get("a.ics").expect(404)
    answer = calendar.get("b.ics").expect(200)
    assert answer.body == data and answer.etag == etag
    assert set(calendar.etags()) == {"b.ics"}


def test_move_to_another_calendar(client: Client, calendar: Calendar, target: Calendar) -> None:
    """RFC 4918 §9.9: MOVE between calendars takes text and dead properties along."""
    data = event()
    calendar.add("a.ics", data)
    client.set_properties(calendar.path("a.ics"), "<X:dead>v</X:dead>").expect(207)
    client.move(calendar.path("a.ics"), target.path("a.ics")).expect(201)
    assert calendar.etags() == {}
    assert target.get("a.ics").body == data
    assert client.propfind(target.path("a.ics"), "X:dead").only.text("X:dead") == "v"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_overwrite_by_default(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 4918 §10.6: without Overwrite, or with T, a mapped destination is replaced: 204."""
    data = event(summary="source")
    calendar.add("a.ics", data)
    target.add("b.ics", event(summary="target"))
    client.request(method, calendar.path("a.ics"), None, {"Destination": target.path("b.ics")}).expect(204)
    assert target.get("b.ics").body == data


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_overwrite_false(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 4918 §10.6: Overwrite: F on a mapped destination is 412; nothing changes."""
    calendar.add("a.ics", event(summary="source"))
    kept = event(summary="target")
    target.add("b.ics", kept)
    headers = {"Destination": target.path("b.ics"), "Overwrite": "F"}
    client.request(method, calendar.path("a.ics"), None, headers).expect(412)
    assert target.get("b.ics").body == kept
    calendar.get("a.ics").expect(200)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_overwrite_same_uid(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 4791 §5.3.2.1: replacing the resource that has the same UID is no conflict."""
    uid = new_uid()
    newer = event(uid, summary="newer")
    calendar.add("a.ics", newer)
    target.add("a.ics", event(uid, summary="older"))
    client.request(method, calendar.path("a.ics"), None, {"Destination": target.path("a.ics")}).expect(204)
    assert target.get("a.ics").body == newer


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_uid_conflict_at_the_destination(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 4791 §5.3.2.1: a UID that the destination calendar has under another name is refused."""
    uid = new_uid()
    calendar.add("a.ics", event(uid))
    target.add("b.ics", event(uid))
    answer = client.request(method, calendar.path("a.ics"), None, {"Destination": target.path("c.ics")})
    answer.refused(403, "C:no-uid-conflict")
    calendar.get("a.ics").expect(200)
    assert set(target.etags()) == {"b.ics"}


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_destination_forms(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 4918 §10.3: Destination is an absolute URI or an absolute path; escapes mean what they decode to."""
    forms = {
        "1.ics": client.origin + target.path("1.ics"),
        "2.ics": target.path("2.ics"),
        "3.ics": target.href + "%33%2Eics",
        "a@b c.ics": target.href + "a@b%20c.ics",
    }
    for name, destination in forms.items():
        calendar.add(name, event())
        client.request(method, calendar.path(name), None, {"Destination": destination}).expect(201)
    assert set(target.etags()) == set(forms)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_destination_missing_or_bad(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §10.3: no Destination, or one that is no URL, is 400."""
    calendar.add("a.ics", event())
    client.request(method, calendar.path("a.ics"), None, {}).expect(400)
    for bad in ("", "relative/path.ics", "http://[bad/x", "mailto:a@example.com"):
        answer = client.request(method, calendar.path("a.ics"), None, {"Destination": bad})
        assert answer.status in {400, 502}, (bad, answer.status)
    calendar.get("a.ics").expect(200)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_destination_on_another_server(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §9.8.5: a destination on another server is 502."""
    calendar.add("a.ics", event())
    headers = {"Destination": "http://elsewhere.example.com" + calendar.path("b.ics")}
    client.request(method, calendar.path("a.ics"), None, headers).expect(502)
    calendar.get("a.ics").expect(200)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_destination_without_parent(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §9.8.5: a destination whose parent collection is missing is 409."""
    calendar.add("a.ics", event())
    headers = {"Destination": f"{client.home}no-such-calendar/a.ics"}
    client.request(method, calendar.path("a.ics"), None, headers).expect(409)
    calendar.get("a.ics").expect(200)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_onto_itself(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §9.8.5: source and destination being the same resource is 403, however the URL is written."""
    calendar.add("a.ics", event())
    for same in (calendar.path("a.ics"), calendar.href + "%61.ics", client.origin + calendar.path("a.ics")):
        client.request(method, calendar.path("a.ics"), None, {"Destination": same}).expect(403)
    calendar.get("a.ics").expect(200)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_missing_source(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §9.8: a source that does not exist is 404."""
    answer = client.request(method, calendar.path("none.ics"), None, {"Destination": calendar.path("b.ics")})
    answer.expect(404)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_if_match_on_the_source(client: Client, calendar: Calendar, target: Calendar, method: str) -> None:
    """RFC 9110 §13.1.1: If-Match is about the source: a stale one is 412."""
    etag = calendar.add("a.ics", event())
    headers = {"Destination": target.path("a.ics"), "If-Match": '"stale"'}
    client.request(method, calendar.path("a.ics"), None, headers).expect(412)
    client.request(method, calendar.path("a.ics"), None, {**headers, "If-Match": etag}).expect(201)


def test_move_collection(client: Client, calendar: Calendar, new_calendar) -> None:
    """RFC 4918 §9.9.2: MOVE of a calendar takes its members and properties to the new URL."""
    data = event()
    calendar.add("a.ics", data)
    client.set_properties(calendar.href, "<D:displayname>Moving</D:displayname><X:dead>v</X:dead>").expect(207)
    other = Calendar(client, calendar.href.rstrip("/") + "-moved/")
    client.move(calendar.href, other.href).expect(201)
    client.propfind_raw(calendar.href, None).expect(404)
    assert other.get("a.ics").body == data
    item = other.propfind("D:displayname", "X:dead").only
    assert item.text("D:displayname") == "Moving" and item.text("X:dead") == "v"
    client.delete(other.href).expect(204)


def test_copy_collection(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.8.3: COPY of a calendar with Depth: infinity copies its members; with Depth: 0 only itself."""
    calendar.add("a.ics", event())
    for depth, count in (("infinity", 1), ("0", 0)):
        copied = Calendar(client, calendar.href.rstrip("/") + f"-copy-{depth}/")
        client.copy(calendar.href, copied.href, {"Depth": depth}).expect(201)
        assert len(copied.etags()) == count
        client.delete(copied.href).expect(204)


def test_move_collection_into_itself(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.9: a collection cannot move below itself."""
    client.move(calendar.href, calendar.href + "inside/").expect(403, 409)
    client.propfind(calendar.href, "D:resourcetype")


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_into_a_foreign_home(client: Client, other: Client, calendar: Calendar, method: str) -> None:
    """RFC 3744 §3: without DAV:bind on the destination it is 403 (or 404 when it is hidden); the source stays."""
    calendar.add("a.ics", event())
    destination = f"{other.home}calendar/a.ics"
    client.request(method, calendar.path("a.ics"), None, {"Destination": destination}).expect(403, 404)
    calendar.get("a.ics").expect(200)
    other.get(destination).expect(404)


def test_component_not_in_the_destination(client: Client, calendar: Calendar, new_calendar) -> None:
    """RFC 4791 §5.3.2.1: MOVE into a calendar that does not take the component type is refused."""
    tasks = new_calendar(
        '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
    )
    calendar.add("a.ics", event())
    client.move(calendar.path("a.ics"), tasks.path("a.ics")).refused(403, "C:supported-calendar-component")
    calendar.get("a.ics").expect(200)
