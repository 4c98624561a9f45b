"""Password hashes: argon2id (RFC 9106) for passwords that people choose, SHA-256 for app passwords.

An app password has 150 random bits. Nobody can guess it, so a fast hash is enough. Rules of this module: no I/O, no
clock; slow functions say so and belong in a thread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from caldav_server.settings import AuthSettings
from protocol.model import Credential

PASSWORD = "password"  # noqa: S105 the kind of a credential, not one
APP_PASSWORD = "app-password"  # noqa: S105 as above
_APP_PREFIX = "app"
_APP_SHAPE = re.compile(r"app[a-z2-7]{30}")
_APP_HASH = "sha256$"


def new_app_password() -> str:
    """A random app password in groups that can be typed on a phone: ``app-xxxxx-...`` (150 bits)."""
    text = base64.b32encode(secrets.token_bytes(20)).decode("ascii").lower()[:30]
    return "-".join([_APP_PREFIX, *(text[start : start + 5] for start in range(0, 30, 5))])


def _bare(password: str) -> str:
    return password.replace("-", "").replace(" ", "").lower()


def is_app_password(password: str) -> bool:
    """Whether a text looks like an app password, with hyphens, with blanks or without either."""
    return _APP_SHAPE.fullmatch(_bare(password)) is not None


def hash_app_password(password: str) -> str:
    """The stored form of an app password."""
    return _APP_HASH + hashlib.sha256(_bare(password).encode("utf-8")).hexdigest()


def find_app_password(password: str, credentials: Iterable[Credential]) -> Credential | None:
    """The credential whose app password this is; ``None`` when there is none."""
    wanted = hash_app_password(password)
    found = None
    for credential in credentials:
        if credential.kind == APP_PASSWORD and hmac.compare_digest(credential.hash, wanted):
            found = credential
    return found


def normalise(text: str) -> str:
    """A login name or password as it is compared: composed Unicode (RFC 8265 §4.2.1, NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


class Hasher:
    """Makes argon2id hashes with the parameters of the settings; verifies these and hashes of other servers."""

    def __init__(self, settings: AuthSettings) -> None:
        self._argon2 = PasswordHasher(
            time_cost=settings.argon2_time,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            type=Type.ID,
        )
        self._decoy = ""

    def hash(self, password: str) -> str:
        """The hash of a chosen password; slow on purpose."""
        return self._argon2.hash(normalise(password))

    def verify(self, hashed: str, password: str) -> bool:
        """Whether the password is the hashed one; slow on purpose."""
        if not hashed.startswith("$argon2"):
            return self._verify_foreign(hashed, password)
        try:
            return self._argon2.verify(hashed, normalise(password))
        except (VerificationError, InvalidHashError):
            return False

    @staticmethod
    def _verify_foreign(hashed: str, password: str) -> bool:
        """Hashes that were imported from another server: bcrypt, PBKDF2, SHA-crypt."""
        from passlib.context import CryptContext  # slow to import and seldom needed

        context = CryptContext(["bcrypt", "pbkdf2_sha256", "pbkdf2_sha512", "sha512_crypt", "sha256_crypt"])
        try:
            return bool(context.verify(password, hashed))
        except (ValueError, TypeError):
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether a hash was made with other parameters than those of the settings."""
        return not hashed.startswith("$argon2id") or self._argon2.check_needs_rehash(hashed)

    def verify_decoy(self, password: str) -> bool:
        """Always false, as slow as ``verify``: an unknown name must not be answered faster than a wrong password."""
        if not self._decoy:
            self._decoy = self._argon2.hash(secrets.token_hex(16))
        self.verify(self._decoy, password)
        return False


KNOWN_HASHES = ("$argon2", "$2a$", "$2b$", "$2y$", "$pbkdf2-sha256$", "$pbkdf2-sha512$", "$6$", "$5$")
"""How the hashes begin that ``Hasher.verify`` understands; an accounts file may hold them instead of a password."""


def is_hash(text: str) -> bool:
    """Whether a text from an accounts file is a hash rather than a password in clear."""
    return text.startswith(KNOWN_HASHES) and text.count("$") >= 3
