"""What the RFCs say, as types and pure functions: no I/O, no clock, no randomness, no ``async``."""
