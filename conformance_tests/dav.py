"""Names, the answer of a request, and a strict reader of multistatus bodies (RFC 4918 §13 and §14).

The reader asserts everything the RFC says about the shape of an answer, so that every test that reads an answer also
tests its form. Nothing here is imported from the server: the tests must not share its mistakes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit

from lxml import etree

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CALENDARSERVER = "http://calendarserver.org/ns/"
APPLE = "http://apple.com/ns/ical/"
NAMESPACES = (
    f'xmlns:D="{DAV}" xmlns:C="{CALDAV}" xmlns:CS="{CALENDARSERVER}" xmlns:A="{APPLE}" xmlns:X="http://example.com/ns/"'
)
PREFIXES = {"D": DAV, "C": CALDAV, "CS": CALENDARSERVER, "A": APPLE, "X": "http://example.com/ns/"}
STATUS_LINE = re.compile(r"HTTP/1\.1 ([1-5]\d\d)( [^\r\n]*)?")
HREF = re.compile(r"(https?://[^/]+)?/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")


def tag(name: str) -> str:
    """``D:href`` as lxml writes it: ``{DAV:}href``."""
    prefix, local = name.split(":", 1)
    return f"{{{PREFIXES[prefix]}}}{local}"


def parse_xml(body: bytes) -> etree._Element:
    """The root of a body that must be well-formed XML without a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(body, parser)
    assert root.getroottree().docinfo.internalDTD is None, "an answer must not have a document type"
    return root


def segments(href: str) -> tuple[bytes, ...]:
    """What an href names: its path split at slashes, each segment decoded. Hrefs are equal when these are."""
    return tuple(unquote_to_bytes(part) for part in urlsplit(href).path.split("/"))


def last_segment(href: str) -> str:
    """The decoded name of the resource behind an href, its trailing slash aside."""
    return unquote_to_bytes(urlsplit(href).path.rstrip("/").rsplit("/", 1)[-1]).decode()


def status_of(text: str | None) -> int:
    """The code in a DAV:status element (RFC 4918 §14.28), which must hold a whole status line."""
    match = STATUS_LINE.fullmatch(text or "")
    assert match, f"not a status line: {text!r}"
    return int(match[1])


@dataclass
class Item:
    """One DAV:response: either a status of its own or properties by status."""

    href: str
    status: int | None = None
    properties: dict[int, dict[str, etree._Element]] = field(default_factory=dict)
    error: etree._Element | None = None

    def prop(self, name: str) -> etree._Element:
        """The element of a property that was answered with 200."""
        found = self.properties.get(200, {}).get(tag(name))
        where = [status for status, props in self.properties.items() if tag(name) in props]
        assert found is not None, f"{name} of {self.href}: {where or self.status or 'not answered'}"
        return found

    def text(self, name: str) -> str:
        """The character data of a property that was answered with 200."""
        return self.prop(name).text or ""

    def hrefs(self, name: str) -> list[str]:
        """The DAV:href children of a property, at any depth."""
        return [element.text or "" for element in self.prop(name).iter(tag("D:href"))]

    def status_for(self, name: str) -> int | None:
        """Under which status a property was answered; ``None`` when it was not."""
        return next((status for status, props in self.properties.items() if tag(name) in props), None)

    def has(self, name: str) -> bool:
        return tag(name) in self.properties.get(200, {})

    @property
    def data(self) -> str:
        """The calendar-data with LF line ends: servers may send CRLF or what XML 1.0 §2.11 makes of it."""
        return self.text("C:calendar-data").replace("\r\n", "\n")


@dataclass
class Multistatus:
    """A 207 body: its items in order, and the sync-token of RFC 6578."""

    items: list[Item]
    sync_token: str | None
    root: etree._Element

    def __getitem__(self, href: str) -> Item:
        wanted = segments(href)
        for item in self.items:
            if segments(item.href) == wanted:
                return item
        raise AssertionError(f"{href} is not among {[item.href for item in self.items]}")

    def __contains__(self, href: str) -> bool:
        return any(segments(item.href) == segments(href) for item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def names(self) -> set[str]:
        """The names of all resources answered."""
        return {last_segment(item.href) for item in self.items}

    @property
    def changed(self) -> dict[str, str]:
        """Of a sync answer: name -> ETag of what was added or changed."""
        return {last_segment(i.href): i.text("D:getetag") for i in self.items if i.status is None}

    @property
    def removed(self) -> set[str]:
        """Of a sync answer: the names that were answered with 404."""
        return {last_segment(i.href) for i in self.items if i.status == 404}

    @property
    def only(self) -> Item:
        assert len(self.items) == 1, f"one response expected, not {[item.href for item in self.items]}"
        return self.items[0]


def _read_propstat(element: etree._Element, item: Item) -> None:
    children = [child.tag for child in element]
    assert children[:2] == [tag("D:prop"), tag("D:status")], f"DAV:propstat holds {children}"
    assert set(children[2:]) <= {tag("D:error"), tag("D:responsedescription")}
    status = status_of(element.findtext(tag("D:status")))
    assert status not in item.properties, f"two propstat elements with {status} for {item.href}"
    seen = {name for props in item.properties.values() for name in props}
    props: dict[str, etree._Element] = {}
    for prop in element[0]:
        assert prop.tag not in props and prop.tag not in seen, f"{prop.tag} twice for {item.href}"
        props[prop.tag] = prop
    item.properties[status] = props
    if element.find(tag("D:error")) is not None:
        item.error = element.find(tag("D:error"))


def _read_response(element: etree._Element) -> list[Item]:
    children = [child.tag for child in element]
    allowed = {"D:href", "D:status", "D:propstat", "D:error", "D:responsedescription", "D:location"}
    assert set(children) <= {tag(name) for name in allowed}, f"DAV:response holds {children}"
    hrefs = [(child.text or "").strip() for child in element.findall(tag("D:href"))]
    for href in hrefs:
        assert HREF.fullmatch(href), f"not a URL as RFC 3986 writes them: {href!r}"
    status = element.find(tag("D:status"))
    propstats = element.findall(tag("D:propstat"))
    assert (status is None) != (not propstats), "DAV:response needs either a status or propstat elements"
    assert status is not None or len(hrefs) == 1, "propstat elements belong to exactly one href"
    items = [Item(href, status_of(status.text) if status is not None else None) for href in hrefs]
    for item in items:
        item.error = element.find(tag("D:error"))
        for propstat in propstats:
            _read_propstat(propstat, item)
    assert items, "DAV:response without an href"
    return items


def read_multistatus(body: bytes) -> Multistatus:
    """Parse a 207 body and assert its shape: RFC 4918 §14.16, §14.22, §14.24; RFC 6578 §6.4."""
    root = parse_xml(body)
    assert root.tag == tag("D:multistatus"), root.tag
    items: list[Item] = []
    token: str | None = None
    for child in root:
        if child.tag == tag("D:response"):
            items.extend(_read_response(child))
        elif child.tag == tag("D:sync-token"):
            assert token is None, "two sync-tokens"
            token = child.text
        else:
            assert child.tag == tag("D:responsedescription"), f"DAV:multistatus holds {child.tag}"
    seen = [segments(item.href) for item in items if item.status != 507]
    assert len(seen) == len(set(seen)), "the same resource twice in one multistatus"
    return Multistatus(items, token, root)


@dataclass
class Response:
    """The answer to one request."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float = 0.0

    def header(self, name: str, default: str | None = None) -> str | None:
        """A header's value; several fields of the name are joined as RFC 9110 §5.3 says."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else default

    @property
    def etag(self) -> str:
        value = self.header("ETag")
        assert value, "no ETag in the answer"
        assert re.fullmatch(r'"[\x21\x23-\x7e]*"', value), f"not a strong entity tag: {value}"
        return value

    @property
    def tokens(self) -> set[str]:
        """The tokens of the DAV header."""
        return {part.strip() for part in (self.header("DAV") or "").split(",") if part.strip()}

    @property
    def allow(self) -> set[str]:
        return {part.strip() for part in (self.header("Allow") or "").split(",") if part.strip()}

    def expect(self, *statuses: int) -> Response:
        """Assert the status; the message shows the body, which names what went wrong."""
        assert self.status in statuses, f"{self.status}, expected {statuses}: {self.body[:600]!r}"
        return self

    @property
    def multistatus(self) -> Multistatus:
        self.expect(207)
        kind = self.header("Content-Type") or ""
        assert kind.split(";")[0].strip() in {"application/xml", "text/xml"}, kind
        assert "charset" not in kind or re.search(r'charset="?utf-8"?', kind, re.IGNORECASE), kind
        return read_multistatus(self.body)

    @property
    def conditions(self) -> set[str]:
        """The condition elements of a DAV:error body (RFC 4918 §16), prefixed: ``C:valid-filter``."""
        if not self.body or "xml" not in (self.header("Content-Type") or ""):
            return set()
        root = parse_xml(self.body)
        return conditions_of(root) if root.tag == tag("D:error") else set()

    def refused(self, status: int, condition: str | None = None) -> Response:
        """Assert a refusal: exact status and, when named, exactly this one condition element."""
        self.expect(status)
        if condition is not None:
            seen = {name for name in self.conditions if name.split(":")[0] in {"D", "C", "CS"}}
            assert seen == {condition}, f"{seen}, expected {condition}: {self.body[:600]!r}"
        return self


def conditions_of(error: etree._Element) -> set[str]:
    """The prefixed names of the conditions in a DAV:error element; a sentence for people beside them is none."""
    names = {namespace: prefix for prefix, namespace in PREFIXES.items()}
    found = set()
    for child in error:
        if isinstance(child.tag, str) and child.tag != tag("D:responsedescription"):
            name = etree.QName(child)
            found.add(f"{names.get(name.namespace or '', name.namespace)}:{name.localname}")
    return found - {"D:responsedescription"}
