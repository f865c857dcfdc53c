"""Synthetic mixes in, the table out: what is right must be found right, and each kind of wrong must show."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from server.caller.codecs import as_int16, codec, decoder, encoder, resample
from server.caller.timeline import Sound
from server.demo.analysis import FLOOR_DB, Hearing, who_heard_whom
from server.demo.checks import check_hearing
from server.demo.voices import RATE, conversation

NAMES = ["anna", "ben", "carla"]
CODECS = {"anna": "pcmu", "ben": "g722", "carla": "opus"}
VOICES = {name: as_int16(pcm) for name, pcm in conversation(6.0).items()}
SAID = {name: Sound(pcm, RATE, 500.0 + 0.013 * index) for index, (name, pcm) in enumerate(VOICES.items())}

Gains = Mapping[str, float]


def heard_by(
    listener: str, gains: Gains, *, delay_s: float = 0.06, rate: int = RATE, jump_s: float = 0.0, noise: float = 3.0
) -> Sound:
    """A mix of all voices, each `delay_s` after it was said, `jump_s` more from 3 s on."""
    rng = np.random.default_rng(NAMES.index(listener))
    line = rng.standard_normal(8 * RATE) * noise
    for name, gain in gains.items():
        late = round((SAID[name].starts_at_s - 500.0 + delay_s) * RATE)
        half, more = 3 * RATE, round(jump_s * RATE)
        voice = VOICES[name] * gain
        line[late : late + half] += voice[:half]
        line[late + half + more : late + more + len(voice)] += voice[half:]
    return Sound(resample(as_int16(line.astype(np.float32)), RATE, rate), rate, 500.0)


def right(listener: str) -> Gains:
    return {name: 0.0 if name == listener else 1.0 for name in NAMES}


@cache
def right_table() -> Hearing:
    return who_heard_whom(SAID, {name: heard_by(name, right(name)) for name in NAMES})


def table(**changes: Sound) -> Hearing:
    """The table where all is right but for what some heard; each listener is judged alone."""
    return right_table() | who_heard_whom(SAID, changes)


def test_a_right_mix_is_right_in_all_cells_with_its_delays() -> None:
    hearing = table()
    assert check_hearing(hearing, NAMES).held
    for listener in NAMES:
        for talker in NAMES:
            cell = hearing[listener, talker]
            if listener == talker:
                assert cell.gain_db < -45
            else:
                assert cell.gain_db == pytest.approx(0, abs=0.1)
                assert cell.delay_s == pytest.approx(0.06, abs=0.0002)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_the_listeners_rate_does_not_matter(rate: int) -> None:
    hearing = table(ben=heard_by("ben", right("ben"), rate=rate))
    assert hearing["ben", "anna"].gain_db == pytest.approx(0, abs=0.2)
    assert hearing["ben", "ben"].gain_db < -45


def test_codecs_do_not_spoil_the_table() -> None:
    heard = {}
    for listener, name in CODECS.items():
        kind = codec(name)
        encode, decode = encoder(kind), decoder(kind)
        mix = heard_by(listener, right(listener), rate=kind.sample_rate)
        frames = mix.pcm[: len(mix.pcm) // kind.frame_samples * kind.frame_samples].reshape(-1, kind.frame_samples)
        decoded = [decode.decode(encode.encode(frame)) for frame in frames]
        heard[listener] = Sound(np.concatenate([pcm for pcm in decoded if pcm is not None]), mix.rate, mix.starts_at_s)
    hearing = who_heard_whom(SAID, heard)
    assert check_hearing(hearing, NAMES).held
    assert hearing["carla", "carla"].gain_db < -40


@pytest.mark.parametrize("gain_db", [-12.0, -6.0, 6.0])
def test_a_gain_is_measured(gain_db: float) -> None:
    gains = {"anna": 0.0, "ben": 10 ** (gain_db / 20), "carla": 1.0}
    hearing = table(anna=heard_by("anna", gains))
    assert hearing["anna", "ben"].gain_db == pytest.approx(gain_db, abs=0.2)
    assert hearing["anna", "carla"].gain_db == pytest.approx(0, abs=0.2)
    line = check_hearing(hearing, NAMES)
    assert not line.held
    assert line.text == "anna does not hear ben right"


def test_a_missing_voice_fails() -> None:
    hearing = table(carla=heard_by("carla", {"anna": 1.0, "ben": 0.0}))
    assert hearing["carla", "ben"].gain_db < -30
    line = check_hearing(hearing, NAMES)
    assert not line.held
    assert line.text == "carla does not hear ben right"


@pytest.mark.parametrize(("gain", "delay_s"), [(1.0, 0.06), (0.1, 0.06), (0.1, 0.0), (0.1, 0.45)])
def test_an_echo_of_oneself_fails_whatever_its_delay(gain: float, delay_s: float) -> None:
    others = heard_by("ben", right("ben"))
    echo = heard_by("ben", {"ben": gain}, delay_s=delay_s, noise=0.0)
    hearing = table(ben=Sound(others.pcm + echo.pcm, RATE, 500.0))
    assert hearing["ben", "ben"].gain_db == pytest.approx(20 * np.log10(gain), abs=1.0)
    assert hearing["ben", "ben"].delay_s == pytest.approx(delay_s, abs=0.001)
    line = check_hearing(hearing, NAMES)
    assert not line.held
    assert line.text == "ben hears their own voice"


def test_silence_and_noise_are_not_hearing() -> None:
    silence = Sound(np.zeros(8 * RATE, np.int16), RATE, 500.0)
    hearing = table(anna=silence, ben=heard_by("ben", {}, noise=2000.0))
    assert hearing["anna", "ben"].gain_db == FLOOR_DB
    assert hearing["ben", "carla"].gain_db < -20
    assert not check_hearing(hearing, NAMES).held
    assert hearing["carla", "anna"].gain_db == pytest.approx(0, abs=0.1)


def test_a_delay_that_moves_in_the_middle_is_followed() -> None:
    hearing = table(anna=heard_by("anna", right("anna"), jump_s=0.04))
    assert check_hearing(hearing, NAMES).held
    assert 0.06 <= hearing["anna", "carla"].delay_s <= 0.101


def test_a_listener_who_came_late_or_left_early_is_not_an_error() -> None:
    whole = heard_by("anna", right("anna"))
    late = Sound(whole.pcm[4 * RATE :], RATE, 504.0)
    hearing = table(anna=late)
    assert hearing["anna", "carla"].gain_db < 0
    assert not check_hearing(table(anna=Sound(np.zeros(0, np.int16), RATE, 0.0)), NAMES).held
