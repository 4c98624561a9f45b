"""PROPPATCH and dead properties: RFC 4918 §9.2 and §4."""

import pytest
from lxml import etree

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import tag
from testing.builders import event


def information(element: etree._Element) -> tuple[object, ...]:
    """What RFC 4918 §4.3 wants preserved: names, attributes, text and children in order; not the prefixes."""
    children = tuple((information(child), child.tail or "") for child in element)
    return (element.tag, sorted(element.attrib.items()), element.text or "", children)


def set_prop(inner: str) -> str:
    return f"<D:set><D:prop>{inner}</D:prop></D:set>"


def remove_prop(inner: str) -> str:
    return f"<D:remove><D:prop>{inner}</D:prop></D:remove>"


VALUES = {
    "text": "<X:p>plain text</X:p>",
    "empty": "<X:p/>",
    "spaces": "<X:p>  two  spaces\n and a line </X:p>",
    "nested": "<X:p><X:a>1</X:a><X:b><X:c/></X:b></X:p>",
    "mixed": "<X:p>before <X:a>in</X:a> after</X:p>",
    "attributes": '<X:p one="1" X:two="2">v</X:p>',
    "foreign": '<X:p><q:other xmlns:q="urn:other" q:at="v">t</q:other></X:p>',
    "unprefixed": '<p xmlns="http://example.com/ns/"><none xmlns="">t</none></p>',
    "escapes": "<X:p>&lt;b&gt; &amp; &quot;q&quot; ]]&gt;</X:p>",
    "unicode": "<X:p>まだ 🎉 ü</X:p>",
    "carriage return": "<X:p>a&#13;&#10;b&#9;c</X:p>",
    "language": '<X:p xml:lang="de">Wert</X:p>',
    "cdata": "<X:p><![CDATA[BEGIN:VALARM\n<x>&]]></X:p>",
    "long": f"<X:p>{'x' * 20000}</X:p>",
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("where", ["calendar", "object"])
def test_dead_property_comes_back_as_sent(client: Client, calendar: Calendar, value: str, where: str) -> None:
    """RFC 4918 §4.3: a dead property is returned with the same text, elements, attributes and xml:lang."""
    path = calendar.href
    if where == "object":
        calendar.add("a.ics", event())
        path = calendar.path("a.ics")
    item = client.set_properties(path, VALUES[value]).multistatus.only
    assert item.status_for("X:p") == 200
    sent = etree.fromstring(f'<r xmlns:X="http://example.com/ns/">{VALUES[value]}</r>')[0]
    assert information(client.propfind(path, "X:p").only.prop("X:p")) == information(sent)


def test_language_in_scope(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §4.3: an xml:lang that is in scope of the property is part of its value."""
    client.proppatch(calendar.href, '<D:set xml:lang="fr"><D:prop><X:p>valeur</X:p></D:prop></D:set>').expect(207)
    element = calendar.prop("X:p")
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    assert next((e.get(lang) for e in [element, *element.iterancestors()] if e.get(lang)), None) == "fr"


def test_answer_names_every_property(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: the answer says what became of each property, without values."""
    item = client.set_properties(calendar.href, "<X:a>1</X:a><X:b>2</X:b>").multistatus.only
    assert item.status_for("X:a") == item.status_for("X:b") == 200
    assert item.prop("X:a").text is None


def test_instructions_run_in_document_order(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: the instructions are done in document order."""
    client.proppatch(calendar.href, set_prop("<X:a>1</X:a>") + remove_prop("<X:a/>")).expect(207)
    assert calendar.propfind("X:a").only.status_for("X:a") == 404
    client.proppatch(calendar.href, remove_prop("<X:a/>") + set_prop("<X:a>2</X:a>")).expect(207)
    assert calendar.prop("X:a").text == "2"


def test_all_or_nothing(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: either all instructions are done or none: 403 for the cause, 424 for the others."""
    answer = client.proppatch(calendar.href, set_prop("<X:a>1</X:a>") + set_prop("<D:getetag>x</D:getetag>"))
    item = answer.multistatus.only
    assert item.status_for("D:getetag") == 403
    assert item.status_for("X:a") == 424
    assert calendar.propfind("X:a").only.status_for("X:a") == 404


def test_all_or_nothing_for_live_properties(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: a live property that could be set is not set either when another fails."""
    client.set_properties(calendar.href, "<D:displayname>Before</D:displayname>").expect(207)
    inner = "<D:displayname>After</D:displayname><D:resourcetype><D:collection/></D:resourcetype>"
    item = client.set_properties(calendar.href, inner).multistatus.only
    assert item.status_for("D:displayname") == 424
    assert calendar.prop("D:displayname").text == "Before"


@pytest.mark.parametrize(
    "name",
    ["D:getetag", "D:getcontentlength", "D:getlastmodified", "D:creationdate", "D:sync-token", "D:owner",
     "D:supported-report-set", "D:current-user-privilege-set", "D:quota-used-bytes", "C:supported-calendar-data",
     "C:max-resource-size", "CS:getctag", "D:current-user-principal"],
)  # fmt: skip
def test_protected_properties(client: Client, calendar: Calendar, name: str) -> None:
    """RFC 4918 §15: a protected live property is refused with DAV:cannot-modify-protected-property."""
    item = client.set_properties(calendar.href, f"<{name}>x</{name}>").multistatus.only
    assert item.status_for(name) == 403
    assert item.error is not None and item.error.find(tag("D:cannot-modify-protected-property")) is not None


def test_remove_of_a_missing_property(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §14.23: removing a property that does not exist is no error."""
    assert client.proppatch(calendar.href, remove_prop("<X:none/>")).multistatus.only.status_for("X:none") == 200


def test_remove_displayname(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: a property that may be set may be removed."""
    client.set_properties(calendar.href, "<D:displayname>A</D:displayname>").expect(207)
    client.proppatch(calendar.href, remove_prop("<D:displayname/>")).multistatus.only.prop("D:displayname")
    item = calendar.propfind("D:displayname").only
    assert item.status_for("D:displayname") == 404 or item.text("D:displayname") != "A"


def test_missing_resource(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.2: PROPPATCH of an unmapped URL is 404."""
    client.set_properties(calendar.path("none.ics"), "<X:a>1</X:a>").expect(404)


@pytest.mark.parametrize("body", ["", "<x", "<D:propertyupdate xmlns:D='DAV:'/>", "<D:propfind xmlns:D='DAV:'/>"])
def test_bad_body(client: Client, calendar: Calendar, body: str) -> None:
    """RFC 4918 §9.2: PROPPATCH needs a propertyupdate with at least one instruction: else 400."""
    client.request("PROPPATCH", calendar.href, body).expect(400)


def test_dead_properties_do_not_change_the_etag(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §15.6: an ETag is of the body; PROPPATCH leaves it."""
    etag = calendar.add("a.ics", event())
    client.set_properties(calendar.path("a.ics"), "<X:a>1</X:a>").expect(207)
    assert calendar.get("a.ics").etag == etag


def test_dead_properties_go_with_the_resource(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §4: DELETE removes dead properties too; a new resource of the name has none."""
    data = event()
    calendar.add("a.ics", data)
    client.set_properties(calendar.path("a.ics"), "<X:a>1</X:a>").expect(207)
    calendar.delete("a.ics").expect(204)
    calendar.add("a.ics", data)
    assert client.propfind(calendar.path("a.ics"), "X:a").only.status_for("X:a") == 404


def test_dead_properties_stay_over_put(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.7.1: PUT onto a resource keeps its dead properties."""
    data = event()
    calendar.add("a.ics", data)
    client.set_properties(calendar.path("a.ics"), "<X:a>1</X:a>").expect(207)
    calendar.put("a.ics", data.replace(b"Meeting", b"Changed")).expect(204)
    assert client.propfind(calendar.path("a.ics"), "X:a").only.text("X:a") == "1"
