"""What the properties of one answer are seen through: the asker and the figures of this server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caldav_server.calendaring.context import Context
from caldav_server.dav.elements import Elements
from caldav_server.dav.renderings import Renderings
from caldav_server.dav.resources import Kind
from protocol.model import Principal


@dataclass(frozen=True, slots=True)
class View:
    """Made once per request; property getters read it and nothing else."""

    ctx: Context
    epoch: str
    """The database's epoch: part of every sync token (RFC 6578 §4)."""
    reports: Callable[[Kind], tuple[str, ...]]
    """The reports a kind of resource answers: DAV:supported-report-set is computed from their table."""
    renderings: Renderings
    """What was rendered for earlier answers."""
    elements: Elements
    """What was answered of single objects before."""

    @property
    def viewer(self) -> Principal:
        """Who is asking."""
        return self.ctx.actor.principal
