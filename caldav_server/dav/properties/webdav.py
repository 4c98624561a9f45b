"""Live properties of WebDAV itself: RFC 4918 §15, RFC 3253 §3.1, RFC 4331, RFC 5995 §3.2, RFC 6578 §4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caldav_server.dav.properties.table import (
    CALENDARS,
    COLLECTIONS,
    EVERYWHERE,
    HOME_COLLECTIONS,
    Row,
)
from caldav_server.dav.resources import Kind, Resource
from caldav_server.dav.tokens import render_token
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
    if resource.calendar is not None:
        name = resource.calendar.display_name
        return None if name is None else escape(name)
    if resource.owner is not None:
        return escape(resource.owner.display_name)
    return resource.kind.value


def _creationdate(resource: Resource, _view: View) -> str | None:
    return values.render_iso_date(resource.calendar.created_at) if resource.calendar is not None else None


def sync_token_of(resource: Resource, epoch: str) -> str | None:
    """The token of the state a collection is in; ``None`` where there is no sync-collection."""
    if resource.kind is Kind.HOME and resource.owner is not None:
        return render_token(epoch, resource.owner.principal_id, resource.owner.home_seq)
    if resource.kind is Kind.CALENDAR and resource.calendar is not None:
        return render_token(epoch, resource.calendar.calendar_id, resource.calendar.seq)
    return None


def _sync_token(resource: Resource, view: View) -> str | None:
    return sync_token_of(resource, view.epoch)


def _supported_reports(resource: Resource, view: View) -> str:
    return values.render_supported_reports(view.reports(resource.kind))


def _member_reports(_meta: ObjectMeta, _collection: Resource, view: View) -> str:
    return values.render_supported_reports(view.reports(Kind.OBJECT))


def _quota_available(resource: Resource, view: View) -> str:
    return str(max(0, view.ctx.rules.quota.limit - resource.used_bytes))


def _quota_used(resource: Resource, _view: View) -> str:
    return str(resource.used_bytes)


def _add_member(resource: Resource, _view: View) -> str:
    return values.render_href(resource.href)


_USAGE = frozenset({"usage"})
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
