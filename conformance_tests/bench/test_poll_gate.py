"""The gate of continuous integration: right answers to all twelve operations, and a poll near the bare handler."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from conformance_tests.bench import campaign, gate, polls
from conformance_tests.bench.__main__ import QUICK
from conformance_tests.bench.bars import GATE
from conformance_tests.bench.data import Samples
from conformance_tests.bench.operations import Windows
from conformance_tests.bench.servers import start_postgresql, start_sqlite


def test_every_operation_answers_right() -> None:
    results = campaign.run(QUICK, print)
    assert results.wrong_answers(QUICK.databases) == 0, results.cells


def test_a_poll_with_a_warm_cache_is_near_the_bare_handler(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = start_sqlite(tmp_path)
        stack.callback(server.stop)
        samples = Samples(100, "gate")
        ours = campaign.fill(server, samples, Windows([], []), print)
        floor = campaign.start_floor(ours, tmp_path, stack)
        share = gate.share(ours, floor)
    assert share >= GATE, f"a poll does {share:.2f} of what the bare handler does"


def test_polls_on_postgresql_are_near_the_bare_handler() -> None:
    """Several at once: each is asked of the database, and those that come together travel together."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="caldav-bench-")))
        folder.chmod(0o755)  # PostgreSQL runs as another user where this program is root
        server = start_postgresql(folder)
        stack.callback(server.stop)
        ours = campaign.fill(server, Samples(100, "gate"), Windows([], []), print)
        found = polls.turns([ours], campaign.start_floor(ours, folder, stack), count=7, seconds=0.4)
    share = polls.share(found, "postgresql")
    assert share >= GATE, f"a poll does {share:.2f} of what the bare handler does"
