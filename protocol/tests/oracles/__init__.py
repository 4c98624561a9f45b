"""Independent implementations that the recurrence engine is compared with, and the generators of what to compare."""
