"""GET, HEAD, PUT and DELETE of one resource: RFC 4918 §9.4, §9.6, §9.7; RFC 9110 §13."""

import pytest

from conformance_tests.client import Calendar, Client
from testing.builders import event, new_uid


def test_put_creates(calendar: Calendar) -> None:
    """RFC 4918 §9.7.1: PUT to an unmapped URL creates the resource: 201."""
    calendar.put("a.ics", event()).expect(201)


def test_put_replaces(calendar: Calendar) -> None:
    """RFC 4918 §9.7.1: PUT to a mapped URL replaces it: 204, and the new text is read back."""
    uid = new_uid()
    calendar.add("a.ics", event(uid))
    changed = event(uid, summary="Changed")
    calendar.put("a.ics", changed).expect(204, 200)
    assert calendar.get("a.ics").body == changed


def test_bytes_come_back_verbatim(calendar: Calendar) -> None:
    """RFC 4791 §5.3.4: an ETag in the answer to PUT says that GET returns the very bytes that were sent."""
    data = event(summary="Grüße, まだ 🎉\\, done", more='X-UNKNOWN;X-P="a;b":some, thing\\nhere')
    etag = calendar.put("a.ics", data).expect(201).etag
    answer = calendar.get("a.ics").expect(200)
    assert answer.body == data
    assert answer.etag == etag


def test_get_headers(calendar: Calendar) -> None:
    """RFC 4918 §9.4: GET answers type, length, ETag and the time of change."""
    data = event()
    calendar.add("a.ics", data)
    answer = calendar.get("a.ics").expect(200)
    assert (answer.header("Content-Type") or "").split(";")[0] == "text/calendar"
    assert "charset=utf-8" in (answer.header("Content-Type") or "").lower().replace('"', "")
    assert answer.header("Content-Length") == str(len(data))
    assert answer.header("Last-Modified")
    assert answer.etag


def test_head_is_get_without_a_body(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §9.3.2: HEAD answers the header fields of GET and no body."""
    calendar.add("a.ics", event())
    got = calendar.get("a.ics")
    head = client.request("HEAD", calendar.path("a.ics")).expect(200)
    assert head.body == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified"):
        assert head.header(name) == got.header(name), name


def test_get_missing(calendar: Calendar) -> None:
    """RFC 9110 §15.5.5: GET of an unmapped name is 404."""
    calendar.get("missing.ics").expect(404)


def test_get_if_none_match(calendar: Calendar) -> None:
    """RFC 9110 §13.1.2: GET with the current ETag in If-None-Match is 304 without a body."""
    etag = calendar.add("a.ics", event())
    answer = calendar.get("a.ics", {"If-None-Match": etag}).expect(304)
    assert answer.body == b""
    assert answer.header("ETag") == etag
    calendar.get("a.ics", {"If-None-Match": '"other"'}).expect(200)


def test_get_if_none_match_is_weak(calendar: Calendar) -> None:
    """RFC 9110 §13.1.2: If-None-Match compares weakly."""
    etag = calendar.add("a.ics", event())
    calendar.get("a.ics", {"If-None-Match": f"W/{etag}"}).expect(304)


def test_get_of_a_calendar_is_one_ics(calendar: Calendar, client: Client) -> None:
    """RFC 4791 §5.2: GET of a calendar is served as one iCalendar stream with every object in it."""
    uids = [new_uid() for _ in range(3)]
    for number, uid in enumerate(uids):
        calendar.add(f"{number}.ics", event(uid))
    answer = client.get(calendar.href).expect(200)
    assert (answer.header("Content-Type") or "").startswith("text/calendar")
    text = answer.body.decode()
    assert text.count("BEGIN:VCALENDAR") == 1
    assert text.count("BEGIN:VEVENT") == 3
    assert all(f"UID:{uid}" in text for uid in uids)


@pytest.mark.parametrize("given", ["current", "star", "list"])
def test_put_if_match_holds(calendar: Calendar, given: str) -> None:
    """RFC 9110 §13.1.1: If-Match with the current ETag, a list that has it, or * lets PUT through."""
    uid = new_uid()
    etag = calendar.add("a.ics", event(uid))
    header = {"current": etag, "star": "*", "list": f'"nope", {etag}'}[given]
    calendar.put("a.ics", event(uid, summary="B"), {"If-Match": header}).expect(204, 200)


@pytest.mark.parametrize("given", ["stale", "other", "weak"])
def test_put_if_match_fails(calendar: Calendar, given: str) -> None:
    """RFC 9110 §13.1.1: If-Match that names no current strong ETag is 412 and changes nothing."""
    uid = new_uid()
    first = calendar.add("a.ics", event(uid))
    second = calendar.put("a.ics", event(uid, summary="B")).expect(204, 200).etag
    assert first != second
    header = {"stale": first, "other": '"nope"', "weak": f"W/{second}"}[given]
    calendar.put("a.ics", event(uid, summary="C"), {"If-Match": header}).expect(412)
    assert calendar.get("a.ics").body == event(uid, summary="B")


@pytest.mark.parametrize("header", ["*", '"any"'])
def test_put_if_match_on_nothing(calendar: Calendar, header: str) -> None:
    """RFC 9110 §13.1.1: If-Match on an unmapped URL is 412 and creates nothing."""
    calendar.put("a.ics", event(), {"If-Match": header}).expect(412)
    calendar.get("a.ics").expect(404)


def test_put_if_none_match_star(calendar: Calendar) -> None:
    """RFC 9110 §13.1.2: If-None-Match: * creates, and is 412 when the URL is mapped."""
    uid = new_uid()
    calendar.put("a.ics", event(uid), {"If-None-Match": "*"}).expect(201)
    calendar.put("a.ics", event(uid, summary="B"), {"If-None-Match": "*"}).expect(412)
    calendar.put("a.ics", event(uid), {"If-None-Match": "*"}).expect(412)
    assert calendar.get("a.ics").body == event(uid)


def test_put_of_the_same_bytes_keeps_the_etag(calendar: Calendar) -> None:
    """RFC 9110 §8.8.3: the entity tag is of the bytes; a repeated PUT (a retry) answers the same one."""
    data = event()
    first = calendar.put("a.ics", data).expect(201).etag
    assert calendar.put("a.ics", data).expect(204, 200).etag == first


def test_put_into_a_missing_calendar(client: Client) -> None:
    """RFC 4918 §9.7.1: PUT without the parent collection is 409."""
    client.put(f"{client.home}no-such-calendar/a.ics", event()).expect(409)


def test_put_below_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.7.1: an object is no collection: PUT below it is 409."""
    calendar.add("a.ics", event())
    client.put(calendar.path("a.ics") + "/b.ics", event()).expect(409)


def test_put_onto_a_calendar(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.7.2: PUT onto a collection is refused with 405."""
    answer = client.put(calendar.href, event()).expect(405)
    assert "PROPFIND" in answer.allow
    assert calendar.etags() == {}


def test_put_into_the_home(client: Client) -> None:
    """RFC 4791 §4.2: calendar object resources live in calendars; PUT beside calendars is refused, not stored."""
    client.put(f"{client.home}stray.ics", event()).expect(403, 405, 409)
    client.get(f"{client.home}stray.ics").expect(404)


def test_delete(calendar: Calendar) -> None:
    """RFC 4918 §9.6: DELETE unmaps the URL: 204, then 404."""
    calendar.add("a.ics", event())
    calendar.delete("a.ics").expect(204)
    calendar.get("a.ics").expect(404)
    calendar.delete("a.ics").expect(404)
    assert calendar.etags() == {}


def test_delete_if_match(calendar: Calendar) -> None:
    """RFC 9110 §13.1.1: DELETE with a stale If-Match is 412 and keeps the resource."""
    etag = calendar.add("a.ics", event())
    calendar.delete("a.ics", {"If-Match": '"stale"'}).expect(412)
    calendar.get("a.ics").expect(200)
    calendar.delete("a.ics", {"If-Match": etag}).expect(204)


def test_name_lives_again_after_delete(calendar: Calendar) -> None:
    """RFC 4918 §9.6: a deleted name and its UID can be used again at once, every time."""
    data = event()
    for _ in range(4):
        calendar.put("a.ics", data, {"If-None-Match": "*"}).expect(201)
        calendar.delete("a.ics").expect(204)


def test_delete_collection(client: Client, new_calendar) -> None:
    """RFC 4918 §9.6.1: DELETE of a collection removes its members."""
    made = new_calendar()
    made.add("a.ics", event())
    client.delete(made.href).expect(204)
    client.propfind_raw(made.href, None).expect(404)
    made.get("a.ics").expect(404)


def test_recreated_collection_is_empty(client: Client, new_calendar) -> None:
    """RFC 4918 §9.6.1: what was deleted does not come back with a new collection of the name."""
    made = new_calendar("<D:displayname>Old</D:displayname><X:dead>1</X:dead>")
    made.add("a.ics", event())
    client.delete(made.href).expect(204)
    client.mkcalendar(made.href).expect(201)
    assert made.etags() == {}
    made.get("a.ics").expect(404)
    assert made.propfind("X:dead").only.status_for("X:dead") == 404


def test_method_not_allowed_names_allow(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §15.5.6: a 405 carries Allow."""
    calendar.add("a.ics", event())
    answer = client.request("MKCALENDAR", calendar.path("a.ics"))
    answer.expect(403, 405)
    answer = client.request("LOCK", calendar.path("a.ics"))
    assert answer.status == 501 or answer.allow
