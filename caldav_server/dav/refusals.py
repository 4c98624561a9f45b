"""How the DAV face writes a refusal: the condition element for machines, with hrefs added (RFC 4918 §16)."""

from __future__ import annotations

from caldav_server.calendaring.access import AccessDenied
from caldav_server.calendaring.objects import UidConflict
from caldav_server.dav.paths import paths_below
from caldav_server.faces import plain_refusal
from caldav_server.http.messages import Request, Response
from protocol.dav import multistatus
from protocol.dav.privileges import NAMES
from protocol.errors import Detail, Refusal

_XML = {"Content-Type": multistatus.CONTENT_TYPE}


def at_href(denied: AccessDenied, href: str) -> Refusal:
    """``need-privileges`` with the resource and the privileges that are missing there (RFC 3744 §7.1.1)."""
    details = (Detail(href, NAMES[flag]) for flag in denied.missing if flag in NAMES)
    return Refusal(denied.condition, denied.message, *details)


def with_hrefs(refusal: Refusal, base_path: str) -> Refusal:
    """A refusal of a use-case, which knows no hrefs, with those of what it is about."""
    paths = paths_below(base_path)
    if isinstance(refusal, AccessDenied):
        return at_href(refusal, paths.href_of(refusal.opened, refusal.name))
    if isinstance(refusal, UidConflict) and refusal.parent is not None:
        return Refusal(refusal.condition, refusal.message, Detail(paths.href_of(refusal.parent, refusal.name)))
    return refusal


def render(request: Request, refusal: Refusal) -> Response:
    """A refusal as an answer: an error element, or one line of text where the condition has none."""
    if not refusal.condition.namespace:
        return plain_refusal(refusal)
    refusal = with_hrefs(refusal, request.base_path)
    body = multistatus.error_body(refusal.condition, refusal.message, refusal.details)
    return Response(refusal.condition.status, dict(_XML), body)
