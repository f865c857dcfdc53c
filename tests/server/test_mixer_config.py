"""Settings of mixers: every mixer hears of them, and one that is not set changes nothing."""

from pathlib import Path
from typing import Any

from mixer.protocol import MixerConfig
from server.mixer_config import mixer_config
from tests.support.api import serving, settings_for


def test_a_mixer_is_told_its_own_defaults_unless_something_is_set(tmp_path: Path) -> None:
    assert mixer_config(settings_for(tmp_path), "conf") == MixerConfig("conf", scheduling="auto")


async def test_the_lobby_and_every_conference_are_told_the_settings(tmp_path: Path) -> None:
    values: dict[str, Any] = {"mixer_opus_bitrate": 24_000, "mixer_opus_complexity": 5, "mixer_scheduling": "normal"}
    async with serving(tmp_path, **values) as api:
        joined = await api.enter("x")
        configs = {mixer.name: mixer.config for mixer in api.mixers.launched}
        assert configs.keys() == {"lobby", joined["conference_id"]}
        for name, config in configs.items():
            assert config == mixer_config(settings_for(tmp_path, **values), name)
            assert (config.opus_bitrate, config.opus_complexity, config.scheduling) == (24_000, 5, "normal")


def test_each_way_of_saving_work_can_be_switched_off(tmp_path: Path) -> None:
    off = {
        "mixer_compiled": False,
        "mixer_share_encodes": False,
        "mixer_skip_silent": False,
        "mixer_loudest": 0,
        "mixer_protect_lossy": False,
    }
    config = mixer_config(settings_for(tmp_path, **off), "conf")
    assert not config.compiled
    assert (config.share_encodes, config.skip_silent, config.loudest, config.protect_lossy) == (False, False, 0, False)


def test_what_a_mixer_may_claim_is_passed_on(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, mixer_scheduling="realtime", mixer_cores="0", mixer_lock_memory=True)
    config = mixer_config(settings, "conf")
    assert (config.scheduling, config.cores, config.lock_memory) == ("realtime", (0,), True)
