"""Answers as text: multistatus and its parts, error bodies, the answers to MKCOL and MKCALENDAR.

RFC 4918 §13, §14 and §16, RFC 6578 §3.2 (sync-token), RFC 5689 §5.2, RFC 4791 §9.3, RFC 3744 §7.1.1 and §9.5. Rules of
this module: text in, text out; the caller joins and encodes. Arguments called ``xml`` are already escaped (``values``),
everything else is escaped here. Its speed matters more than that of any other file in this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from protocol.dav.names import DECLARATIONS, element, empty, tags
from protocol.dav.xml import escape
from protocol.errors import Condition, Detail

CONTENT_TYPE = "application/xml; charset=utf-8"
XML_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
OPEN = f"{XML_DECLARATION}<D:multistatus{DECLARATIONS}>"
CLOSE = "</D:multistatus>"


def status(code: int) -> str:
    """The DAV:status element of a status code (RFC 4918 §14.28)."""
    return _STATUS[code]


_STATUS = {int(code): f"<D:status>HTTP/1.1 {int(code)} {code.phrase}</D:status>" for code in HTTPStatus}
_AFTER_PROP = {code: f"</D:prop>{text}</D:propstat>" for code, text in _STATUS.items()}
_OK_END = _AFTER_PROP[200] + "</D:response>"


def response(href: str, propstats: Iterable[tuple[int, str]]) -> str:
    """One response with properties: ``propstats`` pairs a status with the property elements that have it.

    Pairs without elements are left out, as long as one remains (RFC 4918 §14.24 requires one).
    """
    if "&" in href or "<" in href:
        href = escape(href)
    body = "".join(
        [f"<D:propstat><D:prop>{xml}{_AFTER_PROP[code]}" for code, xml in propstats if xml]  # a list joins faster
    )
    if not body:
        return f"<D:response><D:href>{href}</D:href><D:propstat><D:prop/>{_STATUS[200]}</D:propstat></D:response>"
    return f"<D:response><D:href>{href}</D:href>{body}</D:response>"


def response_ok(href: str, xml: str) -> str:
    """One response with all properties found, as for most members of a listing."""
    if "&" in href or "<" in href:
        href = escape(href)
    return f"<D:response><D:href>{href}</D:href><D:propstat><D:prop>{xml}{_OK_END}"


def propstat(code: int, xml: str, condition: Condition | None = None, message: str = "") -> str:
    """One propstat with the reason for its status (RFC 4918 §14.22)."""
    return f"<D:propstat><D:prop>{xml}</D:prop>{status(code)}{_reason(condition, message)}</D:propstat>"


def response_of(href: str, propstats: str) -> str:
    """One response with finished ``propstat`` texts, for PROPPATCH."""
    return f"<D:response><D:href>{escape(href)}</D:href>{propstats}</D:response>"


def response_status(href: str, code: int, condition: Condition | None = None, message: str = "") -> str:
    """One response without properties, for a member that is gone or could not be processed (RFC 4918 §14.24)."""
    return f"<D:response><D:href>{escape(href)}</D:href>{status(code)}{_reason(condition, message)}</D:response>"


def _reason(condition: Condition | None, message: str) -> str:
    text = f"<D:error>{element(_name(condition), '')}</D:error>" if condition and condition.namespace else ""
    return f"{text}<D:responsedescription>{escape(message)}</D:responsedescription>" if message else text


def sync_token(token: str) -> str:
    """The DAV:sync-token element at the end of the answer to a sync-collection report (RFC 6578 §6.2)."""
    return f"<D:sync-token>{escape(token)}</D:sync-token>"


def make_collection_response(root: str, propstats: str) -> bytes:
    """The body of a refused extended MKCOL or MKCALENDAR; ``root`` is the Clark name of the response element."""
    start, end = tags(root)
    return f"{XML_DECLARATION}{start[:-1]}{DECLARATIONS}>{propstats}{end}".encode()


def principal_search_property_set(searchable: Iterable[tuple[str, str]]) -> bytes:
    """The answer to that report: Clark names of searchable properties, each with a description (RFC 3744 §9.5)."""
    rows = "".join(
        f"<D:principal-search-property><D:prop>{empty(name)}</D:prop>"
        f'<D:description xml:lang="en">{escape(description)}</D:description></D:principal-search-property>'
        for name, description in searchable
    )
    root = "D:principal-search-property-set"
    return f"{XML_DECLARATION}<{root}{DECLARATIONS}>{rows}</{root}>".encode()


def _name(condition: Condition) -> str:
    return f"{{{condition.namespace}}}{condition.element}"


def error_body(condition: Condition, message: str, details: Iterable[Detail] = ()) -> bytes:
    """The body of a refused request: the condition element with its details, then a sentence for people.

    The sentence is a child element, because DAV:error may contain elements but no text (RFC 4918 §14.5). There is
    always an element, because Thunderbird takes a 403 with an empty DAV:error for rate limiting.
    """
    reason = element(_name(condition), "".join(map(_detail, details))) if condition.namespace else ""
    sentence = f"<D:responsedescription>{escape(message or condition.element)}</D:responsedescription>"
    return f"{XML_DECLARATION}<D:error{DECLARATIONS}>{reason}{sentence}</D:error>".encode()


def _detail(detail: Detail) -> str:
    href = f"<D:href>{escape(detail.href)}</D:href>"
    if detail.privilege is None:
        return href
    return f"<D:resource>{href}<D:privilege>{empty(detail.privilege)}</D:privilege></D:resource>"
