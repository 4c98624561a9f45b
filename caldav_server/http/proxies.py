"""Whom to believe about the client: reverse proxies and what they say (X-Forwarded-*, nginx, Apache, HAProxy, Caddy).

Rules of this module: a header counts only when the connection itself comes from a trusted address; the address header
is read from its end, since everything before the last untrusted entry was written by the client.
"""

from __future__ import annotations

import ipaddress

from caldav_server.http.messages import Request
from caldav_server.settings import ProxySettings, is_base_path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNIX = "unix"
_ID_MOST = 128


def parse_networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks among setting entries; ``unix`` is not one."""
    return tuple(ipaddress.ip_network(entry) for entry in entries if entry != UNIX)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as proxies write it: with a port, in brackets, IPv4 inside IPv6; ``None`` when it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_in(text: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address in text form lies in one of the networks."""
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


class Proxies:
    """The trusted reverse proxies."""

    def __init__(self, settings: ProxySettings) -> None:
        self._networks = parse_networks(settings.trusted)
        self._unix = UNIX in settings.trusted
        self._address_header = settings.address_header
        self._scheme_header = settings.scheme_header
        self._host_header = settings.host_header
        self._prefix_headers = settings.prefix_headers
        self._id_header = settings.request_id_header

    def trusts(self, peer: str) -> bool:
        """Whether the connection's own address is a trusted proxy."""
        if peer == UNIX:
            return self._unix
        return bool(self._networks) and is_in(peer, self._networks)

    def apply(self, request: Request) -> None:
        """Rewrites what the proxy knows better: address, scheme, host, base path and request id."""
        headers = request.headers
        hops = ",".join(headers.getall(self._address_header, ())).split(",")
        for hop in reversed(hops):
            address = parse_address(hop)
            if address is None:
                break
            request.remote = str(address)
            if not any(address in network for network in self._networks):
                break
        scheme = headers.get(self._scheme_header, "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            request.scheme = scheme
        host = headers.get(self._host_header, "").rpartition(",")[2].strip()
        if host and host.isprintable() and " " not in host and "/" not in host:
            request.authority = host
        for name in self._prefix_headers:
            if name in headers:
                base_path = headers[name].rpartition(",")[2].strip().rstrip("/")
                if is_base_path(base_path):
                    request.base_path = base_path
                break
        request_id = headers.get(self._id_header, "")
        if request_id and len(request_id) <= _ID_MOST and request_id.isascii() and request_id.isprintable():
            request.request_id = request_id
