"""Fault tests: what breaks while clients work, and what must still be true afterwards."""
