"""Calendars that are filled once per test of this folder."""

import pytest

from conformance_tests.client import Calendar
from testing.appendix_b import OBJECTS, US_EASTERN
from testing.builders import timezone_text


@pytest.fixture
def appendix_b(new_calendar) -> Calendar:
    """The calendar of Appendix B, in the time zone of its owner."""
    zone = timezone_text(US_EASTERN)
    filled = new_calendar(f"<C:calendar-timezone><![CDATA[{zone}]]></C:calendar-timezone>")
    for name, data in OBJECTS.items():
        filled.put(name, data).expect(201)
    return filled
