"""What a use-case is given: who asks, the database, and the figures that bound it.

Rules of this module: plain data; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caldav_server.calendaring.actors import Actor
from caldav_server.calendaring.quota import Quota
from caldav_server.settings import Settings
from protocol.ical.document import Limits
from protocol.model import DAY, CalendarId, PrincipalId, Seq
from storage.database import Database


class StaleLogin(Exception):
    """An account, group or delegation changed since the actor was authenticated."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The figures that bound the use-cases; every one is a setting."""

    limits: Limits
    horizon_seconds: int
    """How far past the time of writing occurrences are stored."""
    occurrences_cap: int
    """How many occurrences of one object are stored at most."""
    quota: Quota
    """How much text one home may hold (RFC 4331)."""
    calendars_per_home: int
    dead_properties: int
    """How many properties one resource may keep that the server does not interpret."""

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The figures as the settings give them."""
        limits = settings.limits
        return cls(
            limits=Limits(
                size=limits.resource_bytes,
                line=limits.line_bytes,
                params=limits.parameters,
                properties=limits.properties,
                components=limits.components,
                depth=limits.depth,
                attendees=limits.attendees,
            ),
            horizon_seconds=settings.recurrence.horizon_days * DAY,
            occurrences_cap=settings.recurrence.occurrences,
            quota=Quota(limits.home_bytes),
            calendars_per_home=limits.calendars_per_home,
            dead_properties=limits.dead_properties,
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What one request is done with: a face makes it and hands it to each use-case."""

    db: Database
    rules: Rules
    actor: Actor
    request_id: str
    now: int
    """The time of the request, UTC epoch seconds: use-cases read no clock."""
    announce: Callable[[PrincipalId, CalendarId, Seq], None]
    """Says that a calendar moved on to ``seq``; called after the commit, never before."""
    observe_accounts_version: Callable[[int], bool] = lambda _version: False
    """Gets the accounts version that a look-up read; true when accounts changed since the actor was authenticated."""
    wake_jobs: Callable[[], None] = lambda: None
    """Says that jobs were queued; called after the commit."""
    epoch: str = ""
    """The epoch of the database: part of every sync token."""
