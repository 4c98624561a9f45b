"""The If header: RFC 4918 §10.4, with the sync-tokens of RFC 6578 §5 as state tokens."""

import pytest

from conformance_tests.client import Calendar, Client
from testing.builders import event, new_uid

PASSES = {
    "etag": "([{etag}])",
    "not other etag": '(Not ["other"])',
    "not no-lock": "(Not <DAV:no-lock>)",
    "or of lists": '(["other"]) ([{etag}])',
    "and in a list": "([{etag}] Not <DAV:no-lock>)",
    "tagged path": "<{path}> ([{etag}])",
    "tagged url": "<{origin}{path}> ([{etag}])",
    "tagged other resource": "<{collection}> (<{token}>)",
    "either tag": "<{collection}> (<urn:x:no>) <{path}> ([{etag}])",
    "no spaces": "([{etag}]Not<DAV:no-lock>)",
}
FAILS = {
    "other etag": '(["other"])',
    "weak etag": "([W/{etag}])",
    "not etag": "(Not [{etag}])",
    "unknown token": "(<urn:uuid:fe184f2e-6eec-41d0-c765-01adc56e6bb4>)",
    "no-lock": "(<DAV:no-lock>)",
    "one of and fails": '([{etag}] ["other"])',
    "stale sync-token": "<{collection}> (<{stale}>)",
    "tag without the resource's state": '<{path}> (["other"])',
}
BAD = ["(", "()", "[x]", "<a", "(Not)", "garbage", '(["x")', '(["x"]) <tag>', "(<a> [b]"]


@pytest.fixture
def names(calendar: Calendar, client: Client) -> dict[str, str]:
    """What the headers above are made of: the state of a.ics and of its calendar."""
    stale = calendar.sync().sync_token or ""
    etag = calendar.add("a.ics", event("if-header@example.com"))
    return {
        "etag": etag,
        "path": calendar.path("a.ics"),
        "origin": client.origin,
        "collection": calendar.href,
        "token": calendar.sync().sync_token or "",
        "stale": stale,
    }


@pytest.mark.parametrize("case", PASSES)
def test_condition_holds(calendar: Calendar, names: dict[str, str], case: str) -> None:
    """RFC 4918 §10.4.3: the request is done when one list of the header is true."""
    header = {"If": PASSES[case].format(**names)}
    calendar.put("a.ics", event("if-header@example.com", summary="B"), header).expect(204)


@pytest.mark.parametrize("case", FAILS)
def test_condition_fails(calendar: Calendar, names: dict[str, str], case: str) -> None:
    """RFC 4918 §10.4.3: when no list is true the request is 412 and nothing changes."""
    header = {"If": FAILS[case].format(**names)}
    calendar.put("a.ics", event("if-header@example.com", summary="B"), header).expect(412)
    assert calendar.get("a.ics").etag == names["etag"]


@pytest.mark.parametrize("header", BAD)
def test_bad_syntax(calendar: Calendar, names: dict[str, str], header: str) -> None:
    """RFC 4918 §10.4.2: a header that does not follow the grammar is 400."""
    calendar.put("a.ics", event("if-header@example.com", summary="B"), {"If": header}).expect(400)
    assert calendar.get("a.ics").etag == names["etag"]


def test_delete_and_proppatch_obey(calendar: Calendar, client: Client, names: dict[str, str]) -> None:
    """RFC 4918 §10.4: the header counts for every method."""
    client.delete(names["path"], {"If": '(["other"])'}).expect(412)
    inner = "<D:set><D:prop><X:a>1</X:a></D:prop></D:set>"
    client.proppatch(names["path"], inner, {"If": '(["other"])'}).expect(412)
    client.delete(names["path"], {"If": f"([{names['etag']}])"}).expect(204)


def test_sync_token_guards_a_creation(calendar: Calendar) -> None:
    """RFC 6578 §5: a sync-token in If makes PUT conditional on the state of the whole collection."""
    token = calendar.sync().sync_token
    guard = {"If": f"<{calendar.href}> (<{token}>)"}
    calendar.put("a.ics", event(new_uid()), guard).expect(201)
    calendar.put("b.ics", event(new_uid()), guard).expect(412)
    calendar.get("b.ics").expect(404)
