"""What holds for every test of the tree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testing.statements import StatementRecorder

pytest_plugins = ["testing.databases", "testing.summary"]


@pytest.fixture(scope="session", autouse=True)
def statements() -> Iterator[StatementRecorder]:
    """No statement that runs in the process of the tests may cross principals without saying why."""
    with StatementRecorder() as seen:
        yield seen
    assert not seen.violations, "\n".join(seen.violations)
