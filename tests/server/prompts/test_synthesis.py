"""The server's own sounds as clips, made by real children."""

import numpy as np
import pytest

from server.prompts import synthesis
from server.prompts.beeps import beep
from server.prompts.child import ChildFailed
from server.prompts.clip import RATES
from server.prompts.errors import PromptError
from server.prompts.synthesis import synthesise
from tests.server.prompts.files import heard, memory_files


async def test_a_sound_is_the_same_clip_each_time() -> None:
    enter, again, leave = [await synthesise(sound) for sound in ("enter", "enter", "leave")]
    try:
        assert enter.clip_id == again.clip_id != leave.clip_id
        assert enter.duration_ms == 220
        for rate, samples in beep("enter", RATES).items():
            assert np.array_equal(heard(enter, rate), samples)
    finally:
        for clip in (enter, again, leave):
            clip.close()


async def test_music_is_made_within_the_childs_limits() -> None:
    clip = await synthesise("music")
    try:
        assert clip.duration_ms == 48_000
        assert np.abs(heard(clip, 8000)).max() > 1000
    finally:
        clip.close()


@pytest.mark.parametrize("failure", [ChildFailed(-9), TimeoutError()])
async def test_a_failure_is_the_servers_own_and_leaves_nothing(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(synthesis, "run", run)
    before = memory_files()
    with pytest.raises(PromptError) as failed:
        await synthesise("music")
    assert (failed.value.code, failed.value.fault) == ("prompt_unavailable", "us")
    assert memory_files() == before
