"""The limit of work for one expansion: *periods examined* and occurrences made.

Counting results alone would not limit anything, because a rule that never matches has none. One unit is about one
microsecond, so the default is well under 50 ms of CPU and 20 MiB.
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal

DEFAULT_PERIODS = 20_000


class Budget:
    """A number of periods to spend; several expansions of one request may share a Budget."""

    __slots__ = ("answered", "left")

    def __init__(self, periods: int = DEFAULT_PERIODS) -> None:
        self.left = periods
        self.answered = 0
        """Occurrences that went into an answer: a whole request is not charged for them."""

    def spend(self, periods: int) -> None:
        """Spend ``periods``; refuses with CALDAV:max-instances (RFC 4791 §5.2.8) when nothing is left."""
        self.left -= periods
        if self.left < 0:
            raise Refusal(Condition.MAX_INSTANCES, "The recurrence rule needs more work than this server allows.")
