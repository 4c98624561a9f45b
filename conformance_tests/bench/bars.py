"""What we want to reach: milliseconds of server CPU of the best peer that was measured, and our share of it.

The peers' figures are medians of one interleaved run of six servers (sabre/dav, Cyrus, Xandikos, Radicale, SOGo and
DAViCal) over comparable data, of which the best one counts in each row.
"""

from __future__ import annotations

from dataclasses import dataclass

GATE = 0.35
"""Poll: the share of the bare handler's rate below which continuous integration fails."""
GATE_TARGET = 0.45


@dataclass(frozen=True, slots=True)
class Bar:
    """The best peer's milliseconds by calendar size, our share, and how much more 10,000 objects may cost than 1,000.

    ``growth`` is ``None`` where the answer itself grows with the calendar.
    """

    best: dict[int, float]
    share: float
    growth: float | None = None

    def limit(self, size: int) -> float | None:
        """The most milliseconds a request may cost at this size; ``None`` for sizes no peer was measured at."""
        return self.best[size] * self.share if size in self.best else None


BARS = {
    "poll": Bar({1000: 0.67, 10000: 0.67}, 0.5, 1.1),
    "sync nothing new": Bar({1000: 1.30, 10000: 1.07}, 0.35, 1.1),
    "sync 10 changes": Bar({1000: 1.45, 10000: 1.50}, 0.4, 1.1),
    "GET": Bar({1000: 0.87, 10000: 0.83}, 0.5, 1.1),
    "multiget 50": Bar({1000: 3.6, 10000: 3.2}, 0.5, 1.1),
    "list ETags": Bar({1000: 6.2, 10000: 49.0}, 0.5),
    "month with data": Bar({1000: 41.0, 10000: 422.0}, 0.1),
    "week, expand": Bar({1000: 62.0, 10000: 710.0}, 0.2),
    "free-busy week": Bar({1000: 32.0, 10000: 267.0}, 0.1),
    "PUT new": Bar({1000: 2.6, 10000: 2.1}, 0.8, 1.1),
    "DELETE": Bar({1000: 1.45, 10000: 1.30}, 0.5, 1.1),
    "PUT update": Bar({1000: 2.6, 10000: 2.1}, 0.8, 1.1),
}
