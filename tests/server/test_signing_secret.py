from pathlib import Path

import pytest

from server.settings import SettingsError
from server.signing_secret import FILE_NAME, signing_secret
from tests.support.api import settings_for


def test_the_one_that_is_set_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert signing_secret(settings_for(tmp_path / "data", signing_secret="a-secret-of-ours")) == "a-secret-of-ours"
    assert not (tmp_path / "data").exists()


def test_otherwise_one_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data")
    secret = signing_secret(settings)
    assert len(secret) == 64
    assert signing_secret(settings) == secret
    assert (tmp_path / "data" / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert signing_secret(settings_for(tmp_path / "other")) != secret


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 20])
def test_a_file_without_a_secret_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(SettingsError, match=FILE_NAME):
        signing_secret(settings_for(tmp_path))
