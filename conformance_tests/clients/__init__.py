"""Real client programs as checks; long runs (``make conformance``)."""
