"""XML in through one hardened parser, XML text out (RFC 4918 §8.2 and §17, RFC 3023).

A body with a document type declaration is refused, and so is one that is deeper or larger than any real request, before
it costs anything. Outgoing text is escaped here and nowhere else. Rules of this module: it knows no element by name; it
is the only place of ``protocol.dav`` that configures lxml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from lxml import etree

from protocol.dav.names import XML_NAMESPACE, split
from protocol.errors import Condition, Refusal

Element = etree._Element

MAX_DEPTH = 64
"""Levels of elements in a request body."""
MAX_ELEMENTS = 120_000
"""Elements in a request body: enough for a multiget of every member of a very large calendar."""
MAX_ATTRIBUTES = 60_000
"""Equal signs in a request body, which limits its attributes."""

_parser = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)

_too_deep = etree.XPath("boolean(/" + "/".join("*" * (MAX_DEPTH + 1)) + ")")
_DOCTYPE = re.compile(rb"(?>\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE(?P<rest>[^\[>]*(?:\[.*?\]\s*>)?)", re.DOTALL)
_EXTERNAL = re.compile(rb"\b(?:SYSTEM|PUBLIC)\b")
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


def parse(body: bytes) -> Element:
    """The root element of a request body, without comments and processing instructions.

    Refuses ``NO_EXTERNAL_ENTITIES`` for a body that refers to external entities. Refuses ``BAD_REQUEST`` for any other
    document type declaration, for text that is not well-formed, and beyond the limits of this module.
    """
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        body = _from_utf16(body)
    if body.startswith(b"\xef\xbb\xbf"):
        body = body[3:]
    found = _DOCTYPE.match(body)
    if found is not None:
        _refuse_doctype(external=_EXTERNAL.search(found["rest"]) is not None)
    marks = body.count(b"<")
    if marks > 2 * MAX_ELEMENTS or body.count(b"=") > MAX_ATTRIBUTES:
        raise Refusal(Condition.BAD_REQUEST, "The XML body has too many elements or attributes.")
    try:
        root = etree.fromstring(body, _parser)
    except etree.XMLSyntaxError as error:
        raise Refusal(Condition.BAD_REQUEST, f"The body is not well-formed XML: {error.msg}.") from None
    if root.getroottree().docinfo.internalDTD is not None:  # in an encoding in which the bytes do not show it
        _refuse_doctype(external=False)
    if marks > MAX_DEPTH and _too_deep(root):
        raise Refusal(Condition.BAD_REQUEST, f"The XML body nests more than {MAX_DEPTH} levels.")
    return root


def _refuse_doctype(*, external: bool) -> NoReturn:
    if external:
        raise Refusal(Condition.NO_EXTERNAL_ENTITIES, "The XML body refers to external entities.")
    raise Refusal(Condition.BAD_REQUEST, "The XML body has a document type declaration.")


def _from_utf16(body: bytes) -> bytes:
    """The same document in UTF-8, so that the checks on bytes work on it."""
    try:
        text = body.decode("utf-16")
    except UnicodeDecodeError:
        raise Refusal(Condition.BAD_REQUEST, "The XML body is not valid UTF-16.") from None
    return _XML_DECLARATION.sub("", text, count=1).encode("utf-8", "surrogatepass")


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 §2.2 cannot carry in any spelling."""


_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_SPECIAL = _CONTROLS + b"&<>"


def _is_xml_text(text: str) -> bool:
    """Whether XML can carry every character; five times faster on calendar data than the regular expression."""
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return len(data.translate(None, _CONTROLS)) == len(data) and "\ufffe" not in text and "\uffff" not in text


def escape(text: str) -> str:
    """Text as XML character data.

    ``CR`` becomes ``&#13;`` so that it survives the reader's line-end handling (XML 1.0 §2.11). Characters that XML
    cannot carry are dropped.
    """
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    if text.isprintable() or _is_xml_text(text):
        return text
    return _FORBIDDEN.sub("", text)


def escape_utf8(data: bytes) -> str:
    """The same for UTF-8 octets, which are faster to check; ``UnicodeDecodeError`` when they are not UTF-8."""
    if not data.isascii() and b"\xef\xbf" in data:  # U+FFFE and U+FFFF begin with these octets
        return escape(data.decode())
    if len(data.translate(None, _SPECIAL)) != len(data):
        if len(data.translate(None, _CONTROLS)) != len(data):
            return escape(data.decode())
        data = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return data.replace(b"\r", b"&#13;").decode()


def escape_attribute(text: str) -> str:
    """Text as an attribute value between double quotes, with its white space kept (XML 1.0 §3.3.3)."""
    text = escape(text).replace('"', "&quot;")
    return text.replace("\n", "&#10;").replace("\t", "&#9;")


def serialize(element: Element) -> str:
    """The element as text on its own, with its namespace declarations and without its tail.

    The form is canonical: each prefix is declared where it is first used, CDATA becomes text, and comments are gone.
    Attributes, ``xml:lang``, prefixes and mixed content are kept (RFC 4918 §4.3). A prefix that appears only inside
    text, as in a QName, keeps its declaration too.
    """
    spoken = text_of(element)
    declared: dict[str | None, str] = {
        prefix: namespace for prefix, namespace in element.nsmap.items() if prefix and f"{prefix}:" in spoken
    }
    out: list[str] = []
    _write(element, {None: ""}, declared, out)
    return "".join(out)


_Scope = Mapping[str | None, str]


def _write(element: Element, scope: _Scope, declare: _Scope, out: list[str]) -> None:
    """Append ``element``; ``scope`` has the declarations of its ancestors, ``declare`` those that it must add."""
    namespace, local = split(str(element.tag))
    prefix = element.prefix
    needed: dict[str | None, str] = {**declare, prefix: namespace}
    attributes = []
    for name, value in element.items():
        space, attribute = split(str(name))
        if space:
            attribute = f"{_attribute_prefix(element, space, needed)}:{attribute}"
        attributes.append(f' {attribute}="{escape_attribute(str(value))}"')
    start = f"{prefix}:{local}" if prefix else local
    out.append(f"<{start}")
    fresh = {key: uri for key, uri in needed.items() if scope.get(key) != uri}
    for key, uri in fresh.items():
        out.append(f' xmlns:{key}="{escape_attribute(uri)}"' if key else f' xmlns="{escape_attribute(uri)}"')
    out.extend(attributes)
    if not len(element) and not element.text:
        out.append("/>")
        return
    inner = {**scope, **fresh} if fresh else scope
    out.append(f">{escape(element.text or '')}")
    for child in element:
        _write(child, inner, {}, out)
        out.append(escape(child.tail or ""))
    out.append(f"</{start}>")


def _attribute_prefix(element: Element, namespace: str, needed: dict[str | None, str]) -> str:
    """The prefix of an attribute's namespace here; it is added to ``needed``, unless it is that of XML itself."""
    if namespace == XML_NAMESPACE:
        return "xml"
    prefix = next(key for key, uri in element.nsmap.items() if key and uri == namespace)
    needed[prefix] = namespace
    return prefix


def text_of(element: Element) -> str:
    """All character data inside an element, in document order."""
    if len(element) == 0:
        return element.text or ""
    return "".join(map(str, element.itertext()))
