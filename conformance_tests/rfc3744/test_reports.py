"""The principal reports: RFC 3744 §9."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import NAMESPACES, parse_xml, segments, tag


def principals(client: Client) -> str:
    """The collection of all principals."""
    hrefs = client.propfind(client.principal, "D:principal-collection-set").only.hrefs("D:principal-collection-set")
    return hrefs[0]


def search(prop: str, text: str, more: str = "", test: str = "", attributes: str = "") -> str:
    return (
        f"<D:principal-property-search {NAMESPACES}{test}><D:property-search><D:prop><{prop}/></D:prop>"
        f"<D:match{attributes}>{text}</D:match></D:property-search>{more}"
        "<D:prop><D:displayname/><C:calendar-home-set/></D:prop></D:principal-property-search>"
    )


def test_list_of_principals_as_python_caldav_asks(ours, client: Client) -> None:
    """RFC 3744 §9.4: a search for nothing lists everybody; the properties may stand beside an empty DAV:prop."""
    body = (
        f"<D:principal-property-search {NAMESPACES}><D:prop/><C:calendar-home-set/><D:displayname/>"
        "</D:principal-property-search>"
    )
    found = client.report(ours.client().root, body, "0").multistatus
    assert {"User 01", "User 02"} <= {item.text("D:displayname") for item in found.items}
    assert all(item.hrefs("C:calendar-home-set") for item in found.items if item.text("D:displayname")[:4] == "User")


def test_search_by_name(ours, client: Client) -> None:
    """RFC 3744 §9.4: a substring of displayname, case aside, finds the principals."""
    found = client.report(principals(client), search("D:displayname", "user 0"), "0").multistatus
    names = {item.text("D:displayname") for item in found.items}
    assert {"User 01", "User 02", "User 09"} <= names and "Group 02" not in names
    assert all(item.hrefs("C:calendar-home-set") for item in found.items)


def test_search_unicode(ours, client: Client) -> None:
    """RFC 3744 §9.4: names of every script are found."""
    found = client.report(principals(client), search("D:displayname", "まだ"), "0").multistatus
    assert [item.text("D:displayname") for item in found.items] == ["まだ"]


def test_search_by_address(ours, client: Client) -> None:
    """RFC 6638 §2.4.1: calendar-user-address-set can be searched."""
    found = client.report(
        principals(client), search("C:calendar-user-address-set", "user02@example.com"), "0"
    ).multistatus
    assert [item.text("D:displayname") for item in found.items] == ["User 02"]


def test_search_nothing(ours, client: Client) -> None:
    """RFC 3744 §9.4: nothing found is an empty multistatus."""
    assert len(client.report(principals(client), search("D:displayname", "no such one"), "0").multistatus) == 0


@pytest.mark.parametrize(("test", "count"), [(' test="anyof"', 2), (' test="allof"', 0), ("", 0)])
def test_search_test_attribute(ours, client: Client, test: str, count: int) -> None:
    """RFC 3744 §9.4: several searches must all match; with test=anyof (CalDAV extensions) one is enough."""
    more = "<D:property-search><D:prop><D:displayname/></D:prop><D:match>User 02</D:match></D:property-search>"
    found = client.report(principals(client), search("D:displayname", "User 01", more, test), "0").multistatus
    assert len(found) == count


def test_search_match_type(ours, client: Client) -> None:
    """draft-daboo-caldav-extensions: match-type starts-with is kept, as Apple's clients send it."""
    body = search("D:displayname", "location 0", attributes=' match-type="starts-with"')
    assert len(client.report(principals(client), body, "0").multistatus) == 3


def test_apply_to_principal_collection_set(ours, client: Client, calendar: Calendar) -> None:
    """RFC 3744 §9.4: asked on any resource, the search looks in the principal collections."""
    body = search("D:displayname", "User 02", "<D:apply-to-principal-collection-set/>")
    assert len(client.report(calendar.href, body, "0").multistatus) == 1


def test_search_depth(ours, client: Client) -> None:
    """RFC 3744 §9.4: Depth must be 0: else 400."""
    client.report(principals(client), search("D:displayname", "x"), "1").expect(400)


def test_search_property_set(client: Client) -> None:
    """RFC 3744 §9.5: the searchable properties are listed, with a description each; displayname is one."""
    body = f"<D:principal-search-property-set {NAMESPACES}/>"
    answer = client.report(principals(client), body, "0").expect(200)
    root = parse_xml(answer.body)
    assert root.tag == tag("D:principal-search-property-set")
    names = set()
    for each in root.findall(tag("D:principal-search-property")):
        names |= {prop.tag for prop in each.find(tag("D:prop"))}
        assert (each.findtext(tag("D:description")) or "").strip()
    assert {tag("D:displayname"), tag("C:calendar-user-address-set")} <= names


def test_principal_match_self(ours, client: Client) -> None:
    """RFC 3744 §9.3: principal-match with self finds who is asking."""
    body = f"<D:principal-match {NAMESPACES}><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>"
    found = client.report(principals(client), body, "0").multistatus
    assert client.principal in found
    assert found[client.principal].text("D:displayname") == "User 01"


def test_principal_match_property(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §9.3: principal-match with owner finds the resources that are owned."""
    body = (
        f"<D:principal-match {NAMESPACES}><D:principal-property><D:owner/></D:principal-property>"
        "<D:prop><D:resourcetype/></D:prop></D:principal-match>"
    )
    found = client.report(client.home, body, "0").multistatus
    assert calendar.href in found


def test_acl_principal_prop_set(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §9.2: the principals in the ACL are answered with their properties."""
    body = f"<D:acl-principal-prop-set {NAMESPACES}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>"
    found = client.report(calendar.href, body, "0").multistatus
    assert segments(client.principal) in {segments(item.href) for item in found.items}


def test_reports_are_listed(client: Client) -> None:
    """RFC 3253 §3.1.5: principals list the reports they answer."""
    item = client.propfind(client.principal, "D:supported-report-set").only
    reports = {element[0].tag for element in item.prop("D:supported-report-set").iter(tag("D:report"))}
    for name in ("D:expand-property", "D:principal-property-search", "D:principal-search-property-set"):
        assert tag(name) in reports, name
