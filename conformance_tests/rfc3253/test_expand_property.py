"""expand-property: RFC 3253 §3.8."""

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import NAMESPACES, segments, tag
from conformance_tests.pace import allowed


def expand(inner: str) -> str:
    return f"<D:expand-property {NAMESPACES}>{inner}</D:expand-property>"


def test_expands_hrefs(client: Client, calendar: Calendar) -> None:
    """RFC 3253 §3.8: the hrefs of a property are replaced by responses with the properties asked for."""
    body = expand(
        '<D:property name="owner"><D:property name="displayname"/>'
        '<D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav"/></D:property>'
    )
    item = client.report(calendar.href, body, "0").multistatus.only
    response = item.prop("D:owner").find(tag("D:response"))
    assert response is not None
    assert segments(response.findtext(tag("D:href")) or "") == segments(client.principal)
    prop = response.find(f"{tag('D:propstat')}/{tag('D:prop')}")
    assert prop.find(tag("D:displayname")) is not None
    assert prop.find(tag("C:calendar-home-set")) is not None


def test_nested(client: Client, calendar: Calendar) -> None:
    """RFC 3253 §3.8: expansion nests: owner, its home, the home's resourcetype."""
    body = expand(
        '<D:property name="owner"><D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">'
        '<D:property name="resourcetype"/></D:property></D:property>'
    )
    item = client.report(calendar.href, body, "0").multistatus.only
    inner = item.prop("D:owner").find(f".//{tag('C:calendar-home-set')}/{tag('D:response')}")
    assert inner is not None and inner.find(f".//{tag('D:collection')}") is not None


def test_plain_properties(client: Client, calendar: Calendar) -> None:
    """RFC 3253 §3.8: a property without children is answered as by PROPFIND; unknown ones with 404."""
    body = expand('<D:property name="resourcetype"/><D:property name="none" namespace="http://example.com/ns/"/>')
    item = client.report(calendar.href, body, "0").multistatus.only
    assert item.prop("D:resourcetype").find(tag("C:calendar")) is not None
    assert item.status_for("X:none") == 404


def test_groups(ours, client: Client, anyone) -> None:
    """RFC 3253 §3.8: group-membership expands to the names of the groups, as Apple's clients ask."""
    member = anyone("user06")
    body = expand('<D:property name="group-membership"><D:property name="displayname"/></D:property>')
    item = member.report(member.principal, body, "0").multistatus.only
    names = {element.text for element in item.prop("D:group-membership").iter(tag("D:displayname"))}
    assert "Group 02" in names


def test_other_users_calendars_stay_closed(other: Client, client: Client, calendar: Calendar) -> None:
    """RFC 3744 §3.1: expansion does not reach around access control."""
    body = expand(
        '<D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav"><D:property name="sync-token"/>'
        '<D:property name="displayname"/></D:property>'
    )
    answer = other.report(client.principal, body, "0")
    assert answer.status in {207, 403, 404} and b"urn:caldav-server:sync" not in answer.body


def test_bad_body(client: Client) -> None:
    """RFC 3253 §3.8: a property without a name is 400."""
    client.report(client.principal, expand("<D:property/>"), "0").expect(400)


def test_deep_nesting_is_bounded(client: Client) -> None:
    """RFC 3253 §3.8: a chain of fifty expansions is refused or answered at once."""
    body = '<D:property name="owner">' * 50 + "</D:property>" * 50
    answer = client.report(client.principal, expand(body), "0")
    assert answer.status in {207, 400, 403} and answer.seconds < allowed(2)
