import numpy as np
import pytest

from server.demo.voices import PEAK, RATE, VOICES, Voice, conversation, speak
from tests.support.tones import rms


def pitch_hz(sound: np.ndarray) -> float:
    """The commonest pitch by autocorrelation of 50 ms pieces that are loud enough."""
    size = RATE // 20
    pieces = [sound[at : at + size] for at in range(0, len(sound) - size, size)]
    loud = [piece for piece in pieces if rms(piece) > 0.3 * rms(sound)]
    found = []
    for piece in loud:
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(size), 4 * size)) ** 2
        correlation = np.fft.irfft(spectrum)
        lags = np.arange(RATE // 320, RATE // 80)
        found.append(RATE / int(lags[np.argmax(correlation[lags])]))
    return float(np.median(found))


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_each_voice_has_its_pitch_its_peak_and_is_always_the_same(voice: Voice) -> None:
    sound = speak(voice, 3.0)
    assert sound.dtype == np.float32
    assert len(sound) == 3 * RATE
    assert np.max(np.abs(sound)) == pytest.approx(PEAK, rel=1e-5)
    assert pitch_hz(sound) == pytest.approx(voice.pitch_hz, rel=0.2)
    assert np.array_equal(sound, speak(voice, 3.0))


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_speech_has_syllables_and_a_spectrum_like_speech(voice: Voice) -> None:
    sound = speak(voice, 6.0).astype(np.float64)
    envelope = np.sqrt(np.convolve(sound**2, np.ones(320) / 320, mode="same"))[::160]
    rhythm = np.abs(np.fft.rfft(envelope - envelope.mean()))
    freqs = np.fft.rfftfreq(len(envelope), 0.01)
    assert rhythm[(freqs > 2) & (freqs < 7)].max() > 3 * rhythm[freqs > 12].max()
    power = np.abs(np.fft.rfft(sound)) ** 2
    bins = np.fft.rfftfreq(len(sound), 1 / RATE)

    def share(low: float, high: float) -> float:
        return float(power[(bins >= low) & (bins < high)].sum() / power.sum())

    assert share(80, 1000) > 0.5
    assert share(1000, 4000) > 0.02
    assert 1e-5 < share(4000, 7200) < 0.2
    assert share(7200, 8000) < 1e-4


def test_a_voice_is_silent_outside_of_its_turns() -> None:
    sound = speak(VOICES[0], 3.0, [(1.0, 2.0)])
    assert rms(sound[: int(0.9 * RATE)]) < 1
    assert rms(sound[int(2.1 * RATE) :]) < 1
    assert rms(sound[RATE : 2 * RATE]) > 1000


def test_the_conversation_has_turns_interruptions_and_room_for_two_at_once() -> None:
    voices = conversation(8.0)
    assert list(voices) == ["anna", "ben", "carla"]
    speaking = {
        name: np.array([rms(sound[at : at + RATE // 10]) > 200 for at in range(0, len(sound), RATE // 10)])
        for name, sound in voices.items()
    }
    at_once = sum(active.astype(int) for active in speaking.values())
    assert (at_once == 1).sum() > 10
    assert (at_once >= 2).sum() > 5
    assert (at_once == 3).any()
    assert (at_once == 0).any()
    for one, other in (("anna", "ben"), ("ben", "carla"), ("anna", "carla")):
        assert abs(np.corrcoef(voices[one], voices[other])[0, 1]) < 0.05
        assert np.max(np.abs(voices[one] + voices[other])) < 32768
