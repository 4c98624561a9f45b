"""Short and long forms of one test: ``make test`` runs about a tenth of many like cases, ``make conformance`` runs all.

The short form is the same at every run, so that it fails only when the code changed.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings

LONG = os.environ.get("TEST_LENGTH") == "long"
"""Whether hypothesis tries its long form; ``make conformance`` says so."""


def shards(count: int, short: int = 1) -> list[Any]:
    """Parameters 0, 1, 2 ... for a test that splits its cases: the first ``short`` of them always run."""
    return [pytest.param(number, marks=() if number < short else pytest.mark.long) for number in range(count)]


def examples(count: int = 100) -> settings:
    """Settings of hypothesis: ``count`` examples, always the same ones; ten times as many new ones in the long form."""
    return settings(max_examples=count * 10 if LONG else count, derandomize=not LONG, deadline=None, database=None)
