"""Prefer: RFC 7240, RFC 8144; and Apple's Brief."""

import pytest

from conformance_tests.client import Calendar, Client, vcalendar_filter
from conformance_tests.dav import segments
from testing.builders import event, new_uid

MINIMAL = [{"Prefer": "return=minimal"}, {"Prefer": "return-minimal"}, {"Brief": "t"}]


@pytest.mark.parametrize("headers", MINIMAL[:1] + MINIMAL[2:])
def test_propfind_minimal(client: Client, calendar: Calendar, headers: dict) -> None:
    """RFC 8144 §2.1: PROPFIND with return=minimal leaves out the properties that are not there."""
    item = client.propfind(calendar.href, "X:none", "D:resourcetype", headers=headers).only
    assert item.has("D:resourcetype") and item.status_for("X:none") is None


def test_propfind_minimal_without_any(client: Client, calendar: Calendar) -> None:
    """RFC 8144 §2.1: when nothing is left, the response still is one: an empty 200 propstat."""
    item = client.propfind(calendar.href, "X:none", headers={"Prefer": "return=minimal"}).only
    assert item.status_for("X:none") is None and (item.properties == {200: {}} or item.status == 200)


def test_minimal_is_confirmed(client: Client, calendar: Calendar) -> None:
    """RFC 7240 §3: Preference-Applied names what was applied; Vary names Prefer."""
    answer = client.propfind_raw(calendar.href, None, "0", {"Prefer": "return=minimal"})
    assert "return=minimal" in (answer.header("Preference-Applied") or "")


def test_report_minimal(calendar: Calendar) -> None:
    """RFC 8144 §2.1: reports obey return=minimal too."""
    calendar.add("a.ics", event())
    body = calendar.query_raw(vcalendar_filter(""), "<D:getetag/><X:none/>").multistatus
    assert body.only.status_for("X:none") == 404
    from conformance_tests.dav import NAMESPACES

    request = (
        f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/><X:none/></D:prop><C:filter>{vcalendar_filter('')}"
        "</C:filter></C:calendar-query>"
    )
    item = calendar.report(request, "1", {"Prefer": "return=minimal"}).multistatus.only
    assert item.has("D:getetag") and item.status_for("X:none") is None


def test_proppatch_minimal(client: Client, calendar: Calendar) -> None:
    """RFC 8144 §2.2: PROPPATCH that succeeded answers 200 or 204 without a body; one that failed says why."""
    inner = "<D:set><D:prop><X:a>1</X:a></D:prop></D:set>"
    answer = client.proppatch(calendar.href, inner, {"Prefer": "return=minimal"}).expect(200, 204)
    assert answer.body == b""
    inner = "<D:set><D:prop><D:getetag>1</D:getetag></D:prop></D:set>"
    assert (
        client.proppatch(calendar.href, inner, {"Prefer": "return=minimal"}).multistatus.only.status_for("D:getetag")
        == 403
    )


def test_put_representation(calendar: Calendar) -> None:
    """RFC 8144 §3: PUT with return=representation answers the stored text with its ETag."""
    data = event()
    answer = calendar.put("a.ics", data, {"Prefer": "return=representation"}).expect(201)
    assert answer.body == data and answer.etag
    assert "return=representation" in (answer.header("Preference-Applied") or "")


def test_put_representation_on_conflict(calendar: Calendar) -> None:
    """RFC 8144 §3.2: a PUT that fails with 412 answers the current text, so that the client can merge at once."""
    uid = new_uid()
    data = event(uid)
    etag = calendar.add("a.ics", data)
    headers = {"Prefer": "return=representation", "If-Match": '"stale"'}
    answer = calendar.put("a.ics", event(uid, summary="B"), headers).expect(412)
    assert answer.body == data and answer.etag == etag


def test_post_representation(calendar: Calendar) -> None:
    """RFC 8144 §3: without the preference PUT answers no body."""
    assert calendar.put("a.ics", event()).body == b""


def test_depth_noroot(client: Client, calendar: Calendar) -> None:
    """RFC 8144 §2.3: Depth: 1 with depth-noroot leaves out the collection itself."""
    calendar.add("a.ics", event())
    headers = {"Prefer": "depth-noroot"}
    item = client.propfind(calendar.href, "D:getetag", depth="1", headers=headers).only
    assert segments(item.href) == segments(calendar.path("a.ics"))


def test_several_preferences(client: Client, calendar: Calendar) -> None:
    """RFC 7240 §2: preferences combine, in one field or several, in any case; unknown ones are ignored."""
    calendar.add("a.ics", event())
    headers = {"Prefer": 'foo="bar, baz"; x=1, Return=Minimal, depth-noroot'}
    item = client.propfind(calendar.href, "D:getetag", "X:none", depth="1", headers=headers).only
    assert item.status_for("X:none") is None


@pytest.mark.parametrize("value", ["", ",", "return", "return=", 'return="', "=;,=", "return=nonsense"])
def test_malformed(client: Client, calendar: Calendar, value: str) -> None:
    """RFC 7240 §2: what cannot be read is ignored."""
    item = client.propfind(calendar.href, "X:none", headers={"Prefer": value}).only
    assert item.status_for("X:none") == 404


def test_first_preference_wins(client: Client, calendar: Calendar) -> None:
    """RFC 7240 §2: of a preference given twice the first counts."""
    headers = {"Prefer": "return=representation, return=minimal"}
    assert client.propfind(calendar.href, "X:none", headers=headers).only.status_for("X:none") == 404
