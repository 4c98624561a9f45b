"""WebDAV and CalDAV on the wire: request bodies and headers to plain data, plain data to XML text. Pure functions."""
