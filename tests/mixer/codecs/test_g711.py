"""G.711 against libavcodec for every code and every sample, and against itself."""

import av
import numpy as np
import pytest

from mixer.codecs import g711

MULAW = ("pcm_mulaw", g711.MULAW_DECODE, g711.MULAW_ENCODE, g711.MULAW_SILENCE)
ALAW = ("pcm_alaw", g711.ALAW_DECODE, g711.ALAW_ENCODE, g711.ALAW_SILENCE)
LAWS = pytest.mark.parametrize(("codec", "values", "codes", "silence"), [MULAW, ALAW], ids=["mulaw", "alaw"])
EVERY_SAMPLE = np.arange(65536, dtype=np.uint16).view(np.int16)


def av_decode(codec: str, payload: bytes) -> np.ndarray:
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    return context.decode(av.Packet(payload))[0].to_ndarray()[0]


def av_encode(codec: str, samples: np.ndarray) -> np.ndarray:
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "s16", "mono")
    frame.sample_rate = 8000
    return np.frombuffer(bytes(context.encode(frame)[0]), np.uint8)


@LAWS
def test_every_code_decodes_as_libavcodec_has_it(codec, values, codes, silence):
    assert np.array_equal(values, av_decode(codec, bytes(range(256))))
    assert values.dtype == np.float32


@LAWS
def test_every_sample_gets_the_nearest_code(codec, values, codes, silence):
    error = np.abs(values[codes] - EVERY_SAMPLE)
    nearest = np.abs(values[np.newaxis] - EVERY_SAMPLE[:, np.newaxis].astype(np.float32)).min(axis=1)
    assert np.array_equal(error, nearest)


@LAWS
def test_libavcodec_differs_only_next_to_a_decision_value(codec, values, codes, silence):
    # It quantises to 14 bits before it looks up, so up to 3 samples next to a decision value go the longer way.
    theirs = av_encode(codec, EVERY_SAMPLE)
    differs = theirs != codes
    ours, others = np.abs(values[codes] - EVERY_SAMPLE), np.abs(values[theirs] - EVERY_SAMPLE)
    assert 0 < np.count_nonzero(differs) < 400
    assert (others[differs] >= ours[differs]).all()
    assert (others - ours).max() <= 6


@LAWS
def test_of_two_equally_near_codes_the_greater_magnitude_wins(codec, values, codes, silence):
    ascending = np.unique(values)
    between = (ascending[1:] + ascending[:-1]) / 2
    ties = between[(between == np.round(between)) & (between != 0) & (np.abs(between) <= 32767)]
    picked = values[codes[ties.astype(np.int16).view(np.uint16)]]
    assert len(ties) > 200
    assert (np.abs(picked) > np.abs(ties)).all()


def test_decode_then_encode_is_the_identity():
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(g711.ALAW_ENCODE[g711.ALAW_DECODE.astype(np.int16).view(np.uint16)], every)
    mulaw = g711.MULAW_ENCODE[g711.MULAW_DECODE.astype(np.int16).view(np.uint16)]
    assert mulaw[0x7F] == g711.MULAW_SILENCE  # negative zero
    assert np.array_equal(np.delete(mulaw, 0x7F), np.delete(every, 0x7F))


@LAWS
def test_zero_is_the_silence_code(codec, values, codes, silence):
    assert codes[0] == silence
    assert values[silence] == (0.0 if codec == "pcm_mulaw" else 8.0)


@LAWS
def test_decode_and_encode_work_on_rows(codec, values, codes, silence):
    random = np.random.default_rng(1)
    ring = random.integers(0, 256, (7, 4, 200), dtype=np.uint8)
    payload = ring[:, 2, :160]  # rows far apart, as in a ring
    out = np.full((7, 160), np.nan, np.float32)
    g711.decode(values, payload, out)
    assert np.array_equal(out[3], av_decode(codec, payload[3].tobytes()))
    again = np.zeros((7, 160), np.uint8)
    g711.encode(codes, out.astype(np.int16), again)
    g711.decode(values, again, second := np.empty_like(out))
    assert np.array_equal(second, out)


def test_no_rows_are_fine():
    g711.decode(g711.MULAW_DECODE, np.zeros((0, 160), np.uint8), np.zeros((0, 160), np.float32))
    g711.encode(g711.MULAW_ENCODE, np.zeros((0, 160), np.int16), np.zeros((0, 160), np.uint8))
