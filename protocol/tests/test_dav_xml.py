"""XML in and out: what the parser refuses and how fast, and what escaping and serialising keep."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from protocol.dav import names, xml
from protocol.errors import Condition, Refusal


def refused(body: bytes) -> Condition:
    with pytest.raises(Refusal) as caught:
        xml.parse(body)
    return caught.value.condition


BOMB = b"<!DOCTYPE a [" + b"".join(
    b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10 if level else b"lol" * 10) for level in range(12)
)


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (b"", Condition.BAD_REQUEST),
        (b"   ", Condition.BAD_REQUEST),
        (b"BEGIN:VCALENDAR", Condition.BAD_REQUEST),
        (b"<a>", Condition.BAD_REQUEST),
        (b"<a/><b/>", Condition.BAD_REQUEST),
        (b"<a><b:c/></a>", Condition.BAD_REQUEST),
        (b'<a xmlns:b=""><b:c/></a>', Condition.BAD_REQUEST),
        (b"<a>\x01</a>", Condition.BAD_REQUEST),
        (b"<a>&#1;</a>", Condition.BAD_REQUEST),
        (b"<a>\xff</a>", Condition.BAD_REQUEST),
        (b"<a>&nbsp;</a>", Condition.BAD_REQUEST),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', Condition.BAD_REQUEST),
        (b"<!DOCTYPE a><a/>", Condition.BAD_REQUEST),
        (b"<?xml version='1.0'?>\n<!-- x --> <?pi y?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", Condition.BAD_REQUEST),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', Condition.NO_EXTERNAL_ENTITIES),
        (b'<!DOCTYPE a PUBLIC "-//x//y" "http://127.0.0.1/x.dtd"><a/>', Condition.NO_EXTERNAL_ENTITIES),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', Condition.NO_EXTERNAL_ENTITIES),
        (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/"> %x;]><a/>', Condition.NO_EXTERNAL_ENTITIES),
        (BOMB + b"]><a>&e11;</a>", Condition.BAD_REQUEST),
        (b"<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE a+AD4-<a/>", Condition.BAD_REQUEST),
        ("<!DOCTYPE a SYSTEM 'x'><a/>".encode("utf-16"), Condition.NO_EXTERNAL_ENTITIES),
        (b"\xff\xfe<", Condition.BAD_REQUEST),
        ("<a>\ud800</a>".encode("utf-16-le", "surrogatepass"), Condition.BAD_REQUEST),
        (b"<a>" * 70 + b"</a>" * 70, Condition.BAD_REQUEST),
        (b"<a>" * 3000 + b"</a>" * 3000, Condition.BAD_REQUEST),
        (b"<a>" + b"<b/>" * 250_000 + b"</a>", Condition.BAD_REQUEST),
        (b"<a " + b" ".join(b'x%d=""' % number for number in range(100_000)) + b"/>", Condition.BAD_REQUEST),
        (b"<!--" * 200_000, Condition.BAD_REQUEST),
        (b"<!DOCTYPE" + b"[" * 500_000, Condition.BAD_REQUEST),
    ],
    ids=range(29),
)
def test_a_bad_body_is_refused_at_once(body: bytes, condition: Condition) -> None:
    started = time.process_time()
    assert refused(body) is condition
    assert time.process_time() - started < 0.25


def test_the_largest_multiget_and_the_deepest_body_pass() -> None:
    body = b'<m xmlns="DAV:">' + b"<href>/dav/calendars/u/c/abc.ics</href>" * 100_000 + b"</m>"
    assert len(xml.parse(body)) == 100_000
    assert xml.parse(b"<a>" * xml.MAX_DEPTH + b"</a>" * xml.MAX_DEPTH).tag == "a"
    assert refused(b"<a>" * (xml.MAX_DEPTH + 1) + b"</a>" * (xml.MAX_DEPTH + 1)) is Condition.BAD_REQUEST


def test_a_doctype_inside_the_data_is_data() -> None:
    root = xml.parse(b"<a><![CDATA[<!DOCTYPE html SYSTEM 'x'>]]></a>")
    assert xml.text_of(root) == "<!DOCTYPE html SYSTEM 'x'>"


@pytest.mark.parametrize(
    "body",
    [
        '<?xml version="1.0" encoding="utf-8"?><a>é</a>'.encode(),
        b"\xef\xbb\xbf" + '<?xml version="1.0"?><a>é</a>'.encode(),
        '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16"),
        b"\xfe\xff" + "<a>é</a>".encode("utf-16-be"),
        '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"),
        b"<!-- comment --><a><!-- inner -->\xc3\xa9<?pi?></a>",
    ],
)
def test_every_encoding_xml_knows_is_read(body: bytes) -> None:
    root = xml.parse(body)
    assert (root.tag, xml.text_of(root), len(root)) == ("a", "é", 0)


def test_escape_keeps_what_xml_would_change_and_drops_what_it_cannot_carry() -> None:
    assert xml.escape("plain text, ünicode") == "plain text, ünicode"
    assert xml.escape("a<b>&c\r\n\t]]>") == "a&lt;b&gt;&amp;c&#13;\n\t]]&gt;"
    assert xml.escape("a\x00b\x1fc\ud800d\ufffee\uffff\x7f") == "abcde\x7f"
    assert xml.escape_attribute('"\n\t\r<') == "&quot;&#10;&#9;&#13;&lt;"


@given(st.text())
def test_escaped_text_always_comes_back(text: str) -> None:
    read = xml.parse(f'<a b="{xml.escape_attribute(text)}">{xml.escape(text)}</a>'.encode())
    kept = "".join(char for char in text if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff"))
    assert xml.text_of(read) == kept
    assert read.get("b") == kept


def test_serialize_stands_alone() -> None:
    root = xml.parse(
        b'<D:prop xmlns:D="DAV:" xmlns:Q="urn:q" xmlns:Z="urn:z" xmlns="urn:unused">'
        b'<A:calendar-color xmlns:A="http://apple.com/ns/ical/" symbolic-color="custom" Z:at="1" xml:lang="de">'
        b"#FF0000FF<!-- gone --> Q:name &#13;\n<![CDATA[<&]]><D:x/>tail<y/></A:calendar-color>after</D:prop>"
    )
    text = xml.serialize(root[0])
    assert text == (
        '<A:calendar-color xmlns:Q="urn:q" xmlns:A="http://apple.com/ns/ical/" xmlns:Z="urn:z"'
        ' symbolic-color="custom" Z:at="1" xml:lang="de">'
        '#FF0000FF Q:name &#13;\n&lt;&amp;<D:x xmlns:D="DAV:"/>tail<y xmlns="urn:unused"/></A:calendar-color>'
    )
    assert xml.serialize(xml.parse(text.encode())) == text


def test_serialize_takes_a_default_namespace_back() -> None:
    text = '<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a"/></b><d xmlns="urn:d" xmlns:e="urn:a"><e:f/></d></a>'
    root = xml.parse(text.encode())
    again = xml.parse(xml.serialize(root).encode())
    assert [element.tag for element in again.iter()] == ["{urn:a}a", "b", "{urn:a}c", "{urn:d}d", "{urn:a}f"]


def test_serialize_copes_with_namespaces_that_are_no_absolute_uris() -> None:
    assert xml.serialize(xml.parse(b'<x:a xmlns:x="foo"/>')) == '<x:a xmlns:x="foo"/>'
    assert xml.serialize(xml.parse(b"<a/>")) == "<a/>"


_tags = st.sampled_from(["{DAV:}a", "{urn:x}b", "c", "{urn:y}d", "{http://apple.com/ns/ical/}e"])
_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")) | (
    st.sampled_from(["\r\n", "ns0:x", "]]>", "&lt;"])
)
_trees = st.recursive(
    st.tuples(_tags, _texts, st.just([]), st.dictionaries(_tags, _texts, max_size=2), _texts),
    lambda inner: st.tuples(
        _tags, _texts, st.lists(inner, max_size=3), st.dictionaries(_tags, _texts, max_size=2), _texts
    ),
    max_leaves=8,
)


def _build(tree, parent: etree._Element | None = None) -> etree._Element:
    tag, text, children, attributes, tail = tree
    element = etree.Element(tag, attributes) if parent is None else etree.SubElement(parent, tag, attributes)
    element.text = text
    element.tail = tail
    for child in children:
        _build(child, element)
    return element


def _shape(element: etree._Element, *, tail: bool = True):
    return (
        element.tag,
        element.text or "",
        dict(element.attrib),
        [_shape(child) for child in element],
        (element.tail or "") if tail else "",
    )


@given(_trees)
def test_parse_reads_what_serialize_wrote(tree) -> None:
    element = _build(tree)
    text = xml.serialize(element)
    again = xml.parse(text.encode())
    assert _shape(again, tail=False) == _shape(element, tail=False)
    assert xml.serialize(again) == text


@given(_trees)
def test_a_dead_property_fits_into_a_multistatus(tree) -> None:
    element = _build(tree)
    document = f"<D:multistatus{names.DECLARATIONS}>{xml.serialize(element)}</D:multistatus>"
    assert _shape(xml.parse(document.encode())[0], tail=False) == _shape(element, tail=False)


@given(st.binary(max_size=200) | st.text("<>/abc:=\"' &;![]-?xmlns", max_size=80).map(str.encode))
def test_any_bytes_parse_or_are_refused(body: bytes) -> None:
    try:
        xml.parse(body)
    except Refusal as refusal:
        assert refusal.condition in (Condition.BAD_REQUEST, Condition.NO_EXTERNAL_ENTITIES)
        assert refusal.message


def test_names_are_spelt_with_the_prefixes_of_the_root() -> None:
    assert names.empty(names.GETETAG) == "<D:getetag/>"
    assert names.element(names.CALENDAR_DATA, "x") == "<C:calendar-data>x</C:calendar-data>"
    assert names.element(names.CALENDAR_COLOR, "") == "<A:calendar-color/>"
    assert names.tags(names.GETCTAG) == ("<CS:getctag>", "</CS:getctag>")
    assert names.empty('{urn:a&"<b}c') == '<X:c xmlns:X="urn:a&amp;&quot;&lt;b"/>'
    assert names.element("bare", "y") == "<bare>y</bare>"
    assert names.split("{DAV:}a") == ("DAV:", "a")
    assert names.split("a") == ("", "a")
    assert names.calendarserver("x") == "{http://calendarserver.org/ns/}x"
    assert names.apple("x") == "{http://apple.com/ns/ical/}x"
    assert names.caldav("x") == "{urn:ietf:params:xml:ns:caldav}x"


@given(st.text(st.sampled_from("a&<>\r\n\t é–😀\x00\x1f\x7f\ufffd\ufffe\uffff]]>")))
def test_octets_are_escaped_like_their_characters(text: str) -> None:
    assert xml.escape_utf8(text.encode()) == xml.escape(text)


def test_octets_that_are_not_utf8_are_not_escaped() -> None:
    for data in (b"\xff", b"a\xc3\r", b"\xed\xa0\x80"):
        with pytest.raises(UnicodeDecodeError):
            xml.escape_utf8(data)
