"""Who is asking: Basic authentication (RFC 7617) over argon2id and app passwords.

``passwords`` makes and checks hashes, ``throttle`` slows guessing down, ``authenticator`` puts them together.
"""
