"""Which section of which RFC defines each row of the server's tables.

A row of PROPERTIES, REPORTS, METHODS or ``Condition`` that is not named here fails ``make check``: whoever adds one
says where it is from.
"""

from __future__ import annotations

from collections.abc import Iterator

_D = "{DAV:}"
_C = "{urn:ietf:params:xml:ns:caldav}"
_CS = "{http://calendarserver.org/ns/}"
_A = "{http://apple.com/ns/ical/}"
_CTAG = "CalendarServer: caldav-ctag"


def _each(namespace: str, section: str, *names: str) -> Iterator[tuple[str, str]]:
    return ((namespace + name, section) for name in names)


PROPERTIES: dict[str, str] = {
    _D + "creationdate": "RFC 4918 §15.1",
    _D + "displayname": "RFC 4918 §15.2",
    _D + "getcontentlength": "RFC 4918 §15.4",
    _D + "getcontenttype": "RFC 4918 §15.5",
    _D + "getetag": "RFC 4918 §15.6",
    _D + "getlastmodified": "RFC 4918 §15.7",
    _D + "resourcetype": "RFC 4918 §15.9",
    _D + "supported-report-set": "RFC 3253 §3.1.5",
    _D + "sync-token": "RFC 6578 §4",
    _CS + "getctag": _CTAG,
    _D + "quota-available-bytes": "RFC 4331 §3",
    _D + "quota-used-bytes": "RFC 4331 §4",
    _D + "add-member": "RFC 5995 §3.2.1",
    _D + "alternate-URI-set": "RFC 3744 §4.1",
    _D + "principal-URL": "RFC 3744 §4.2",
    _D + "group-member-set": "RFC 3744 §4.3",
    _D + "group-membership": "RFC 3744 §4.4",
    _D + "owner": "RFC 3744 §5.1",
    _D + "supported-privilege-set": "RFC 3744 §5.3",
    _D + "current-user-privilege-set": "RFC 3744 §5.4",
    _D + "acl": "RFC 3744 §5.5",
    _D + "acl-restrictions": "RFC 3744 §5.6",
    _D + "inherited-acl-set": "RFC 3744 §5.7",
    _D + "principal-collection-set": "RFC 3744 §5.8",
    _D + "current-user-principal": "RFC 5397 §3",
    _C + "calendar-description": "RFC 4791 §5.2.1",
    _C + "calendar-timezone": "RFC 4791 §5.2.2",
    _C + "supported-calendar-component-set": "RFC 4791 §5.2.3",
    _C + "supported-calendar-data": "RFC 4791 §5.2.4",
    _C + "max-resource-size": "RFC 4791 §5.2.5",
    _C + "min-date-time": "RFC 4791 §5.2.6",
    _C + "max-date-time": "RFC 4791 §5.2.7",
    _C + "max-instances": "RFC 4791 §5.2.8",
    _C + "max-attendees-per-instance": "RFC 4791 §5.2.9",
    _C + "calendar-home-set": "RFC 4791 §6.2.1",
    _C + "supported-collation-set": "RFC 4791 §7.5.1",
    _C + "calendar-user-address-set": "RFC 6638 §2.4.1",
    _C + "calendar-user-type": "RFC 6638 §2.4.2",
    _C + "schedule-calendar-transp": "RFC 6638 §9.1",
    _C + "supported-rscale-set": "RFC 7529 §10.1",
    _C + "timezone-service-set": "RFC 7809 §5.1",
    _C + "calendar-timezone-id": "RFC 7809 §5.2",
    _C + "supported-calendar-component-sets": "draft-daboo-caldav-extensions §4.1",
    _CS + "email-address-set": "CalendarServer",
    _A + "calendar-color": "Apple iCal",
    _A + "calendar-order": "Apple iCal",
}

REPORTS: dict[str, str] = {
    _C + "calendar-query": "RFC 4791 §7.8",
    _C + "calendar-multiget": "RFC 4791 §7.9",
    _C + "free-busy-query": "RFC 4791 §7.10",
    _D + "sync-collection": "RFC 6578 §3.2",
    _D + "expand-property": "RFC 3253 §3.8",
    _D + "acl-principal-prop-set": "RFC 3744 §9.2",
    _D + "principal-match": "RFC 3744 §9.3",
    _D + "principal-property-search": "RFC 3744 §9.4",
    _D + "principal-search-property-set": "RFC 3744 §9.5",
}

METHODS: dict[str, str] = {
    "OPTIONS": "RFC 9110 §9.3.7, RFC 4918 §10.1",
    "GET": "RFC 9110 §9.3.1, RFC 4918 §9.4",
    "HEAD": "RFC 9110 §9.3.2",
    "PROPFIND": "RFC 4918 §9.1",
    "REPORT": "RFC 3253 §3.6",
    "PUT": "RFC 4918 §9.7, RFC 4791 §5.3.2",
    "POST": "RFC 5995 §3",
    "DELETE": "RFC 4918 §9.6",
    "MKCOL": "RFC 4918 §9.3, RFC 5689 §3",
    "MKCALENDAR": "RFC 4791 §5.3.1",
    "PROPPATCH": "RFC 4918 §9.2",
    "COPY": "RFC 4918 §9.8",
    "MOVE": "RFC 4918 §9.9",
}

COMPLIANCE_CLASSES: dict[str, str] = {
    "1": "RFC 4918 §18.1",
    "3": "RFC 4918 §18.3",
    "access-control": "RFC 3744 §7.2",
    "extended-mkcol": "RFC 5689 §3.1",
    "calendar-access": "RFC 4791 §5.1",
}

CONDITIONS: dict[str, str] = dict(
    (
        *_each(
            _D,
            "RFC 4918 §16",
            "lock-token-matches-request-uri",
            "no-external-entities",
            "propfind-finite-depth",
            "cannot-modify-protected-property",
        ),
        (_D + "need-privileges", "RFC 3744 §7.1.1"),
        (_D + "resource-must-be-null", "RFC 4791 §5.3.1.1"),
        (_D + "supported-report", "RFC 3253 §3.6"),
        (_D + "number-of-matches-within-limits", "RFC 4791 §7.8, RFC 6578 §3.2"),
        (_D + "valid-resourcetype", "RFC 5689 §3.3"),
        *_each(_D, "RFC 4331 §6", "quota-not-exceeded", "sufficient-disk-space"),
        (_D + "valid-sync-token", "RFC 6578 §3.2"),
        *_each(_C, "RFC 4791 §5.3.1.1", "initialize-calendar-collection"),
        *_each(
            _C,
            "RFC 4791 §5.3.2.1",
            "calendar-collection-location-ok",
            "valid-calendar-data",
            "supported-calendar-data",
            "valid-calendar-object-resource",
            "supported-calendar-component",
            "no-uid-conflict",
            "max-resource-size",
            "min-date-time",
            "max-date-time",
            "max-instances",
            "max-attendees-per-instance",
        ),
        *_each(_C, "RFC 4791 §7.8", "valid-filter", "supported-filter", "supported-collation"),
        (_C + "valid-timezone", "RFC 7809 §3.1.5"),
        *_each(_C, "RFC 6638 §3.2.4", "same-organizer-in-all-components", "unique-scheduling-object-resource"),
        (_C + "supported-rscale", "RFC 7529 §10"),
    )
)
"""By Clark name; conditions without an element have none to be defined."""
