"""The one spelling of a URL segment, and the way back from any spelling (RFC 3986 §2-3, RFC 4918 §8.3).

A name may hold any character but controls; its canonical spelling is percent-encoded UTF-8 in upper case that leaves
the unreserved characters and ``@`` alone, so that an href of ours never needs XML escaping. Paths are split first and
decoded after: ``%2F`` stays inside its segment. Rules of this module: it knows no place of the server's map.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from protocol.errors import Condition, Refusal

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._~@-]*")
_UNSAFE_PATH = re.compile(r"[^\x21-\x24\x26-\x7e]")
"""A percent sign, or what is not printable ASCII: the path needs decoding."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def encode_segment(name: str) -> str:
    """The canonical spelling of one path segment; a name of URL-safe characters is returned as it is."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return quote(name, safe="@", errors="surrogatepass")


def is_plain(segment: str) -> bool:
    """Whether a segment of a raw path is a name spelt canonically, so that nothing has to be decoded or walked."""
    return _PLAIN_NAME.fullmatch(segment) is not None and segment not in ("", ".", "..")


def split_path(raw_path: str) -> list[str]:
    """The decoded segments of a raw path; empty segments (double and trailing slashes) and ``.`` do not count.

    Refuses ``BAD_REQUEST`` for ``..``, for control characters and for octets that are not UTF-8, however they are
    spelt. A percent sign that encodes nothing stands for itself.
    """
    segments = [segment for segment in raw_path.split("/") if segment]
    if _UNSAFE_PATH.search(raw_path):
        segments = [_decode(segment) for segment in segments]
    if ".." in segments:
        _refuse("A path may not climb with '..'.")
    if "." in segments:
        segments = [segment for segment in segments if segment != "."]
    return segments


def _decode(segment: str) -> str:
    try:
        # The edge hands over octets above 127 either as characters or as surrogate escapes; both are octets here.
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

    ``scheme`` and ``authority`` are the request's own. Query and fragment are cut off. Refuses ``FOREIGN_DESTINATION``
    for another host and ``BAD_REQUEST`` for what is neither form (RFC 4918 §8.3).
    """
    href = href.strip()
    if href.startswith("/"):  # "//name" too: a doubled slash, never a network path
        return re.split(r"[?#]", href, maxsplit=1)[0]
    found = _ABSOLUTE.match(href)
    if found is None:
        _refuse("An href must be an absolute path or an absolute URI.")
    if not is_same_host(found["scheme"], found["authority"], scheme=scheme, authority=authority):
        raise Refusal(Condition.FOREIGN_DESTINATION, "The href names another server.")
    return found["path"] or "/"


def is_same_host(its_scheme: str, its_authority: str, *, scheme: str, authority: str) -> bool:
    """Whether a URI's authority is the one a request came to.

    Behind a proxy that ends TLS, client and server see different schemes: default ports are equal to each other.
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
    if not colon or port.endswith("]"):  # the last colon of an IPv6 address is not a port's
        host, port = host_port, ""
    return host.rstrip("."), port or _DEFAULT_PORTS.get(scheme, "")
