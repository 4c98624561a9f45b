"""What a face is: a protocol over the use-cases, and the rules for the requests that reach it.

Rules of this module: types, and the plain form of a refusal that every face may fall back on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from caldav_server.accounts.logins import Login
from caldav_server.http.messages import Request, Response
from caldav_server.services import Services
from protocol.errors import Condition, Refusal

RETRY_SECONDS = "2"
TEXT = {"Content-Type": "text/plain; charset=utf-8"}

Handler = Callable[[Request], Awaitable[Response]]
"""Answers one request; it may raise a ``Refusal``, which the face's own ``refuse`` writes."""


LoginFactory = Callable[[Services], Login]


@dataclass(frozen=True, slots=True)
class Face:
    """One face: which requests reach it, who may send them, and how it refuses."""

    name: str
    roots: frozenset[str]
    """The first segments of its paths, decoded; empty: ``/`` itself."""
    load: Callable[[Services], Handler]
    """Makes its handler when a server starts; what it needs is imported then."""
    logins: tuple[LoginFactory, ...] = ()
    """Ways to log in; none: whoever asks is answered."""
    refuse: Callable[[Request, Refusal], Response] = lambda _request, refusal: plain_refusal(refusal)
    advertised: Callable[[], dict[str, str]] = dict
    """Headers of an answer to OPTIONS that asks for a login: probes look before they log in."""


def plain_refusal(refusal: Refusal) -> Response:
    """A refusal as one line of text."""
    headers = dict(TEXT)
    if refusal.condition is Condition.UNAVAILABLE:
        headers["Retry-After"] = RETRY_SECONDS
    return Response(refusal.condition.status, headers, f"{refusal.message}\n".encode())
