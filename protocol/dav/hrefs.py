"""The canonical spelling of a URL segment, and the decoding of any spelling (RFC 3986 §2-3, RFC 4918 §8.3).

A name may have any character but controls. Its canonical spelling is percent-encoded UTF-8 in upper case, except for
unreserved characters and ``@``, so that our hrefs never need XML escaping. Paths are split first and decoded then:
``%2F`` stays inside its segment. Rules of this module: it does not know the paths of this server.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from protocol.errors import Condition, Refusal

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._~@-]*")
_UNSAFE_PATH = re.compile(r"[^\x21-\x24\x26-\x7e]")
"""A percent sign or a character that is not printable ASCII: the path needs decoding."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def encode_segment(name: str) -> str:
    """The canonical spelling of one path segment; a name of URL-safe characters is returned as it is."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return quote(name, safe="@", errors="surrogatepass")


def is_plain(segment: str) -> bool:
    """Whether a segment of a raw path is a canonical name, so that nothing has to be decoded or resolved."""
    return _PLAIN_NAME.fullmatch(segment) is not None and segment not in ("", ".", "..")


def split_path(raw_path: str) -> list[str]:
    """The decoded segments of a raw path, without empty segments (double and trailing slashes) and ``.``.

    Refuses ``BAD_REQUEST`` for ``..``, control characters and octets that are not UTF-8, in any spelling. A percent
    sign that encodes nothing stands for itself.
    """
    segments = [segment for segment in raw_path.split("/") if segment]
    if _UNSAFE_PATH.search(raw_path):
        segments = [_decode(segment) for segment in segments]
    if ".." in segments:
        _refuse("A path may not contain '..'.")
    if "." in segments:
        segments = [segment for segment in segments if segment != "."]
    return segments


def _decode(segment: str) -> str:
    try:
        # The HTTP layer gives octets above 127 either as characters or as surrogate escapes; both are octets here.
        name = unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeError:
        _refuse("The path is not valid UTF-8.")
    if _CONTROL.search(name):
        _refuse("A name in a path may not contain control characters.")
    return name


def _refuse(message: str) -> NoReturn:
    raise Refusal(Condition.BAD_REQUEST, message)


def path_of_href(href: str, *, scheme: str, authority: str) -> str:
    """The raw path of an href of this server: an absolute path, or an absolute URI of the same host.

    ``scheme`` and ``authority`` are those of the request. Query and fragment are removed. Refuses
    ``FOREIGN_DESTINATION`` for another host, and ``BAD_REQUEST`` for any other form (RFC 4918 §8.3).
    """
    href = href.strip()
    if href.startswith("/"):  # "//name" too: a double slash, not a network path
        return re.split(r"[?#]", href, maxsplit=1)[0]
    found = _ABSOLUTE.match(href)
    if found is None:
        _refuse("An href must be an absolute path or an absolute URI.")
    if not is_same_host(found["scheme"], found["authority"], scheme=scheme, authority=authority):
        raise Refusal(Condition.FOREIGN_DESTINATION, "The href names another server.")
    return found["path"] or "/"


def is_same_host(its_scheme: str, its_authority: str, *, scheme: str, authority: str) -> bool:
    """Whether the authority of a URI is that of a request.

    Behind a proxy that ends TLS, client and server see different schemes, so all default ports are equal.
    """
    its_scheme, scheme = its_scheme.lower(), scheme.lower()
    if its_scheme not in _DEFAULT_PORTS:
        return False
    its_host, its_port = _host_and_port(its_authority, its_scheme)
    host, port = _host_and_port(authority, scheme)
    if its_host != host:
        return False
    defaults = _DEFAULT_PORTS.values()
    return its_port == port or (its_port in defaults and port in defaults)


def _host_and_port(authority: str, scheme: str) -> tuple[str, str]:
    host_port = authority.rpartition("@")[2].lower()
    host, colon, port = host_port.rpartition(":")
    if not colon or port.endswith("]"):  # the last colon of an IPv6 address does not begin a port
        host, port = host_port, ""
    return host.rstrip("."), port or _DEFAULT_PORTS.get(scheme, "")
