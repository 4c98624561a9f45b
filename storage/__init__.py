"""What is remembered: SQL, the change log, previous versions. No HTTP, no XML, no iCalendar parsing."""
