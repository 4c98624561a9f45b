"""Live properties of WebDAV itself: RFC 4918 §15, RFC 3253 §3.1, RFC 4331, RFC 5995 §3.2, RFC 6578 §4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caldav_server.calendaring import sync
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.properties import USAGE
from caldav_server.dav.properties.table import (
    CALENDARS,
    COLLECTIONS,
    EVERYWHERE,
    HOME_COLLECTIONS,
    Row,
)
from caldav_server.dav.resources import (
    CalendarResource,
    CollectionResource,
    HomeResource,
    Kind,
    OwnedResource,
    Resource,
)
from protocol.dav import names, values
from protocol.dav.xml import escape
from protocol.model import ComponentKind, ObjectMeta

if TYPE_CHECKING:
    from caldav_server.dav.view import View

_CONTENT_TYPES = {kind: f"text/calendar; charset=utf-8; component={kind.name.lower()}" for kind in ComponentKind}
_RESOURCE_TYPES = {
    Kind.PRINCIPAL: "<D:collection/><D:principal/>",
    Kind.CALENDAR: "<D:collection/><C:calendar/>",
    Kind.INBOX: "<D:collection/><C:schedule-inbox/>",
    Kind.OUTBOX: "<D:collection/><C:schedule-outbox/>",
    Kind.NOTIFICATION: "<D:collection/><CS:notification/>",
}
"""Every kind not named here is a plain collection."""

SYNCHRONISED = CALENDARS | {Kind.HOME}
"""What answers sync-collection."""


def _resourcetype(resource: Resource, _view: View) -> str:
    return _RESOURCE_TYPES.get(resource.kind, "<D:collection/>")


def _displayname(resource: Resource, _view: View) -> str | None:
    if isinstance(resource, CollectionResource):
        name = resource.opened.binding.display_name
        return None if name is None else escape(name)
    if isinstance(resource, OwnedResource):
        return escape(resource.owner.display_name)
    return resource.kind.value


def _creationdate(resource: CollectionResource, _view: View) -> str:
    return values.render_iso_date(resource.opened.calendar.created_at)


def sync_token_of(ctx: Context, resource: Resource) -> str | None:
    """The token of the state a collection is in; ``None`` where there is no sync-collection."""
    if isinstance(resource, HomeResource):
        return sync.token_of_home(ctx, resource.opened)
    if isinstance(resource, CalendarResource):
        return sync.token_of_calendar(ctx, resource.opened)
    return None


def _sync_token(resource: Resource, view: View) -> str | None:
    return sync_token_of(view.ctx, resource)


def _supported_reports(resource: Resource, view: View) -> str:
    return values.render_supported_reports(view.reports(resource.kind))


def _member_reports(_meta: ObjectMeta, _resource: Resource, view: View) -> str:
    return values.render_supported_reports(view.reports(Kind.OBJECT))


def _quota_available(resource: Resource, view: View) -> str:
    return str(max(0, view.ctx.rules.quota.limit - resource.extras.used_bytes))


def _quota_used(resource: Resource, _view: View) -> str:
    return str(resource.extras.used_bytes)


def _add_member(resource: Resource, _view: View) -> str:
    return values.render_href(resource.href)


_USAGE = frozenset({USAGE})
_QUOTA_KINDS = HOME_COLLECTIONS | {Kind.HOME}

ROWS = (
    Row(
        names.RESOURCETYPE,
        EVERYWHERE,
        _resourcetype,
        member=lambda _meta, _collection, _view: "",
        same_for_members=True,
        allprop=True,
    ),
    Row(names.DISPLAYNAME, EVERYWHERE, _displayname, allprop=True, settable=CALENDARS),
    Row(
        names.CREATIONDATE,
        HOME_COLLECTIONS,
        _creationdate,
        member=lambda meta, _collection, _view: values.render_iso_date(meta.created_at),
        allprop=True,
    ),
    Row(names.GETETAG, member=lambda meta, _collection, _view: f'"{meta.etag}"', allprop=True),
    Row(
        names.GETCONTENTTYPE,
        member=lambda meta, _collection, _view: _CONTENT_TYPES[meta.component],
        allprop=True,
    ),
    Row(names.GETCONTENTLENGTH, member=lambda meta, _collection, _view: str(meta.size), allprop=True),
    Row(
        names.GETLASTMODIFIED,
        member=lambda meta, _collection, _view: values.render_http_date(meta.modified_at),
        allprop=True,
    ),
    Row(
        names.SUPPORTED_REPORT_SET,
        COLLECTIONS,
        _supported_reports,
        member=_member_reports,
        same_for_members=True,
    ),
    Row(names.SYNC_TOKEN, SYNCHRONISED, _sync_token),
    Row(names.GETCTAG, SYNCHRONISED, _sync_token),
    Row(names.QUOTA_AVAILABLE_BYTES, _QUOTA_KINDS, _quota_available, needs=_USAGE),
    Row(names.QUOTA_USED_BYTES, _QUOTA_KINDS, _quota_used, needs=_USAGE),
    Row(names.ADD_MEMBER, CALENDARS, _add_member),
)
