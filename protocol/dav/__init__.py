"""The wire of WebDAV and CalDAV: request bodies and headers to plain data, plain data to XML text. Pure."""
