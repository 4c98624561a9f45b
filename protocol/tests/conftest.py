"""Settings of hypothesis: no deadline per example, because the machine may do other work."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("short", deadline=None)
settings.register_profile("long", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
