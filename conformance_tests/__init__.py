"""Black-box conformance tests: what a client sees over HTTP, of this server or of any other (``--server URL``)."""
