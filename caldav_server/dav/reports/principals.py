"""Reports about principals (RFC 3744 §9): finding people, and who "me" is on a resource."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from caldav_server.calendaring import access, opening, search
from caldav_server.calendaring.search import SearchField, Term
from caldav_server.dav.answers import XML_HEADERS, PropertyRequest, buffered
from caldav_server.dav.call import Call
from caldav_server.dav.resources import (
    HomeResource,
    Kind,
    OwnedResource,
    PrincipalResource,
    Resource,
    collections,
    home_resource,
    prefetch,
    principal_resource,
)
from caldav_server.http.messages import Response
from protocol.dav import multistatus, names, privileges, reports
from protocol.dav.headers import Depth
from protocol.dav.requests import PropFind
from protocol.errors import Condition, Detail, Refusal
from protocol.model import Access

SEARCHABLE: dict[str, tuple[str, SearchField]] = {
    names.DISPLAYNAME: ("Display name", "display_name"),
    names.CALENDAR_USER_ADDRESS_SET: ("Calendar address", "address"),
    names.CALENDAR_USER_TYPE: ("Kind of principal", "kind"),
    names.EMAIL_ADDRESS_SET: ("Mail address", "email"),
}
"""The properties that can be searched (RFC 3744 §9.5), with what to call them and the field that holds their text."""

_HOLD_PRINCIPALS = frozenset({Kind.ROOT, Kind.PRINCIPALS, Kind.PRINCIPAL})


async def property_search(call: Call, resource: Resource, body: reports.PrincipalPropertySearch) -> Response:
    """RFC 3744 §9.4: the principals that match every search (or any of them, where the client says so)."""
    _require_depth_zero(call)
    if resource.kind not in _HOLD_PRINCIPALS and not body.apply_to_principal_collection_set:
        return buffered([])
    searches = [_terms(each) for each in body.searches]
    found = await search.principals(call.ctx, searches, any_of=body.any_of)
    return await _answer(call, body.wanted, [principal_resource(call.paths, each) for each in found])


def _terms(asked: reports.PropertySearch) -> list[Term] | None:
    """What one search asks of a principal; ``None``: nobody has a property that cannot be searched."""
    if any(name not in SEARCHABLE for name in asked.properties):
        return None
    return [Term(SEARCHABLE[name][1], asked.match, asked.match_type) for name in asked.properties]


def _require_depth_zero(call: Call) -> None:
    """RFC 3744 §9.2 to §9.5: each of these reports is only defined for Depth 0."""
    if call.depth is not Depth.ZERO:
        raise Refusal(Condition.BAD_REQUEST, "Reports about principals are asked with Depth 0.")


async def search_property_set(call: Call, _resource: Resource, _body: reports.PrincipalSearchPropertySet) -> Response:
    """RFC 3744 §9.5: which properties can be searched."""
    _require_depth_zero(call)
    rows = [(name, description) for name, (description, _) in SEARCHABLE.items()]
    return Response(200, dict(XML_HEADERS), multistatus.principal_search_property_set(rows))


async def match(call: Call, resource: Resource, body: reports.PrincipalMatch) -> Response:
    """RFC 3744 §9.3: the members of a collection that are the asker, or whose principal property names the asker."""
    _require_depth_zero(call)
    if body.property is None:
        found = _own_principals(call, resource)
    elif body.property == names.OWNER:
        found = await _own_resources(call, resource)
    else:
        found = []
    return await _answer(call, body.wanted, found)


def _own_principals(call: Call, resource: Resource) -> list[Resource]:
    """The principals below a resource, or the resource itself, that the asker is: itself and its groups."""
    actor = call.ctx.actor
    own = sorted((actor.principal, *actor.groups), key=lambda each: each.name)
    open_it = partial(opening.open_principal, call.ctx)
    found: list[Resource] = [principal_resource(call.paths, open_it(each)) for each in own]
    if isinstance(resource, PrincipalResource):
        return [each for each in found if each.href == resource.href]
    return found if resource.kind in (Kind.ROOT, Kind.PRINCIPALS) else []


async def _own_resources(call: Call, resource: Resource) -> list[Resource]:
    """The resources one level below that the asker owns; below the root, two levels."""
    mine = call.ctx.actor.principal
    principal = principal_resource(call.paths, opening.open_principal(call.ctx, mine))
    if resource.kind in (Kind.ROOT, Kind.PRINCIPALS, Kind.HOMES):
        found: list[Resource] = [principal] if resource.kind is not Kind.HOMES else []
        if resource.kind is not Kind.PRINCIPALS:
            reached = await opening.homes_in_reach(call.ctx)
            found += [
                home_resource(call.paths, each) for each in reached if each.owner.principal_id == mine.principal_id
            ]
        return found
    if not isinstance(resource, OwnedResource) or resource.owner.principal_id != mine.principal_id:
        return []
    if isinstance(resource, HomeResource):
        return list(await collections(call.ctx, call.paths, resource))
    return [resource] if isinstance(resource, PrincipalResource) else []


async def acl_principal_prop_set(call: Call, resource: Resource, body: reports.AclPrincipalPropSet) -> Response:
    """RFC 3744 §9.2: the properties of every principal in the ACL of the resource."""
    _require_depth_zero(call)
    found: list[Resource] = []
    if isinstance(resource, OwnedResource):
        access.require(resource.opened, Access.READ_ACL)
        found = [principal_resource(call.paths, opening.open_principal(call.ctx, resource.owner))]
    elif not resource.access & Access.READ_ACL:
        detail = Detail(resource.href, privileges.NAMES[Access.READ_ACL])
        raise Refusal(Condition.NEED_PRIVILEGES, "You do not have the privilege this needs: read-acl.", detail)
    return await _answer(call, body.wanted, found)


async def _answer(call: Call, asked: PropFind, found: Sequence[Resource]) -> Response:
    wanted = PropertyRequest(asked, call.view, call.minimal)
    await prefetch(call.ctx, found, wanted.needs())
    return buffered([wanted.response(each) for each in found])
