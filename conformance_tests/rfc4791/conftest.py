"""Calendars that are filled once per test of this folder."""

import pytest

from conformance_tests.client import Calendar
from conformance_tests.rfc4791.appendix_b import eastern_text, fill


@pytest.fixture
def appendix_b(new_calendar) -> Calendar:
    """The calendar of Appendix B, in the time zone of its owner."""
    return fill(new_calendar(f"<C:calendar-timezone><![CDATA[{eastern_text()}]]></C:calendar-timezone>"))
