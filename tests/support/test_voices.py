import numpy as np
import pytest
from pesq import pesq

from server.caller.codecs import as_int16, codec, decoder, encoder
from tests.support.voices import speech


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_speech_at_any_rate(rate: int) -> None:
    sound = speech("anna", 2.0, rate)
    assert sound.shape == (2 * rate,)
    assert sound.dtype == np.float32
    assert 10000 < np.max(np.abs(sound)) < 23000
    assert speech("anna", 2.0, rate) is sound


def through_opus(sound: np.ndarray, lost: set[int]) -> np.ndarray:
    kind = codec("opus")
    encode, decode = encoder(kind), decoder(kind)
    heard = []
    for number, frame in enumerate(as_int16(sound).reshape(-1, kind.frame_samples)):
        pcm = decode.decode(encode.encode(frame))
        assert pcm is not None
        heard.append(np.zeros_like(pcm) if number in lost else pcm)
    return np.concatenate(heard)[::3]


def test_pesq_tells_good_speech_from_spoilt() -> None:
    clean, sound = speech("ben", 8.0, 16000), speech("ben", 8.0, 48000)
    lost = set(range(5, 400, 10))
    good, spoilt = (pesq(16000, as_int16(clean), through_opus(sound, gone), "wb") for gone in (set(), lost))
    assert good > 3.5
    assert spoilt < good - 1.0
