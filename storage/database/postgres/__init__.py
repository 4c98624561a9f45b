"""PostgreSQL through libpq: threads for units of work, connections on the event loop for look-ups and batches."""
