"""Senders that cut their sound into packets as they like: it comes out without a hole."""

from itertools import cycle

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.codecs.g711 import MULAW_ENCODE
from mixer.protocol import Codec
from tests.mixer.dsp.speech import speech
from tests.support.conference import Caller, VirtualConference, amplitude_at, tone
from tests.support.opus_sender import CELT, HYBRID, NARROWBAND, SILK, WIDEBAND, OpusSender

CUTS = {
    "10 ms": [80],
    "20 ms": [160],
    "30 ms": [240],
    "40 ms": [320],
    "60 ms": [480],
    "as ffmpeg sends": [160, 10, 155],
    "5 ms": [40],
    "120 ms": [960],
    "prime": [157],
}


def send_cut(
    caller: Caller, sound: bytes, units: list[int], rate: int, unit_bytes: int, start_ns: int, header_words: int = 0
) -> None:
    """Schedule `sound` in packets of so many timestamp units each, sent when their last sample was spoken."""
    at, sizes = 0, cycle(units)
    while at * unit_bytes < len(sound):
        size = next(sizes)
        spoken_ns = start_ns + (at + size) * 1_000_000_000 // rate
        payload = sound[at * unit_bytes : (at + size) * unit_bytes]
        step, caller.timestamp = caller.timestamp, (caller.timestamp - caller.step) & 0xFFFFFFFF
        caller.timestamp = step
        header = caller.header()
        caller.timestamp = (step + size) & 0xFFFFFFFF
        caller.scheduled.append((spoken_ns, header + payload))
        at += size


@pytest.mark.parametrize("phase_ms", [0.5, 10.5])
@pytest.mark.parametrize("cut", CUTS)
def test_g711_in_packets_of_any_size_is_gapless(cut: str, phase_ms: float) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu")
    listener = conference.add("pcmu")
    pcm = np.rint(speech(3.0)).astype(np.int16) + 40  # never silence, so that each packet counts
    sound = MULAW_ENCODE[pcm.view(np.uint16)].tobytes()
    send_cut(talker, sound, CUTS[cut], 8000, 1, conference.now_ns + int(phase_ms * 1e6))
    conference.run(170)
    heard = b"".join(packet[12:] for packet in listener.got)
    settled = sound[12_000 : len(sound) - 960]  # the buffer has found its depth
    assert settled in heard


@pytest.mark.parametrize(("codec", "rate", "unit_bytes"), [("l16", 16000, 2), ("l16", 48000, 2), ("g722", 16000, 1)])
@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40])
def test_other_formats_in_other_packets_are_gapless(codec: Codec, rate: int, unit_bytes: int, packet_ms: int) -> None:
    conference = VirtualConference()
    talker = conference.add(codec, rate=rate)
    listener = conference.add("l16", rate=rate)
    pcm = tone(400, 3, rate, 8000)
    clock = 8000 if codec == "g722" else rate
    if codec == "g722":
        sound = b"".join(talker.coder.encode(pcm[at : at + 320]) for at in range(0, len(pcm), 320))
    else:
        sound = pcm.astype(">i2").tobytes()
    units = clock * packet_ms // 1000
    if units * unit_bytes > 4000:
        return
    send_cut(talker, sound, [units], clock, unit_bytes, conference.now_ns)
    conference.run(160)
    heard = listener.heard()[rate : 2 * rate + rate // 2]
    assert is_pure(heard, 400, rate, 8000)


def is_pure(sound: NDArray[np.float32], frequency: float, rate: int, amplitude: float) -> bool:
    """Every window of 20 ms holds the tone at its level: no hole, no step."""
    size = rate // 50
    turn = np.exp(-2j * np.pi * frequency * np.arange(size) / rate)
    parts = sound[: len(sound) // (size // 2) * (size // 2)].reshape(-1, size // 2)
    windows = np.concatenate([parts[:-1], parts[1:]], axis=1)
    levels = 2 * np.abs(windows @ turn) / size
    return bool(np.all(np.abs(levels - amplitude) < 0.12 * amplitude))


@pytest.mark.parametrize("frame_ms", [10, 20, 40, 60])
@pytest.mark.parametrize(
    ("rate", "channels", "settings"),
    [
        (8000, 1, {"mode": SILK, "bandwidth": NARROWBAND, "bitrate": 12_000}),
        (16000, 1, {"mode": SILK, "bandwidth": WIDEBAND, "bitrate": 24_000}),
        (24000, 1, {"mode": HYBRID, "bitrate": 32_000}),
        (48000, 1, {"mode": HYBRID, "bitrate": 40_000}),
        (48000, 1, {"mode": CELT, "application": "audio", "bitrate": 64_000}),
        (12000, 1, {"bitrate": 24_000}),
        (48000, 2, {"application": "audio", "bitrate": 96_000}),
        (16000, 2, {"bitrate": 32_000}),
    ],
    ids=["silk 8", "silk 16", "hybrid 24", "hybrid 48", "celt 48", "silk 12", "stereo 48", "stereo 16"],
)
def test_opus_of_every_kind_is_heard_without_a_hole(
    rate: int, channels: int, settings: dict[str, object], frame_ms: int
) -> None:
    if settings.get("mode") in (HYBRID, CELT) and frame_ms > 20:
        settings = {key: value for key, value in settings.items() if key != "mode"}  # of 20 ms each, says libopus
    conference = VirtualConference()
    talker = conference.add("opus")
    listener = conference.add("l16", rate=48000)
    sender = OpusSender(rate, channels, frame_ms=frame_ms, **settings)  # type: ignore[arg-type]
    for number, payload in enumerate(sender.packets(tone(300, 2.4, rate, 8000))):
        header, talker.timestamp = talker.header(), talker.timestamp
        talker.timestamp = (talker.timestamp - 960 + 48 * frame_ms) & 0xFFFFFFFF
        talker.scheduled.append((conference.now_ns + (number + 1) * frame_ms * 1_000_000, header + payload))
    conference.run(125)
    heard = listener.heard()[48_000 : int(2.3 * 48_000)]
    assert amplitude_at(heard, 300, 48_000) == pytest.approx(8000, rel=0.1)
    assert is_pure(heard, 300, 48_000, amplitude_at(heard, 300, 48_000))
    table = conference.mixer.tables[int(conference.mixer.legs.table[0])]
    assert table.malformed == 0
    assert table.concealed[0] <= 4


@pytest.mark.parametrize("words", [1, 3])
def test_headers_with_csrc_extension_and_padding_change_nothing(words: int) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu")
    listener = conference.add("pcmu")
    sent = np.random.default_rng(1).integers(0, 256, (40, 160), dtype=np.uint8)
    for number, row in enumerate(sent):
        header = bytearray(talker.header())
        kind = number % 4
        payload = row.tobytes()
        if kind == 1:  # CSRC list
            header[0] |= words
            payload = b"\x01\x02\x03\x04" * words + payload
        elif kind == 2:  # extension
            header[0] |= 0x10
            payload = bytes((0xBE, 0xDE, 0, words)) + b"\x10\xaa\x00\x00" * words + payload
        elif kind == 3:  # padding
            header[0] |= 0x20
            payload += b"\0" * (4 * words - 1) + bytes((4 * words,))
        talker.scheduled.append((conference.now_ns + number * 20_000_000, bytes(header) + payload))
    conference.run(45)
    heard = b"".join(packet[12:] for packet in listener.got)
    assert sent.tobytes() in heard
    assert +conference.mixer.intake.dropped == {}
