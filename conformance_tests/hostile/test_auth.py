"""Authentication: RFC 7617, RFC 9110 §11; one realm everywhere; no way to learn who exists."""

import base64

import pytest

from conformance_tests.client import Client, basic, prop_body


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def nobody(client: Client) -> Client:
    """A connection without credentials."""
    return Client(client.url)


PATHS = ["", "home", "principal", "calendar", "missing"]


def where(client: Client, name: str) -> str:
    return {
        "": client.root,
        "home": client.home,
        "principal": client.principal,
        "calendar": client.home + "calendar/",
        "missing": client.home + "missing/x.ics",
    }[name]


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PUT", "DELETE", "REPORT", "PROPPATCH", "MKCALENDAR"])
@pytest.mark.parametrize("place", PATHS)
def test_401_with_one_realm(client: Client, nobody: Client, place: str, method: str) -> None:
    """RFC 7617 §2: without credentials it is 401 with the same Basic challenge everywhere, charset UTF-8."""
    first = nobody.request("PROPFIND", client.home, None, {"Depth": "0"}).expect(401).header("WWW-Authenticate")
    answer = nobody.request(method, where(client, place), None, {"Depth": "0"}).expect(401)
    assert answer.header("WWW-Authenticate") == first
    assert (first or "").lower().startswith('basic realm="')


def test_realm_on_a_kept_connection(client: Client, nobody: Client) -> None:
    """Clients: a second 401 on the same connection carries the realm too."""
    for _ in range(3):
        answer = nobody.request("PROPFIND", client.home, None, {"Depth": "0"}).expect(401)
        assert answer.header("WWW-Authenticate")


MALFORMED = [
    "", "Basic", "Basic ", "Basic =", "Basic !!!!", "Basic " + b64(b"nocolon"), "Basic " + b64(b""),
    "Basic " + b64(b":"), "Basic " + b64(b"user01"), "Basic " + b64(b"\xff\xfe:\xff"), "basic", "Bearer abc",
    "Digest username=x", "Negotiate",
    "Basic " + "A" * 10_000, "Basic " + b64(b"a" * 5000 + b":" + b"b" * 5000), "Basic " + b64(b"user01:\x00user01"),
    "Basic\tdXNlcjAxOnVzZXIwMQ", "Basic dXNlcjAx OnVzZXIwMQ==", "xyz",
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_credentials(client: Client, nobody: Client, value: str) -> None:
    """RFC 7617 §2: credentials that cannot be read are 401 (or 400), never 5xx, and let nobody in."""
    answer = nobody.request("PROPFIND", client.home, None, {"Depth": "0", "Authorization": value})
    assert answer.status in {400, 401, 429}, (value[:40], answer.status)


def test_scheme_in_any_case(client: Client, nobody: Client) -> None:
    """RFC 9110 §11.1: the scheme name is case-insensitive."""
    value = basic(client.user or "", client.password).replace("Basic", "bAsIc")
    nobody.request("PROPFIND", client.home, None, {"Depth": "0", "Authorization": value}).expect(207)


def test_unknown_user_and_wrong_password_look_alike(own_server) -> None:
    """F21: whether an account exists cannot be told from the answer."""
    server = own_server()
    answers = []
    for user in ("user02", "no-such-user"):
        connection = Client(server.url, user, "wrong-password")
        answer = connection.request("PROPFIND", "/dav/", None, {"Depth": "0"}).expect(401)
        answers.append(
            (answer.body.replace(user.encode(), b""), answer.header("WWW-Authenticate"), len(answer.headers))
        )
        connection.close()
    assert answers[0] == answers[1]


def test_rooms_and_groups_cannot_log_in(ours) -> None:
    """Accounts: a principal without a password cannot log in, with an empty one neither."""
    for name in ("location01", "group02"):
        for password in ("", name):
            connection = Client(ours.url, name, password)
            connection.request("PROPFIND", "/dav/", None, {"Depth": "0"}).expect(401, 429)
            connection.close()


def test_unicode_credentials(ours) -> None:
    """RFC 7617 §2.1: user and password are UTF-8."""
    connection = Client(ours.url, "いろは", "パス:ワード")
    connection.request("PROPFIND", "/dav/", prop_body("D:current-user-principal"), {"Depth": "0"}).expect(207)
    connection.close()


def test_body_is_not_read_before_the_password(client: Client, nobody: Client) -> None:
    """F14: without credentials a large body is refused without waiting for it."""
    answer = nobody.request("PUT", client.home + "calendar/x.ics", b"x" * 3_000_000)
    assert answer.status in {401, 413}
    client.get(client.home + "calendar/x.ics").expect(404)


def test_other_homes_are_closed(client: Client, other: Client) -> None:
    """RFC 3744 §3: nothing in another user's home can be listed, read, searched or synced."""
    for path in (client.home, client.home + "calendar/", client.home + "inbox/"):
        for depth in ("0", "1"):
            answer = other.propfind_raw(path, None, depth)
            assert answer.status in {403, 404}, (path, answer.status)
        other.report(path, '<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/>'
                     "</D:sync-collection>", "0").expect(403, 404)  # fmt: skip
        other.delete(path).expect(403, 404, 405)
        inner = "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"
        assert other.proppatch(path, inner).status in {403, 404}
