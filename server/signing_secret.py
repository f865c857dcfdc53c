"""The secret that signs webhooks: the one that is set, else one that is made once and kept in the data folder."""

import os
import secrets
from pathlib import Path
from typing import Final

from server.settings import Settings, SettingsError

FILE_NAME: Final = "signing-secret"
_BYTES: Final = 32
_SHORTEST: Final = 8


def signing_secret(settings: Settings) -> str:
    """Return the secret; raise `SettingsError` if it can be neither read nor made."""
    if settings.signing_secret is not None:
        return settings.signing_secret.get_secret_value()
    path = settings.data_dir / FILE_NAME
    try:
        return _kept(path) if path.exists() else _made(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"PARLEY_DATA_DIR: {path} cannot be used: {error}"]) from error


def _kept(path: Path) -> str:
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < _SHORTEST:
        raise SettingsError([f"PARLEY_DATA_DIR: {path} holds no secret; delete it, or set PARLEY_SIGNING_SECRET"])
    return secret


def _made(path: Path) -> str:
    """Make a secret that nobody but this user can read; a crash leaves all of it or nothing."""
    secret = secrets.token_hex(_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return secret
