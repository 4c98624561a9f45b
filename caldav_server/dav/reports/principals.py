"""Reports about principals (RFC 3744 §9): finding people, and who "me" is on a resource."""

from __future__ import annotations

from collections.abc import Callable

from caldav_server.calendaring import access
from caldav_server.dav.answers import XML_HEADERS, Plan, whole
from caldav_server.dav.call import Call
from caldav_server.dav.resources import Kind, Resource, children, fill, principal_resource
from caldav_server.http.messages import Response
from protocol.dav import multistatus, names, reports
from protocol.dav.headers import Depth
from protocol.errors import Condition, Refusal
from protocol.ical.collations import UNICODE_CASEMAP, collation
from protocol.model import Access, Principal
from storage import principals as stored

SEARCHABLE: dict[str, tuple[str, Callable[[Principal], tuple[str, ...]]]] = {
    names.DISPLAYNAME: ("Display name", lambda each: (each.display_name,)),
    names.CALENDAR_USER_ADDRESS_SET: ("Calendar address", lambda each: tuple(f"mailto:{m}" for m in each.emails)),
    names.CALENDAR_USER_TYPE: ("Kind of principal", lambda each: (each.kind.value,)),
    names.EMAIL_ADDRESS_SET: ("Mail address", lambda each: each.emails),
}
"""The properties that can be searched (RFC 3744 §9.5), with what to call them and where their text is."""

MAX_MATCHES = 500
_HOLD_PRINCIPALS = frozenset({Kind.ROOT, Kind.PRINCIPALS, Kind.PRINCIPAL})
_fold = collation(UNICODE_CASEMAP)


async def property_search(call: Call, resource: Resource, body: reports.PrincipalPropertySearch) -> Response:
    """RFC 3744 §9.4: the principals that match every search (or any of them, where the client says so)."""
    _require_depth_zero(call)
    if resource.kind not in _HOLD_PRINCIPALS and not body.apply_to_principal_collection_set:
        return whole([])
    everyone = await call.ctx.db.read(stored.list_all)
    decide = any if body.any_of and body.searches else all
    found = [each for each in everyone if decide(_matches(each, search) for search in body.searches)]
    if len(found) > MAX_MATCHES:
        raise Refusal(Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, "Too many principals match; search more precisely.")
    return await _answer(
        call, Plan(body.wanted, call.view, call.minimal), [principal_resource(call.ctx, p) for p in found]
    )


def _require_depth_zero(call: Call) -> None:
    """RFC 3744 §9.2 to §9.5: each of these reports is only defined for Depth 0."""
    if call.depth is not Depth.ZERO:
        raise Refusal(Condition.BAD_REQUEST, "Reports about principals are asked with Depth 0.")


def _matches(principal: Principal, search: reports.PropertySearch) -> bool:
    wanted = _fold(search.match)
    return all(
        name in SEARCHABLE
        and any(_text_matches(_fold(text), wanted, search.match_type) for text in SEARCHABLE[name][1](principal))
        for name in search.properties
    )


def _text_matches(text: str, wanted: str, how: str) -> bool:
    match how:
        case "equals":
            return text == wanted
        case "starts-with":
            return text.startswith(wanted)
        case "ends-with":
            return text.endswith(wanted)
        case _:
            return wanted in text


async def search_property_set(call: Call, _resource: Resource, _body: reports.PrincipalSearchPropertySet) -> Response:
    """RFC 3744 §9.5: which properties can be searched."""
    _require_depth_zero(call)
    rows = [(name, description) for name, (description, _) in SEARCHABLE.items()]
    return Response(200, dict(XML_HEADERS), multistatus.principal_search_property_set(rows))


async def match(call: Call, resource: Resource, body: reports.PrincipalMatch) -> Response:
    """RFC 3744 §9.3: the members of a collection that are the asker, or whose principal property names the asker."""
    _require_depth_zero(call)
    plan = Plan(body.wanted, call.view, call.minimal)
    mine = call.ctx.actor.principal.principal_id
    below = await children(call.ctx, resource)
    candidates = [resource, *below] if resource.kind is Kind.PRINCIPAL else below
    if resource.kind is Kind.ROOT:
        candidates = [each for top in below for each in await children(call.ctx, top)]
    if body.property is None:
        groups = {each.principal_id for each in call.ctx.actor.groups} | {mine}
        found = [
            each
            for each in candidates
            if each.kind is Kind.PRINCIPAL and each.owner is not None and each.owner.principal_id in groups
        ]
    else:
        found = [
            each
            for each in candidates
            if body.property == names.OWNER and each.owner is not None and each.owner.principal_id == mine
        ]
    return await _answer(call, plan, found)


async def acl_principal_prop_set(call: Call, resource: Resource, body: reports.AclPrincipalPropSet) -> Response:
    """RFC 3744 §9.2: the properties of every principal in the ACL of the resource."""
    _require_depth_zero(call)
    access.require(resource.access, Access.READ_ACL, resource.href)
    plan = Plan(body.wanted, call.view, call.minimal)
    found = [] if resource.owner is None else [principal_resource(call.ctx, resource.owner)]
    return await _answer(call, plan, found)


async def _answer(call: Call, plan: Plan, found: list[Resource]) -> Response:
    await fill(call.ctx, found, plan.needs())
    return whole([plan.response(each) for each in found])
