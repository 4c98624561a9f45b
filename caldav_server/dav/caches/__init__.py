"""What the DAV face remembers; every cache is a ``LensedCache``, so nothing made for one viewer reaches another."""
