"""The corpus of real-world iCalendar files."""
