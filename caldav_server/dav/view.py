"""What the properties of one answer are computed from: who asks, the map of URLs, and what this process remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caldav_server.calendaring.context import Context
from caldav_server.dav.caches.object_response_cache import ObjectResponseCache
from caldav_server.dav.caches.rendering_cache import RenderingCache
from caldav_server.dav.paths import Paths
from caldav_server.dav.resources import Kind
from protocol.model import Principal


@dataclass(frozen=True, slots=True)
class View:
    """Made once per request; property getters read it and nothing else."""

    ctx: Context
    paths: Paths
    reports: Callable[[Kind], tuple[str, ...]]
    """The reports a kind of resource answers: DAV:supported-report-set is computed from their table."""
    renderings: RenderingCache
    """What was rendered for earlier answers."""
    object_responses: ObjectResponseCache
    """What was answered of single objects before."""

    @property
    def viewer(self) -> Principal:
        """Who is asking."""
        return self.ctx.actor.principal
