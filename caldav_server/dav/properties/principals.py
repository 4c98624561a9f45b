"""Properties of principals and of access control: RFC 3744 §4 and §5, RFC 5397, RFC 4791 §6.2.1, RFC 6638 §2.4.

``calendar-user-address-set`` and ``calendar-user-type`` are RFC 6638's, yet clients need them to know who "me" is
before any scheduling happens; the scheduling URLs themselves appear when scheduling does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from caldav_server.calendaring.actors import delegated_access
from caldav_server.calendaring.properties import DELEGATES, PEOPLE
from caldav_server.dav.properties.table import EVERYWHERE, PRINCIPAL, Getter, MemberGetter, Row
from caldav_server.dav.resources import (
    CollectionResource,
    Kind,
    ObjectResource,
    OwnedResource,
    PrincipalResource,
    Resource,
)
from protocol.dav import names, privileges, values
from protocol.model import Access, ObjectMeta, Principal, PrincipalKind

if TYPE_CHECKING:
    from caldav_server.dav.view import View

_PEOPLE = frozenset({PEOPLE})
_OWNED = EVERYWHERE - {Kind.ROOT, Kind.PRINCIPALS, Kind.HOMES}
_USER_TYPES = {
    PrincipalKind.USER: "INDIVIDUAL",
    PrincipalKind.GROUP: "GROUP",
    PrincipalKind.ROOM: "ROOM",
    PrincipalKind.RESOURCE: "RESOURCE",
}


def _current_user_principal(_resource: Resource, view: View) -> str:
    return values.render_href(view.paths.principal(view.viewer.name))


def _owner(resource: OwnedResource, view: View) -> str:
    return values.render_href(view.paths.principal(resource.owner.name))


def _principal_collection_set(_resource: Resource, view: View) -> str:
    return values.render_href(view.paths.principals)


def _supported_privileges(_resource: Resource, _view: View) -> str:
    return privileges.render_supported_privilege_set()


def _current_privileges(resource: Resource, _view: View) -> str:
    return privileges.render_privileges(resource.access)


def _acl(resource: Resource, view: View) -> str | None:
    """The aces of the owner, of every delegate, and of the asker where it is neither; protected: ACL is read-only."""
    if not isinstance(resource, OwnedResource) or not resource.access & Access.READ_ACL:
        return None
    # A home belongs to its principal. With its principal resource nobody may do more than the one who may read this.
    owned = resource.access if isinstance(resource, PrincipalResource) else Access.OWN
    aces = [_ace(view, resource.owner, owned)]
    aces += [
        _ace(view, delegate, delegated_access(can_write=can_write)) for delegate, can_write in resource.extras.delegates
    ]
    if resource.owner.principal_id != view.viewer.principal_id:
        aces.append(_ace(view, view.viewer, resource.access))
    return values.render_acl(aces)


def _ace(view: View, principal: Principal, access: Access) -> values.Ace:
    return values.Ace(view.paths.principal(principal.name), privileges.expand(access), protected=True)


def _acl_restrictions(_resource: Resource, _view: View) -> str:
    return values.ACL_RESTRICTIONS


def _principal_url(resource: PrincipalResource, _view: View) -> str:
    return values.render_href(resource.href)


def _group_members(resource: PrincipalResource, view: View) -> str:
    return values.render_hrefs(view.paths.principal(each.name) for each in resource.extras.members)


def _group_membership(resource: PrincipalResource, view: View) -> str:
    return values.render_hrefs(view.paths.principal(each.name) for each in resource.extras.groups)


def _calendar_home(resource: PrincipalResource, view: View) -> str:
    return values.render_href(view.paths.home(resource.owner.name))


def _addresses(resource: PrincipalResource, _view: View) -> str:
    mails = (f"mailto:{quote(mail, safe='@+')}" for mail in resource.owner.emails)
    return values.render_hrefs((*mails, resource.href))


def _emails(resource: PrincipalResource, _view: View) -> str:
    return "".join(f"<CS:email-address>{values.render_text(mail)}</CS:email-address>" for mail in resource.owner.emails)


def _user_type(resource: PrincipalResource, _view: View) -> str:
    return _USER_TYPES[resource.owner.kind]


def _from_collection(name: str) -> MemberGetter:
    """A member's value that is simply its collection's: ownership and privileges are inherited."""
    getter = _INHERITED[name]

    def member(_meta: ObjectMeta, collection: CollectionResource | ObjectResource, view: View) -> str | None:
        return getter(collection, view)

    return member


_INHERITED: dict[str, Getter] = {
    names.OWNER: _owner,
    names.CURRENT_USER_PRINCIPAL: _current_user_principal,
    names.PRINCIPAL_COLLECTION_SET: _principal_collection_set,
    names.SUPPORTED_PRIVILEGE_SET: _supported_privileges,
    names.CURRENT_USER_PRIVILEGE_SET: _current_privileges,
    names.ACL: _acl,
    names.ACL_RESTRICTIONS: _acl_restrictions,
    names.INHERITED_ACL_SET: lambda _resource, _view: "",
}
"""Properties of every resource, calendar objects included."""

ROWS = (
    *(
        Row(
            name,
            _OWNED if name == names.OWNER else EVERYWHERE,
            getter,
            member=_from_collection(name),
            same_for_members=True,
            needs=frozenset({DELEGATES}) if name == names.ACL else frozenset(),
        )
        for name, getter in _INHERITED.items()
    ),
    Row(names.PRINCIPAL_URL, PRINCIPAL, _principal_url),
    Row(names.ALTERNATE_URI_SET, PRINCIPAL, lambda _resource, _view: ""),
    Row(names.GROUP_MEMBER_SET, PRINCIPAL, _group_members, needs=_PEOPLE),
    Row(names.GROUP_MEMBERSHIP, PRINCIPAL, _group_membership, needs=_PEOPLE),
    Row(names.CALENDAR_HOME_SET, PRINCIPAL, _calendar_home),
    Row(names.CALENDAR_USER_ADDRESS_SET, PRINCIPAL, _addresses),
    Row(names.CALENDAR_USER_TYPE, PRINCIPAL, _user_type),
    Row(names.EMAIL_ADDRESS_SET, PRINCIPAL, _emails),
)
