"""How much work one expansion may do: a count of *periods examined* and occurrences made.

Counting results alone bounds nothing, because a rule that never matches yields none. One unit is worth about one
microsecond, so that the default is well under 50 ms of CPU and 20 MiB.
"""

from __future__ import annotations

from protocol.errors import Condition, Refusal

DEFAULT_PERIODS = 20_000


class Budget:
    """A number of periods to spend; one Budget may be shared by many expansions of one request."""

    __slots__ = ("answered", "left")

    def __init__(self, periods: int = DEFAULT_PERIODS) -> None:
        self.left = periods
        self.answered = 0
        """Occurrences that went into an answer: what a whole request is not charged for."""

    def spend(self, periods: int) -> None:
        """Take ``periods`` from the budget; refuses with CALDAV:max-instances (RFC 4791 §5.2.8) when it is used up."""
        self.left -= periods
        if self.left < 0:
            raise Refusal(Condition.MAX_INSTANCES, "The recurrence rule needs more work than this server allows.")
