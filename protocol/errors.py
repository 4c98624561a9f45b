"""Every precondition and postcondition that the server can answer, with its status.

One table, one row per condition: the element, its namespace and the status. Data errors are 403 with the exact element,
because clients take 409 and 412 as "discard the local edit" (RFC 4791 §1.3 allows both 403 and 409). 412 is only for
preconditions that the client sent, 409 only for a missing parent collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"


class Condition(Enum):
    """``(namespace, element, status)``; the comment names the RFC that defines the condition."""

    # RFC 4918 §16
    LOCK_TOKEN_MATCHES_REQUEST_URI = (DAV, "lock-token-matches-request-uri", 409)
    NO_EXTERNAL_ENTITIES = (DAV, "no-external-entities", 403)
    PROPFIND_FINITE_DEPTH = (DAV, "propfind-finite-depth", 403)
    CANNOT_MODIFY_PROTECTED_PROPERTY = (DAV, "cannot-modify-protected-property", 403)
    # RFC 3744 §7.1.1, RFC 3253 §3.6 and §3.8
    NEED_PRIVILEGES = (DAV, "need-privileges", 403)
    RESOURCE_MUST_BE_NULL = (DAV, "resource-must-be-null", 403)
    SUPPORTED_REPORT = (DAV, "supported-report", 403)
    NUMBER_OF_MATCHES_WITHIN_LIMITS = (DAV, "number-of-matches-within-limits", 507)
    # RFC 5689 §3.3
    VALID_RESOURCETYPE = (DAV, "valid-resourcetype", 403)
    # RFC 4331 §6
    QUOTA_NOT_EXCEEDED = (DAV, "quota-not-exceeded", 507)
    SUFFICIENT_DISK_SPACE = (DAV, "sufficient-disk-space", 507)
    # RFC 6578 §3.2 and §5
    VALID_SYNC_TOKEN = (DAV, "valid-sync-token", 403)
    # RFC 4791 §5.3.1.1, §5.3.2.1, §7.8 and §7.9
    CALENDAR_COLLECTION_LOCATION_OK = (CALDAV, "calendar-collection-location-ok", 403)
    VALID_CALENDAR_DATA = (CALDAV, "valid-calendar-data", 403)
    SUPPORTED_CALENDAR_DATA = (CALDAV, "supported-calendar-data", 403)
    VALID_CALENDAR_OBJECT_RESOURCE = (CALDAV, "valid-calendar-object-resource", 403)
    SUPPORTED_CALENDAR_COMPONENT = (CALDAV, "supported-calendar-component", 403)
    NO_UID_CONFLICT = (CALDAV, "no-uid-conflict", 403)
    MAX_RESOURCE_SIZE = (CALDAV, "max-resource-size", 403)
    MIN_DATE_TIME = (CALDAV, "min-date-time", 403)
    MAX_DATE_TIME = (CALDAV, "max-date-time", 403)
    MAX_INSTANCES = (CALDAV, "max-instances", 403)
    MAX_ATTENDEES_PER_INSTANCE = (CALDAV, "max-attendees-per-instance", 403)
    VALID_FILTER = (CALDAV, "valid-filter", 403)
    SUPPORTED_FILTER = (CALDAV, "supported-filter", 403)
    SUPPORTED_COLLATION = (CALDAV, "supported-collation", 403)
    VALID_TIMEZONE = (CALDAV, "valid-timezone", 403)
    INITIALIZE_CALENDAR_COLLECTION = (CALDAV, "initialize-calendar-collection", 403)
    # RFC 6638 §3.2.4
    SAME_ORGANIZER_IN_ALL_COMPONENTS = (CALDAV, "same-organizer-in-all-components", 403)
    UNIQUE_SCHEDULING_OBJECT_RESOURCE = (CALDAV, "unique-scheduling-object-resource", 403)
    # RFC 7529 §5.4
    SUPPORTED_RSCALE = (CALDAV, "supported-rscale", 403)
    # conditions without an element: the status is enough
    BAD_REQUEST = ("", "bad-request", 400)
    FORBIDDEN = ("", "forbidden", 403)
    NOT_FOUND = ("", "not-found", 404)
    METHOD_NOT_ALLOWED = ("", "method-not-allowed", 405)
    MISSING_PARENT = ("", "missing-parent", 409)
    PRECONDITION_FAILED = ("", "precondition-failed", 412)
    TOO_LARGE = ("", "too-large", 413)
    UNSUPPORTED_MEDIA_TYPE = ("", "unsupported-media-type", 415)
    FOREIGN_DESTINATION = ("", "foreign-destination", 502)
    UNAVAILABLE = ("", "unavailable", 503)

    @property
    def namespace(self) -> str:
        """The namespace of the condition element; empty when the condition has no element."""
        return self.value[0]

    @property
    def element(self) -> str:
        """The local name of the condition element."""
        return self.value[1]

    @property
    def status(self) -> int:
        """The HTTP status of this condition, in every answer."""
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Detail:
    """The content of a condition element: an href, or for need-privileges the privilege wanted there."""

    href: str
    privilege: str | None = None
    """Clark notation of the privilege (RFC 3744 §7.1.1)."""


class Refusal(Exception):
    """A refused request: the condition for machines, one clear sentence for people."""

    def __init__(self, condition: Condition, message: str, *details: Detail) -> None:
        super().__init__(message)
        self.condition = condition
        self.message = message
        self.details = details
