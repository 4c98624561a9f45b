"""Limits on time that mean the same on a busy machine: what a quiet one is allowed, times how many wait for a core."""

from __future__ import annotations

import os


def allowed(seconds: float) -> float:
    """Seconds on the clock for what may take ``seconds`` while a core is free (the load of the last minute counts)."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * max(1.0, waiting)
