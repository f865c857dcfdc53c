"""Settings of how voices are enhanced: they reach every mixer, and what cannot be done stops the start."""

import sys
from pathlib import Path

import pytest

from server.mixer_config import mixer_config
from server.settings import SettingsError, load_settings
from tests.support.api import settings_for

PACKAGE = "webrtc_noise_gain"


def test_voices_are_left_alone_unless_something_is_set(tmp_path: Path) -> None:
    config = mixer_config(settings_for(tmp_path), "conf")
    assert (config.auto_gain, config.noise_suppression) == (False, "off")


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_mixers_are_told_how_voices_are_enhanced(tmp_path: Path, level: str) -> None:
    pytest.importorskip(PACKAGE)
    config = mixer_config(settings_for(tmp_path, auto_gain=True, noise_suppression=level), "conf")
    assert (config.auto_gain, config.noise_suppression) == (True, level)


def test_without_the_package_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)  # what an import of it then finds
    assert load_settings({"dev": True, "noise_suppression": "off"}).noise_suppression == "off"
    with pytest.raises(SettingsError) as caught:
        load_settings({"dev": True, "noise_suppression": "low"})
    (problem,) = caught.value.problems
    assert problem.startswith("PARLEY_NOISE_SUPPRESSION: ")
    assert 'pip install "parley[denoise]"' in problem


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARLEY_NOISE_SUPPRESSION"):
        load_settings({"dev": True, "noise_suppression": "extreme"})


def test_the_package_that_is_looked_for_is_the_one_that_mixers_use() -> None:
    from mixer.dsp.denoise import MODULE

    assert MODULE == PACKAGE
