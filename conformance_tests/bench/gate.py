"""The one figure that continuous integration judges: a poll with a warm cache against the bare handler.

Both are measured in turns, in many short cells, and the median of the pairs counts: a neighbour that disturbs one pair
does not decide.
"""

from __future__ import annotations

import statistics

from conformance_tests.bench import measure
from conformance_tests.bench.campaign import floor_work
from conformance_tests.bench.measure import Effort
from conformance_tests.bench.operations import Place, Work, poll

PAIRS = 9
EFFORT = Effort(0.12, 6)


def _cost(place: Place, work: Work) -> float:
    cell = measure.run(place.server, place.connection, work, EFFORT)
    assert not cell.wrong, f"{place.server.name}: {cell.wrong}"
    return cell.cpu / cell.requests


def share(ours: Place, floor: Place) -> float:
    """The bare handler's CPU over a poll's: the ratio of their request rates on one core."""
    works = poll(ours), floor_work(floor)
    _cost(ours, works[0])  # fills caches and starts threads
    pairs = [(_cost(ours, works[0]), _cost(floor, works[1])) for _ in range(PAIRS)]
    return statistics.median(least / cost for cost, least in pairs)
