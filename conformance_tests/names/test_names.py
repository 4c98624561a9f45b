"""Names of resources may hold any octet: RFC 3986 §2, RFC 4918 §8.3, and what clients send."""

import uuid
from urllib.parse import quote

import pytest

from conformance_tests.client import Calendar, Client, segment
from conformance_tests.dav import HREF, last_segment, segments
from testing.builders import event

NAMES = [
    "a b.ics", "user@example.com.ics", "50%.ics", "a#b.ics", "a?b=c.ics", "a;b.ics", "a:b.ics", "a&b.ics", "a+b.ics",
    "a=b.ics", "a,b.ics", "a'b.ics", 'a"b.ics', "a<b>.ics", "a\\b.ics", "[a].ics", "{a}.ics", "a|b.ics", "a^b.ics",
    "~a.ics", "!$()*.ics", "ä.ics", "まだ.ics", "🎉.ics", "%41.ics", "%2F.ics", "..ics", "...", "-", "a.ics.", "A.ICS",
    "no-extension", "a" * 200 + ".ics", "con", "null", "0", " lead.ics", "trail ", "a//b".replace("//", "%2F%2F"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(client: Client, calendar: Calendar, name: str) -> None:
    """RFC 3986 §2: a name comes back as itself from every way of asking, and its href works as given."""
    data = event()
    etag = calendar.put(name, data).expect(201).etag
    assert calendar.etags() == {name: etag}
    assert calendar.sync().changed == {name: etag}
    href = next(
        item.href for item in calendar.propfind("D:getetag", depth="1").items if last_segment(item.href) == name
    )
    assert HREF.fullmatch(href)
    assert client.get(href).expect(200).body == data
    assert calendar.multiget(href.replace("&", "&amp;")).multistatus.only.has("C:calendar-data")
    client.delete(href).expect(204)
    assert calendar.sync().changed == {}


def test_slash_inside_a_name(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §2.2: %2F is part of a name, not a separator; or it is refused, but never another resource."""
    path = calendar.href + "a%2Fb.ics"
    answer = client.put(path, event())
    if answer.status == 201:
        assert set(calendar.etags()) == {"a/b.ics"}
        client.get(path).expect(200)
        client.get(calendar.href + "a/b.ics").expect(404)
    else:
        answer.expect(400, 403)
        assert calendar.etags() == {}


def test_equal_spellings(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §6.2.2: escapes in upper or lower case, or not needed, name the same resource."""
    data = event()
    client.put(calendar.href + "a%40b%c3%a4.ics", data).expect(201)
    for form in ("a@b%C3%A4.ics", "a%40b%C3%a4.ics", "%61%40b%c3%a4.ics"):
        assert client.get(calendar.href + form).expect(200).body == data
    assert len(calendar.etags()) == 1


def test_calendar_url_spellings(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §6.2.2: the path above an object may be spelt in any way too."""
    calendar.add("a.ics", event())
    head, last = calendar.href.rstrip("/").rsplit("/", 1)
    spelt = f"{head}/%{ord(last[0]):02x}{last[1:]}/a.ics"
    client.get(spelt).expect(200)


def test_normal_forms_are_different_names(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §2.5: names are octets: the composed and the decomposed ä are two names; each is found by its own."""
    composed, decomposed = "\u00e4.ics", "a\u0308.ics"
    calendar.put(composed, event()).expect(201)
    answer = calendar.put(decomposed, event()).expect(201)
    assert answer.status == 201
    assert set(calendar.etags()) == {composed, decomposed}


def test_case_matters(calendar: Calendar) -> None:
    """RFC 3986 §6.2.2.1: paths are case-sensitive."""
    calendar.add("a.ics", event())
    calendar.add("A.ics", event())
    assert set(calendar.etags()) == {"a.ics", "A.ics"}


def test_octets_that_are_not_utf8(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §2.5: a name that is not UTF-8 is stored as it is, or refused; never 5xx, never another's name."""
    answer = client.put(calendar.href + "%ff%fe.ics", event())
    if answer.status == 201:
        client.get(calendar.href + "%FF%FE.ics").expect(200)
        assert len(calendar.propfind("D:getetag", depth="1")) == 2
    else:
        answer.expect(400, 403, 404)
        assert calendar.etags() == {}


def test_double_slashes(client: Client, calendar: Calendar) -> None:
    """Pains 32: clients glue paths together with two slashes; they mean one."""
    calendar.add("a.ics", event())
    doubled = calendar.href + "/a.ics"
    client.get(doubled).expect(200)
    client.propfind_raw(client.home.replace("/", "//", 1) if not client.home.startswith("//") else client.home, None)
    assert client.propfind(calendar.href + "/", "D:getetag", depth="0")


@pytest.mark.parametrize("name", ["Büro", "a b", "50%", "user@example.com", "まだ", "#1", "a;b", "q?x"])
def test_calendar_names(client: Client, name: str) -> None:
    """RFC 4918 §5.2: calendars have names of any kind, too."""
    href = f"{client.home}{segment(name + uuid.uuid4().hex[:6])}/"
    client.mkcalendar(href).expect(201)
    made = Calendar(client, href)
    made.add("a.ics", event())
    listing = client.propfind(client.home, "D:resourcetype", depth="1")
    assert href in listing
    assert set(made.etags()) == {"a.ics"}
    client.delete(href).expect(204)


TRAVERSAL = [
    "../a.ics", "%2e%2e/a.ics", "%2e%2e%2fa.ics", "..%2fa.ics", "%2E%2E/%2E%2E/a.ics", "./a.ics", "%2e/a.ics",
    "..%5c..%5ca.ics", "%c0%ae%c0%ae/a.ics", "a/../../../../etc/passwd", "....//a.ics",
]  # fmt: skip


@pytest.mark.parametrize("tail", TRAVERSAL)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND"])
def test_path_traversal(client: Client, calendar: Calendar, tail: str, method: str) -> None:
    """F18: dot segments never lead out of where they stand: refused, not found, or a harmless name of its own."""
    body = event() if method == "PUT" else None
    before = {segments(item.href) for item in client.propfind(client.home, "D:resourcetype", depth="1").items}
    answer = client.request(method, calendar.href + tail, body, {"Depth": "0"})
    assert answer.status in {201, 204, 207, 400, 403, 404, 405, 409}, answer.status
    assert b"root:" not in answer.body
    after = {segments(item.href) for item in client.propfind(client.home, "D:resourcetype", depth="1").items}
    assert before == after


def test_traversal_into_another_home(client: Client, other: Client, calendar: Calendar) -> None:
    """F18: dot segments and escapes do not reach another user's objects."""
    target = Calendar(other, f"{other.home}calendar/")
    target.add("secret-of-user02.ics", event(summary="Secret of user02"))
    for path in (
        f"{client.home}../user02/calendar/secret-of-user02.ics",
        f"{client.home}%2e%2e/user02/calendar/secret-of-user02.ics",
        f"{client.home}..%2fuser02/calendar/secret-of-user02.ics",
        f"{calendar.href}../../user02/calendar/secret-of-user02.ics",
        f"{client.home}/./../user02//calendar/secret-of-user02.ics",
    ):
        answer = client.get(path)
        assert answer.status in {400, 403, 404} and b"Secret of" not in answer.body, path
        client.copy(path, calendar.path("stolen.ics")).expect(400, 403, 404)
        client.move(path, calendar.path("stolen.ics")).expect(400, 403, 404)
    target.get("secret-of-user02.ics").expect(200)
    target.delete("secret-of-user02.ics")
    assert calendar.etags() == {}


@pytest.mark.parametrize("octet", ["%00", "%01", "%0a", "%0d", "%1f", "%7f", "%0d%0aX-Injected:%201"])
def test_control_characters(client: Client, calendar: Calendar, octet: str) -> None:
    """F18: control characters in names are refused or kept escaped; never in a header, never broken XML."""
    path = f"{calendar.href}a{octet}b.ics"
    answer = client.put(path, event())
    assert answer.status in {201, 400, 403, 404}, answer.status
    assert answer.header("X-Injected") is None
    listing = calendar.propfind("D:getetag", depth="1")
    assert len(listing) == (2 if answer.status == 201 else 1)
    if answer.status == 201:
        client.get(path).expect(200)
        client.delete(path).expect(204)


def test_very_long_names(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §4.1: a name of 4,000 characters is stored or refused with a client error."""
    answer = client.put(calendar.href + "a" * 4000, event())
    assert answer.status in {201, 400, 403, 404, 414}
    calendar.propfind("D:getetag", depth="1")


def test_query_strings_are_not_part_of_the_name(client: Client, calendar: Calendar) -> None:
    """RFC 3986 §3.4: a query after the path does not change which resource is meant."""
    calendar.add("a.ics", event())
    client.get(calendar.path("a.ics") + "?export").expect(200)


def test_home_with_at_sign(ours, client: Client) -> None:
    """Pains 31: an escaped user name in the URL is the same principal."""
    escaped = client.home.replace("user01", quote("user01").replace("u", "%75", 1))
    client.propfind(escaped, "D:resourcetype")


def test_answers_use_one_spelling(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §8.3: whatever spelling was asked, hrefs are answered in one canonical form."""
    calendar.add("a@b c.ics", event())
    forms = {calendar.href + "a@b%20c.ics", calendar.href + "a%40b%20c.ics", calendar.href + "%61%40b%20c.ics"}
    hrefs = {client.propfind(form, "D:getetag").only.href for form in forms}
    listed = next(item.href for item in calendar.propfind("D:getetag", depth="1").items if "ics" in item.href)
    assert hrefs == {listed}
