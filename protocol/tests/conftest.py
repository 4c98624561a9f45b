"""Hypothesis for these tests: no deadline per example, since machines that run them also do other work."""

from __future__ import annotations

from hypothesis import settings

from testing.lengths import examples

settings.register_profile("tests", examples())
settings.load_profile("tests")
