"""Properties of calendars: RFC 4791 §5.2, RFC 6638 §9.1, RFC 7529 §4, RFC 7809 §5, and Apple's colour and order.

What a client sets is kept as it sent it (attributes, alpha channels and all, ``storage`` keeps the element's text) and
interpreted beside it: the getters here answer only where no client ever set the property.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caldav_server.dav.properties.table import CALENDARS, HOME_COLLECTIONS, Row
from caldav_server.dav.resources import CollectionResource, Kind, Resource
from protocol.dav import names, values
from protocol.dav.xml import escape
from protocol.ical import calendar_timezone
from protocol.model import ALL_COMPONENTS, ComponentKind

if TYPE_CHECKING:
    from caldav_server.dav.view import View


def _text(value: str | None) -> str | None:
    return None if value is None else escape(value)


def _description(resource: CollectionResource, _view: View) -> str | None:
    return _text(resource.opened.calendar.description)


def _color(resource: CollectionResource, _view: View) -> str | None:
    return _text(resource.opened.binding.color)


def _order(resource: CollectionResource, _view: View) -> str | None:
    return _text(resource.opened.binding.order)


def _components(resource: CollectionResource, _view: View) -> str:
    return values.render_component_set(resource.opened.calendar.components)


def _component_sets(_resource: Resource, _view: View) -> str:
    """Any set at all may be asked for; saying so takes the sets of one and the set of all."""
    return values.render_component_sets((ALL_COMPONENTS, *(frozenset({kind}) for kind in ComponentKind)))


def _transparency(resource: CollectionResource, _view: View) -> str:
    return values.render_transparency(resource.opened.binding.transparent)


def _time_zone(resource: CollectionResource, _view: View) -> str | None:
    """What was set, or what the name that was set stands for."""
    calendar = resource.opened.calendar
    text = calendar.time_zone
    if text is None and calendar.time_zone_id is not None:
        text = calendar_timezone.render(calendar.time_zone_id)
    return _text(text)


def _time_zone_id(resource: CollectionResource, _view: View) -> str | None:
    return _text(resource.opened.calendar.time_zone_id or None)


ROWS = (
    Row(names.CALENDAR_DESCRIPTION, CALENDARS, _description, settable=CALENDARS),
    Row(names.CALENDAR_TIMEZONE, CALENDARS, _time_zone, settable=CALENDARS),
    Row(names.CALENDAR_TIMEZONE_ID, CALENDARS, _time_zone_id, settable=CALENDARS),
    Row(names.SUPPORTED_CALENDAR_COMPONENT_SET, CALENDARS, _components, settable=CALENDARS),
    Row(names.SUPPORTED_CALENDAR_COMPONENT_SETS, frozenset({Kind.HOME}), _component_sets),
    Row(
        names.SUPPORTED_CALENDAR_DATA,
        HOME_COLLECTIONS,
        lambda _resource, _view: values.SUPPORTED_CALENDAR_DATA,
    ),
    Row(
        names.SUPPORTED_COLLATION_SET,
        HOME_COLLECTIONS,
        lambda _resource, _view: values.SUPPORTED_COLLATIONS,
        member=lambda _meta, _collection, _view: values.SUPPORTED_COLLATIONS,
        same_for_members=True,
    ),
    Row(
        names.MAX_RESOURCE_SIZE,
        HOME_COLLECTIONS,
        lambda _resource, view: str(view.ctx.rules.limits.size),
    ),
    Row(names.MIN_DATE_TIME, HOME_COLLECTIONS, lambda _resource, view: view.ctx.rules.limits.min_date_time),
    Row(names.MAX_DATE_TIME, HOME_COLLECTIONS, lambda _resource, view: view.ctx.rules.limits.max_date_time),
    Row(
        names.MAX_ATTENDEES_PER_INSTANCE,
        HOME_COLLECTIONS,
        lambda _resource, view: str(view.ctx.rules.limits.attendees),
    ),
    Row(names.SCHEDULE_CALENDAR_TRANSP, CALENDARS, _transparency, settable=CALENDARS),
    Row(
        names.SUPPORTED_RSCALE_SET,
        HOME_COLLECTIONS,
        lambda _resource, _view: "<C:supported-rscale>GREGORIAN</C:supported-rscale>",
    ),
    Row(names.CALENDAR_COLOR, CALENDARS, _color, settable=CALENDARS),
    Row(names.CALENDAR_ORDER, CALENDARS, _order, settable=CALENDARS),
)
