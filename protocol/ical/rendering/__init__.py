"""Calendar data in the form a report asks for (RFC 4791 §9.6): verbatim, in part, expanded or limited.

Rules of this package: unless a request asks for more, the stored text is the answer. Otherwise whole lines are left
out, and the remaining lines stay as the client sent them.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.ical.components import Component, render_component
from protocol.ical.document import Document, parse_calendar
from protocol.ical.recurrence import Budget
from protocol.ical.rendering.expand import expand
from protocol.ical.rendering.limits import limit_freebusy_set, limit_recurrence_set
from protocol.ical.rendering.partial import prune
from protocol.ical.rendering.references import without_standard_timezones
from protocol.ical.rendering.request import VERBATIM, CalendarDataRequest, CompRequest, PropRequest
from protocol.ical.scanner import STORED
from protocol.ical.timezones import Zone
from protocol.model import ComponentKind

__all__ = ["VERBATIM", "CalendarDataRequest", "CompRequest", "PropRequest", "expand", "render"]


def render(
    data: bytes,
    document: Callable[[], Document],
    request: CalendarDataRequest,
    zone: Zone | None = None,
    budget: Budget | None = None,
    *,
    timezones_by_reference: bool = False,
) -> bytes:
    """The data of one object for a report; ``data`` itself when the request asks for nothing special.

    ``document`` returns the parsed object and is called only when recurrence matters. ``zone`` is the zone of floating
    and all-day data (``None``: UTC). ``timezones_by_reference`` leaves out standard VTIMEZONEs (RFC 7809 §3.1.2).
    Refuses with ``max-instances`` when the budget is used up.
    """
    if request.is_verbatim:
        return without_standard_timezones(data) if timezones_by_reference else data
    budget = budget or Budget()
    if request.expand is not None:
        parsed = document()
        if request.limit_freebusy_set is None or parsed.component is not ComponentKind.VFREEBUSY:
            return expand(parsed, request.expand, zone, budget, request.comp).encode()
        calendar = parse_calendar(expand(parsed, request.expand, zone, budget).encode(), STORED)
    elif request.limit_recurrence_set is not None:
        calendar = limit_recurrence_set(document(), request.limit_recurrence_set, zone, budget)
    else:
        calendar = parse_calendar(data, STORED)
    rendered = _reduced(calendar, request, zone)
    return without_standard_timezones(rendered) if timezones_by_reference else rendered


def _reduced(calendar: Component, request: CalendarDataRequest, zone: Zone | None) -> bytes:
    if request.limit_freebusy_set is not None:
        calendar = limit_freebusy_set(calendar, request.limit_freebusy_set, zone)
    if request.comp is not None:
        calendar = prune(calendar, request.comp)
    return render_component(calendar).encode("utf-8", "replace")
