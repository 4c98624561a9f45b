"""Every file of the corpus over HTTP, as a client would put it."""
