"""What a report asks for in calendar data (RFC 4791 §9.6).

Rules of this module: data only. Names are in upper case.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.model import TimeRange


@dataclass(frozen=True, slots=True)
class PropRequest:
    """A property to return; without its value when ``novalue`` (RFC 4791 §9.6.4)."""

    name: str
    novalue: bool = False


@dataclass(frozen=True, slots=True)
class CompRequest:
    """A component to return (RFC 4791 §9.6.1).

    ``None`` means all properties (CALDAV:allprop) or all components (CALDAV:allcomp). An element without children asks
    for the whole component (like the VTIMEZONE of the example in §7.8.1), so both are ``None`` then. An element with
    children asks for what they name and nothing else.
    """

    name: str
    props: tuple[PropRequest, ...] | None = None
    comps: tuple[CompRequest, ...] | None = None


@dataclass(frozen=True, slots=True)
class CalendarDataRequest:
    """The CALDAV:calendar-data element of a report; ranges have both ends (RFC 4791 §9.6.5 to §9.6.7)."""

    comp: CompRequest | None = None
    expand: TimeRange | None = None
    limit_recurrence_set: TimeRange | None = None
    limit_freebusy_set: TimeRange | None = None

    @property
    def is_verbatim(self) -> bool:
        """Whether the stored text is the answer, byte for byte."""
        return (
            self.comp is None
            and self.expand is None
            and self.limit_recurrence_set is None
            and self.limit_freebusy_set is None
        )


VERBATIM = CalendarDataRequest()
