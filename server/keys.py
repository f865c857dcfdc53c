"""API keys: how they are written in the settings, how a request's credentials are checked against them.

Only the SHA-256 of a secret is kept, so that no log line or stack dump can show one. Which paths need a key is
decided in `server.api.auth`.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MIN_SECRET_LENGTH: Final = 8
WELL_KNOWN: Final = frozenset(
    {"changeme", "change-me", "password", "passw0rd", "12345678", "secretsecret", "parleysecret"}
)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One accepted key. Its id is also the project that owns what is made with it."""

    key_id: str
    secret_sha256: bytes
    weak: bool
    """The secret is too short or a well-known default; refused outside dev mode."""


def parse_api_keys(value: object) -> object:
    """Read `id:secret,id:secret` (or a list of `id:secret`); the same id twice is a key being rotated."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise ValueError("write id:secret, several separated by commas")
    return tuple(part if isinstance(part, ApiKey) else _parse_one(part) for part in parts if part not in ("", None))


def _parse_one(text: object) -> ApiKey:
    key_id, colon, secret = str(text).strip().partition(":")
    if not colon or not secret or not _KEY_ID.fullmatch(key_id):
        # The text is not repeated: it may be a secret whose id was forgotten.
        raise ValueError("write each key as id:secret, the id of up to 64 letters, digits, dots, dashes, underscores")
    weak = len(secret) < MIN_SECRET_LENGTH or secret.lower() in WELL_KNOWN
    return ApiKey(key_id, hashlib.sha256(secret.encode()).digest(), weak)


def credentials(authorization: str) -> tuple[str, str] | None:
    """Return (id, secret) of an Authorization header: `Bearer id:secret` or HTTP Basic; None if it is neither."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif scheme.lower() != "bearer":
        return None
    key_id, colon, secret = value.partition(":")
    return (key_id, secret) if colon and key_id and secret else None


def verify(keys: Sequence[ApiKey], key_id: str, secret: str) -> bool:
    """True if the id and secret are one of `keys`; takes the same time wherever they differ."""
    digest = hashlib.sha256(secret.encode(errors="surrogateescape")).digest()
    matches = [
        hmac.compare_digest(key.key_id.encode(), key_id.encode(errors="surrogateescape"))
        & hmac.compare_digest(key.secret_sha256, digest)
        for key in keys
    ]
    return any(matches)
