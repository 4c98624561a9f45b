"""The client's conditional headers as the check a use-case runs inside its transaction (RFC 9110 §13, RFC 4918 §10.4).

The If header may speak of other resources than the request's own: their state is looked up before, which is as good as
it gets, since the header is advisory for them; the request's own ETag is compared where the write happens.
"""

from __future__ import annotations

from caldav_server.calendaring.objects import Precondition
from caldav_server.calendaring.opening import Slot
from caldav_server.dav.call import Call
from caldav_server.dav.properties.webdav import sync_token_of
from caldav_server.dav.resources import ObjectResource, Resource
from protocol.dav.conditions import ResourceState, parse_if_headers
from protocol.dav.hrefs import path_of_href
from protocol.errors import Refusal
from protocol.model import ObjectMeta


async def precondition_for(call: Call, slot: Slot | None, here: Resource | None = None) -> Precondition:
    """What must hold of the slot when it is written; ``here`` is what is at the address where that is a collection.

    A collection exists without having an ETag, and its sync-token is a state token (RFC 6578 §5).
    """
    conditions = parse_if_headers(call.request.headers)
    if not conditions.conditional:
        return lambda _meta: None
    own = call.paths.href_of(slot.parent, slot.name) if slot is not None else here.href if here is not None else None
    tokens = _tokens_of(call, here) if here is not None else frozenset()
    states: dict[str | None, ResourceState] = {}
    own_names: list[str] = []
    for href in conditions.resources:
        if href is None:
            continue
        state = await _state_of(call, href, own)
        if state is None:
            own_names.append(href)
        else:
            states[href] = state

    def check(meta: ObjectMeta | None) -> None:
        etag = meta.etag if meta is not None else None
        now = states | dict.fromkeys([None, *own_names], ResourceState(etag, tokens))
        conditions.check(
            etag,
            meta.schedule_tag if meta is not None else None,
            exists=meta is not None or here is not None,
            modified_at=meta.modified_at if meta is not None else None,
            states=now,
        )

    return check


async def _state_of(call: Call, href: str, own: str | None) -> ResourceState | None:
    """The state of a resource the If header names; ``None`` when it is the target itself."""
    try:
        raw = path_of_href(href, scheme=call.request.scheme, authority=call.request.authority)
        location = call.paths.parse(raw)
        if call.paths.href(location) == own:
            return None
        resource = await call.open(location)
    except Refusal:
        return ResourceState()
    etag = resource.meta.etag if isinstance(resource, ObjectResource) else None
    return ResourceState(etag, _tokens_of(call, resource))


def _tokens_of(call: Call, resource: Resource) -> frozenset[str]:
    token = sync_token_of(call.ctx, resource)
    return frozenset({token}) if token is not None else frozenset()
