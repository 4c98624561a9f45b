"""Times as values: DATE, DATE-TIME, DURATION, PERIOD (RFC 5545 §3.3)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ical.values import (
    Duration,
    Form,
    is_exact_duration,
    parse_duration,
    parse_period,
    parse_when,
    render_duration,
    render_when,
    wall_of,
    wall_seconds,
)


@pytest.mark.parametrize(
    ("text", "wall", "form"),
    [
        ("20240229", "2024-02-29", Form.DATE),
        ("20240229T235959", "2024-02-29T23:59:59", Form.LOCAL),
        ("20240229T235959Z", "2024-02-29T23:59:59", Form.UTC),
        ("20240229t235959z", "2024-02-29T23:59:59", Form.UTC),
        (" 20240229T235959Z ", "2024-02-29T23:59:59", Form.UTC),
        ("19970630T235960Z", "1997-06-30T23:59:59", Form.UTC),
    ],
)
def test_times(text: str, wall: str, form: Form) -> None:
    assert parse_when(text) == (datetime.fromisoformat(wall), form)


NO_TIMES = ["", "2024", "20230229", "2024-02-29", "20240229T2359", "20240229T240000", "20240229T23:59:"]
NO_TIMES += ["2024W011T100000", "20240229 235959", "20240229T235959+", "２０２４0229"]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_when(text)


_WALLS = st.datetimes().map(lambda wall: wall.replace(microsecond=0))


@given(_WALLS, st.sampled_from([Form.LOCAL, Form.UTC]))
def test_times_round_trip(wall: datetime, form: Form) -> None:
    assert parse_when(render_when(wall, form)) == (wall, form)
    assert wall_of(wall_seconds(wall)) == wall
    midnight = wall.replace(hour=0, minute=0, second=0)
    assert parse_when(render_when(wall, Form.DATE)) == (midnight, Form.DATE)


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=0, max_value=86_399), st.sampled_from([1, -1]))
def test_durations_round_trip(days: int, seconds: int, sign: int) -> None:
    duration = Duration(sign * days, sign * seconds)
    text = render_duration(duration)
    assert parse_duration(text) == duration
    assert is_exact_duration(text)
    assert duration.total == sign * (days * 86400 + seconds)


@pytest.mark.parametrize("text", ["P", "PT", "-P", "P1W1D", "PT2D", "P2DT", "1D", "PT1H1D"])
def test_durations_that_are_not_exact(text: str) -> None:
    assert not is_exact_duration(text)


def test_periods() -> None:
    start = datetime.fromisoformat("2024-01-01T10:00:00")
    assert parse_period("20240101T100000Z/PT1H") == (start, Form.UTC, Duration(0, 3600))
    assert parse_period("20240101T100000/20240101T110000") == (start, Form.LOCAL, start.replace(hour=11))
    for text in ("20240101T100000Z", "x/PT1H", "20240101T100000Z/x", "20240101T100000Z/Px"):
        with pytest.raises(ValueError):
            parse_period(text)
