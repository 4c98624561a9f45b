"""The vocabulary of the wire: namespaces, output prefixes and the element names that the server knows.

Names are written in Clark notation, ``{namespace}local``. RFC 4918 §14 (DAV:), RFC 3253, RFC 3744, RFC 4791 (C), RFC
6578, and the CalendarServer (CS) and Apple iCal (A) extension namespaces. Rules of this module: names and the spelling
of tags only. Every document root that the server writes declares the four prefixes of ``PREFIXES``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from protocol import errors

DAV, CALDAV = errors.DAV, errors.CALDAV
CALENDARSERVER = "http://calendarserver.org/ns/"
APPLE_ICAL = "http://apple.com/ns/ical/"

PREFIXES: Mapping[str, str] = MappingProxyType({DAV: "D", CALDAV: "C", CALENDARSERVER: "CS", APPLE_ICAL: "A"})
DECLARATIONS = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items())
"""The namespace declarations of every root element that the server writes."""

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
XML_LANG = f"{{{XML_NAMESPACE}}}lang"


NOT_NCNAME = re.compile(r"^[^\w]|^\d|[^\w.-]")
"""Finds characters that a local name may not have (Namespaces in XML §3), a little too strictly."""


def dav(local: str) -> str:
    """The Clark name of a ``DAV:`` element."""
    return f"{{{DAV}}}{local}"


def caldav(local: str) -> str:
    """The Clark name of a CalDAV element."""
    return f"{{{CALDAV}}}{local}"


def calendarserver(local: str) -> str:
    """The Clark name of a CalendarServer extension element."""
    return f"{{{CALENDARSERVER}}}{local}"


def apple(local: str) -> str:
    """The Clark name of an Apple iCal extension element."""
    return f"{{{APPLE_ICAL}}}{local}"


def split(name: str) -> tuple[str, str]:
    """The namespace (empty for none) and the local name of a Clark name."""
    if name[:1] == "{":
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


@lru_cache(maxsize=4096)
def tags(name: str) -> tuple[str, str]:
    """The start and end tag of ``name`` inside a document that declares ``PREFIXES``.

    A namespace without a fixed prefix is declared in the tag. A name in no namespace has no prefix, because our
    documents have no default namespace.
    """
    namespace, local = split(name)
    prefix = PREFIXES.get(namespace)
    if prefix is not None:
        return f"<{prefix}:{local}>", f"</{prefix}:{local}>"
    if not namespace:
        return f"<{local}>", f"</{local}>"
    quoted = namespace.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'<X:{local} xmlns:X="{quoted}">', f"</X:{local}>"


@lru_cache(maxsize=4096)
def empty(name: str) -> str:
    """The empty element of ``name``, as in the 404 part of a multistatus."""
    return tags(name)[0][:-1] + "/>"


def element(name: str, inner: str) -> str:
    """The element ``name`` with XML text that is already escaped; an empty element without text."""
    if not inner:
        return empty(name)
    start, end = tags(name)
    return f"{start}{inner}{end}"


# Roots of requests
PROPFIND = dav("propfind")
PROPERTYUPDATE = dav("propertyupdate")
MKCOL = dav("mkcol")
MKCALENDAR = caldav("mkcalendar")

# Roots of reports
CALENDAR_QUERY = caldav("calendar-query")
CALENDAR_MULTIGET = caldav("calendar-multiget")
FREE_BUSY_QUERY = caldav("free-busy-query")
SYNC_COLLECTION = dav("sync-collection")
EXPAND_PROPERTY = dav("expand-property")
PRINCIPAL_PROPERTY_SEARCH = dav("principal-property-search")
PRINCIPAL_SEARCH_PROPERTY_SET = dav("principal-search-property-set")
PRINCIPAL_MATCH = dav("principal-match")
ACL_PRINCIPAL_PROP_SET = dav("acl-principal-prop-set")

# Elements of requests
PROP = dav("prop")
ALLPROP = dav("allprop")
PROPNAME = dav("propname")
INCLUDE = dav("include")
SET = dav("set")
REMOVE = dav("remove")
HREF = dav("href")
LIMIT = dav("limit")
NRESULTS = dav("nresults")
SYNC_LEVEL = dav("sync-level")
PROPERTY = dav("property")
PROPERTY_SEARCH = dav("property-search")
MATCH = dav("match")
APPLY_TO_PRINCIPAL_COLLECTION_SET = dav("apply-to-principal-collection-set")
PRINCIPAL_PROPERTY = dav("principal-property")
SELF = dav("self")
FILTER = caldav("filter")
COMP_FILTER = caldav("comp-filter")
PROP_FILTER = caldav("prop-filter")
PARAM_FILTER = caldav("param-filter")
IS_NOT_DEFINED = caldav("is-not-defined")
TEXT_MATCH = caldav("text-match")
TIME_RANGE = caldav("time-range")
TIMEZONE = caldav("timezone")
TIMEZONE_ID = caldav("timezone-id")
COMP = caldav("comp")
COMP_PROP = caldav("prop")
ALL_COMPONENTS = caldav("allcomp")
ALL_COMP_PROPERTIES = caldav("allprop")
EXPAND = caldav("expand")
LIMIT_RECURRENCE_SET = caldav("limit-recurrence-set")
LIMIT_FREEBUSY_SET = caldav("limit-freebusy-set")

# Resource types
COLLECTION = dav("collection")
CALENDAR = caldav("calendar")

# Properties: RFC 4918 §15, RFC 4331, RFC 3744 §4-5, RFC 5397, RFC 5995, RFC 6578, RFC 3253
CREATIONDATE = dav("creationdate")
DISPLAYNAME = dav("displayname")
GETCONTENTLENGTH = dav("getcontentlength")
GETCONTENTTYPE = dav("getcontenttype")
GETETAG = dav("getetag")
GETLASTMODIFIED = dav("getlastmodified")
RESOURCETYPE = dav("resourcetype")
QUOTA_AVAILABLE_BYTES = dav("quota-available-bytes")
QUOTA_USED_BYTES = dav("quota-used-bytes")
OWNER = dav("owner")
SUPPORTED_PRIVILEGE_SET = dav("supported-privilege-set")
CURRENT_USER_PRIVILEGE_SET = dav("current-user-privilege-set")
ACL = dav("acl")
ACL_RESTRICTIONS = dav("acl-restrictions")
INHERITED_ACL_SET = dav("inherited-acl-set")
PRINCIPAL_COLLECTION_SET = dav("principal-collection-set")
ALTERNATE_URI_SET = dav("alternate-URI-set")
PRINCIPAL_URL = dav("principal-URL")
GROUP_MEMBER_SET = dav("group-member-set")
GROUP_MEMBERSHIP = dav("group-membership")
CURRENT_USER_PRINCIPAL = dav("current-user-principal")
ADD_MEMBER = dav("add-member")
SYNC_TOKEN = dav("sync-token")
SUPPORTED_REPORT_SET = dav("supported-report-set")

# Properties: RFC 4791 §5.2, §6.2 and §7.5, RFC 7529, RFC 7809, RFC 6638
CALENDAR_DATA = caldav("calendar-data")
CALENDAR_DESCRIPTION = caldav("calendar-description")
CALENDAR_TIMEZONE = caldav("calendar-timezone")
CALENDAR_TIMEZONE_ID = caldav("calendar-timezone-id")
SUPPORTED_CALENDAR_COMPONENT_SET = caldav("supported-calendar-component-set")
SUPPORTED_CALENDAR_COMPONENT_SETS = caldav("supported-calendar-component-sets")
SUPPORTED_CALENDAR_DATA = caldav("supported-calendar-data")
MAX_RESOURCE_SIZE = caldav("max-resource-size")
MIN_DATE_TIME = caldav("min-date-time")
MAX_DATE_TIME = caldav("max-date-time")
MAX_ATTENDEES_PER_INSTANCE = caldav("max-attendees-per-instance")
CALENDAR_HOME_SET = caldav("calendar-home-set")
SUPPORTED_COLLATION_SET = caldav("supported-collation-set")
SUPPORTED_RSCALE_SET = caldav("supported-rscale-set")
SCHEDULE_CALENDAR_TRANSP = caldav("schedule-calendar-transp")
CALENDAR_USER_ADDRESS_SET = caldav("calendar-user-address-set")
CALENDAR_USER_TYPE = caldav("calendar-user-type")

# Properties of the extension namespaces
GETCTAG = calendarserver("getctag")
EMAIL_ADDRESS_SET = calendarserver("email-address-set")
CALENDAR_COLOR = apple("calendar-color")
CALENDAR_ORDER = apple("calendar-order")

# Privileges: RFC 3744 §3, RFC 4791 §6.1.1
READ_FREE_BUSY = caldav("read-free-busy")
