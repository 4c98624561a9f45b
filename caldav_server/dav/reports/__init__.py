"""REPORTS: every report the server answers, one row each (RFC 3253 §3.6).

``DAV:supported-report-set`` is computed from this table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from caldav_server.calendaring import access
from caldav_server.dav.call import Call
from caldav_server.dav.reports import expand_property, free_busy, multiget, principals, query, sync
from caldav_server.dav.resources import Kind, OwnedResource, Resource
from caldav_server.http.messages import Response
from protocol.dav import names
from protocol.dav import reports as bodies
from protocol.errors import Condition, Refusal
from protocol.model import Access

Handler = Callable[[Call, Any, Any], Awaitable[Response]]
"""Gets the call, the opened resource (of the types that the row's kinds stand for) and the parsed body."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report: its root element and parsed body, the kinds of resource that answer it, what answers it."""

    name: str
    body: type
    kinds: frozenset[Kind]
    answer: Handler
    needed: Access = Access.READ
    """What the actor must be allowed to do with the resource."""


_ANY = frozenset(Kind)
_CALENDARS = frozenset({Kind.CALENDAR})
_WITH_OBJECTS = _CALENDARS | {Kind.INBOX, Kind.HOME, Kind.OBJECT}
_PEOPLE = frozenset({Kind.ROOT, Kind.PRINCIPALS, Kind.PRINCIPAL})

REPORTS: dict[type, Report] = {
    row.body: row
    for row in (
        Report(names.CALENDAR_QUERY, bodies.CalendarQuery, _WITH_OBJECTS, query.query),
        Report(names.CALENDAR_MULTIGET, bodies.CalendarMultiget, _WITH_OBJECTS, multiget.multiget),
        Report(
            names.FREE_BUSY_QUERY,
            bodies.FreeBusyQuery,
            _CALENDARS | {Kind.HOME},
            free_busy.free_busy,
            Access.READ_FREE_BUSY,
        ),
        Report(names.SYNC_COLLECTION, bodies.SyncCollection, _CALENDARS | {Kind.HOME}, sync.collection),
        Report(names.EXPAND_PROPERTY, bodies.ExpandProperty, _ANY, expand_property.answer),
        Report(names.PRINCIPAL_PROPERTY_SEARCH, bodies.PrincipalPropertySearch, _ANY, principals.property_search),
        Report(
            names.PRINCIPAL_SEARCH_PROPERTY_SET,
            bodies.PrincipalSearchPropertySet,
            _PEOPLE,
            principals.search_property_set,
        ),
        Report(names.PRINCIPAL_MATCH, bodies.PrincipalMatch, _ANY - {Kind.OBJECT}, principals.match),
        Report(names.ACL_PRINCIPAL_PROP_SET, bodies.AclPrincipalPropSet, _ANY, principals.acl_principal_prop_set),
    )
}


@cache
def supported_by(kind: Kind) -> tuple[str, ...]:
    """The names of the reports a kind of resource answers, in the order of the table."""
    return tuple(row.name for row in REPORTS.values() if kind in row.kinds)


def access_for(body: bodies.ReportBody) -> Access:
    """What the actor must be allowed to do with the resource that is asked."""
    row = REPORTS.get(type(body))
    return Access.READ if row is None else row.needed


def require(body: bodies.ReportBody, resource: Resource) -> Report:
    """The row of a report that the resource answers (``DAV:supported-report``, RFC 3253 §3.6) and the actor may ask."""
    row = REPORTS.get(type(body))
    if row is None or resource.kind not in row.kinds:
        raise Refusal(Condition.SUPPORTED_REPORT, "This resource does not answer that report.")
    if isinstance(resource, OwnedResource):
        access.require(resource.opened, row.needed)
    return row
