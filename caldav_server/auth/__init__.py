"""Who is asking: Basic authentication (RFC 7617) over argon2id and app passwords.

``passwords`` makes and checks hashes, ``throttle`` slows guessing down, ``authenticator`` puts them together.
"""

from caldav_server.auth.authenticator import Authenticator, Credentials, parse_basic
from caldav_server.auth.passwords import APP_PASSWORD, PASSWORD, Hasher, hash_app_password, new_app_password

__all__ = [
    "APP_PASSWORD",
    "PASSWORD",
    "Authenticator",
    "Credentials",
    "Hasher",
    "hash_app_password",
    "new_app_password",
    "parse_basic",
]
