"""PROPFIND: RFC 4918 §9.1, the properties of §15 and the depth rules of §10.2."""

import re
from email.utils import parsedate_to_datetime

import pytest

from conformance_tests.client import Calendar, Client, prop_body
from conformance_tests.dav import NAMESPACES, segments, tag
from testing.builders import event

ALLPROP = f"<D:propfind {NAMESPACES}><D:allprop/></D:propfind>"
PROPNAME = f"<D:propfind {NAMESPACES}><D:propname/></D:propfind>"


def test_depth_0_is_the_resource_alone(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1: Depth: 0 answers the resource itself only."""
    calendar.add("a.ics", event())
    item = client.propfind(calendar.href, "D:resourcetype").only
    assert segments(item.href) == segments(calendar.href)


def test_depth_1_adds_the_members(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1: Depth: 1 answers the resource and its internal members."""
    calendar.add("a.ics", event())
    calendar.add("b.ics", event())
    listing = client.propfind(calendar.href, "D:getetag", depth="1")
    assert len(listing) == 3
    assert calendar.href in listing and calendar.path("a.ics") in listing and calendar.path("b.ics") in listing


@pytest.mark.parametrize("depth", ["infinity", None])
def test_depth_infinity_is_refused(calendar: Calendar, client: Client, depth: str | None) -> None:
    """RFC 4918 §9.1: infinite depth, asked for or by default, is refused with DAV:propfind-finite-depth."""
    client.propfind_raw(calendar.href, prop_body("D:getetag"), depth).refused(403, "D:propfind-finite-depth")


@pytest.mark.parametrize("depth", ["2", "-1", "one", ""])
def test_bad_depth(calendar: Calendar, client: Client, depth: str) -> None:
    """RFC 4918 §10.2: a Depth that is none of 0, 1, infinity is 400."""
    client.propfind_raw(calendar.href, prop_body("D:getetag"), depth).expect(400)


def test_hrefs_of_collections_end_with_a_slash(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §5.2: collections are named with a trailing slash, also when asked without."""
    item = client.propfind(calendar.href.rstrip("/"), "D:resourcetype").only
    assert item.href.endswith("/")
    listing = client.propfind(client.home, "D:resourcetype", depth="1")
    for each in listing.items:
        if each.prop("D:resourcetype").find(tag("D:collection")) is not None:
            assert each.href.endswith("/"), each.href


def test_missing_resource(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1.1: PROPFIND of an unmapped URL is 404."""
    client.propfind_raw(calendar.path("none.ics"), prop_body("D:getetag")).expect(404)


def test_unknown_property_is_404_in_its_propstat(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1: properties that are not defined are answered with 404, once each."""
    item = client.propfind(calendar.href, "X:nothing", "D:resourcetype").only
    assert item.status_for("X:nothing") == 404
    assert item.status_for("D:resourcetype") == 200


def test_resourcetype(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §15.9: a calendar is collection and calendar; an object has an empty resourcetype."""
    calendar.add("a.ics", event())
    kind = client.propfind(calendar.href, "D:resourcetype").only.prop("D:resourcetype")
    assert {child.tag for child in kind} >= {tag("D:collection"), tag("C:calendar")}
    assert len(client.propfind(calendar.path("a.ics"), "D:resourcetype").only.prop("D:resourcetype")) == 0


def test_live_properties_of_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §15: the live properties agree with the header fields of GET."""
    data = event()
    calendar.add("a.ics", data)
    got = calendar.get("a.ics")
    names = ("D:getcontentlength", "D:getcontenttype", "D:getetag", "D:getlastmodified", "D:creationdate")
    item = client.propfind(calendar.path("a.ics"), *names).only
    assert item.text("D:getcontentlength") == str(len(data))
    assert item.text("D:getcontenttype").startswith("text/calendar")
    assert item.text("D:getetag") == got.etag
    assert item.text("D:getlastmodified") == got.header("Last-Modified")
    assert parsedate_to_datetime(item.text("D:getlastmodified")).tzinfo is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", item.text("D:creationdate"))


def test_supportedlock_is_empty(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §15.10: without locks supportedlock is empty or not defined."""
    item = client.propfind(calendar.href, "D:supportedlock", "D:lockdiscovery").only
    for name in ("D:supportedlock", "D:lockdiscovery"):
        assert item.status_for(name) == 404 or len(item.prop(name)) == 0


def test_allprop(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1.5: allprop answers the live properties of RFC 4918 and all dead ones."""
    calendar.add("a.ics", event())
    client.set_properties(calendar.path("a.ics"), "<X:dead>value</X:dead>").expect(207)
    item = client.propfind_raw(calendar.path("a.ics"), ALLPROP).multistatus.only
    for name in (
        "D:getcontentlength",
        "D:getcontenttype",
        "D:getetag",
        "D:getlastmodified",
        "D:resourcetype",
        "X:dead",
    ):
        assert item.has(name), name
    assert set(item.properties) == {200}


def test_allprop_leaves_the_expensive_ones_out(calendar: Calendar, client: Client) -> None:
    """RFC 4791 §9.6: calendar-data and the properties that say so are not part of allprop."""
    calendar.add("a.ics", event())
    for path in (calendar.href, calendar.path("a.ics")):
        item = client.propfind_raw(path, ALLPROP).multistatus.only
        for name in ("C:calendar-data", "C:supported-calendar-data", "D:acl", "D:sync-token", "D:quota-used-bytes"):
            assert not item.has(name), name


@pytest.mark.parametrize("body", [None, ""])
def test_no_body_is_allprop(calendar: Calendar, client: Client, body: str | None) -> None:
    """RFC 4918 §9.1: PROPFIND without a body is allprop."""
    calendar.add("a.ics", event())
    item = client.propfind_raw(calendar.path("a.ics"), body).multistatus.only
    assert item.has("D:getetag") and item.has("D:resourcetype")


def test_propname(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1.4: propname answers names without values."""
    calendar.add("a.ics", event())
    client.set_properties(calendar.path("a.ics"), "<X:dead>value</X:dead>").expect(207)
    item = client.propfind_raw(calendar.path("a.ics"), PROPNAME).multistatus.only
    assert item.has("D:getetag") and item.has("X:dead")
    for element in item.properties[200].values():
        assert element.text is None and len(element) == 0, element.tag


def test_include(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §9.1.6: include adds named properties to allprop."""
    body = f"<D:propfind {NAMESPACES}><D:allprop/><D:include><D:supported-report-set/></D:include></D:propfind>"
    item = client.propfind_raw(calendar.href, body).multistatus.only
    assert item.has("D:supported-report-set") and item.has("D:resourcetype")


def test_displayname_default(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §15.2: displayname is what the client set; without one it is absent or a name for people."""
    client.set_properties(calendar.href, "<D:displayname>Büro &amp; Co &lt;3</D:displayname>").expect(207)
    assert calendar.prop("D:displayname").text == "Büro & Co <3"


@pytest.mark.parametrize(
    "body",
    [
        "<D:propfind xmlns:D='DAV:'><D:prop>",
        "not xml",
        "<D:propfind><D:prop/></D:propfind>",
        "<D:propfind xmlns:D='DAV:'/>",
        "<D:propertyupdate xmlns:D='DAV:'/>",
        '<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><a xmlns="&x;"/></D:prop></D:propfind>',
    ],
)
def test_bad_body(calendar: Calendar, client: Client, body: str) -> None:
    """RFC 4918 §8.2: a body that is not well-formed, or is not a propfind element with a request in it, is 400."""
    client.propfind_raw(calendar.href, body).expect(400)


def test_unknown_elements_are_ignored(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §17: unknown elements and attributes in a request are ignored."""
    body = (
        f'<D:propfind {NAMESPACES} X:a="1"><X:odd><D:prop/></X:odd><D:prop X:b="2"><D:getetag/></D:prop></D:propfind>'
    )
    assert client.propfind_raw(calendar.href, body).multistatus.only.status_for("D:getetag") is not None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_encodings(calendar: Calendar, client: Client, encoding: str) -> None:
    """RFC 4918 §8.2: XML bodies may be UTF-8 or UTF-16."""
    prop = '<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>'
    text = f'<?xml version="1.0" encoding="{encoding}"?>{prop}'
    item = client.propfind_raw(calendar.href, text.encode(encoding), headers={"Content-Type": "application/xml"})
    assert item.multistatus.only.has("D:resourcetype")


def test_text_xml_is_taken(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §8.2: text/xml is as good as application/xml."""
    answer = client.propfind_raw(calendar.href, prop_body("D:resourcetype"), headers={"Content-Type": "text/xml"})
    assert answer.multistatus.only.has("D:resourcetype")


def test_default_namespace(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §14: prefixes have no meaning; a default namespace says the same."""
    body = '<propfind xmlns="DAV:"><prop><resourcetype/><x xmlns="http://example.com/ns/"/></prop></propfind>'
    item = client.propfind_raw(calendar.href, body).multistatus.only
    assert item.has("D:resourcetype") and item.status_for("X:x") == 404


def test_same_etag_everywhere(calendar: Calendar, client: Client) -> None:
    """RFC 4791 §5.3.4: PUT, GET, PROPFIND, calendar-query and sync-collection answer one strong ETag."""
    etag = calendar.put("a.ics", event()).expect(201).etag
    path = calendar.path("a.ics")
    assert calendar.get("a.ics").etag == etag
    assert client.propfind(path, "D:getetag").only.text("D:getetag") == etag
    assert calendar.query('<C:comp-filter name="VCALENDAR"/>')[path].text("D:getetag") == etag
    assert calendar.multiget(path).multistatus[path].text("D:getetag") == etag
    assert calendar.sync()[path].text("D:getetag") == etag
