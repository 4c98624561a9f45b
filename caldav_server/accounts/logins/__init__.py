"""Logins: each says who sends a request, or what to answer instead; one module per scheme.

Rules of this package: a login reads the head of a request, never its body; all logins share one ``LoginCache``.
"""

from __future__ import annotations

from typing import Protocol

from caldav_server.http.messages import Request, Response
from protocol.model import Principal


class Login(Protocol):
    """One way to prove who is asking."""

    name: str
    """What operators call it: basic, bearer, session."""

    def claims(self, request: Request) -> bool:
        """Whether a request carries this kind of login."""

    def cached_principal(self, request: Request) -> Principal | None:
        """The principal of a login that was verified lately; ``None`` means that ``authenticate`` must decide."""

    async def authenticate(self, request: Request) -> Principal | Response:
        """The principal that a request comes from, or the answer to give instead (401, 429, 503)."""

    async def start(self) -> None:
        """Gets ready to serve."""

    def close(self) -> None:
        """Ends what it started."""
