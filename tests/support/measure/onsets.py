"""The first 100 ms of speech after silence, after the sender had stopped sending, and after an unmute.

They are compared with what a decoder makes that gets all the talker's packets and is never asked to save work.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import g711, opus
from mixer.protocol import Codec, MixerConfig
from server.caller.codecs import as_int16
from tests.support.conference import RATES, Caller, VirtualConference
from tests.support.opus_sender import OpusSender
from tests.support.quality import delay_samples
from tests.support.voices import speech

How = Literal["silence", "dtx", "unmute"]
Sound = NDArray[np.float32]

FIRST_MS: Final = 100
BEFORE_S: Final = 2
_WORD_S: Final = 1
_TICKS: Final = 165
_PHASE_MS: Final = 5.0
_LEVEL_ID: Final = 1
_NOTHING_BYTES: Final = 2
"""A packet of DTX need not be sent (RFC 7587 section 3.1.3)."""
_LONGEST_DELAY_S: Final = 0.1
_SOFT: Final = 0.01
"""How loud the others are, of a voice: next to nothing, but no silence."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Shares of the first 100 ms, 1 being all of it."""

    energy: float
    samples: float
    """As they should be, within a hundredth of the loudest."""


def onset(
    codec: Codec, how: How, config: MixerConfig | None = None, others: int = 11, *, loud: bool = False,
    levels: bool = False,
) -> Kept:  # fmt: skip
    """A word of `ben` in a conference with `others` in the same codec, heard at the codec's rate.

    `loud`: the others mumble all the time; `levels`: the talker sends audio levels (RFC 6464).
    """
    conference, rate = VirtualConference(config), RATES[codec]
    said, payloads = _said(codec, how, rate)
    talker = conference.add(codec, phase_ms=_PHASE_MS, level_extension_id=_LEVEL_ID if levels else None)
    for number in range(others):
        mumbled = np.roll(speech("anna", _TICKS / 50, rate), number * rate // 5) * _SOFT
        sender = OpusSender(bitrate=24_000) if codec == "opus" else None
        conference.add(codec, as_int16(mumbled) if loud else None, opus_sender=sender)
    listener = conference.add("l16", rate=rate)
    _schedule(conference, talker, payloads, said.reshape(len(payloads), -1), how, levels)
    if how == "unmute":
        conference.update(talker, heard=False)
    conference.run(BEFORE_S * 50 + 1)
    if how == "unmute":
        conference.update(talker, heard=True)
    conference.run(_TICKS - BEFORE_S * 50 - 1)
    return _kept(_decoded(codec, payloads, how, rate), listener.heard(), rate, how)


def _said(codec: Codec, how: How, rate: int) -> tuple[NDArray[np.int16], list[bytes]]:
    """What is said at `rate`, and the packets of it."""
    sound = speech("ben", _WORD_S, rate)
    quiet = np.random.default_rng(1).normal(0, 12, BEFORE_S * rate)
    before = speech("carla", BEFORE_S, rate) if how == "unmute" else quiet
    said = as_int16(np.concatenate([before, sound]).astype(np.float32))
    if codec == "opus":
        return said, OpusSender(bitrate=24_000, dtx=how == "dtx").packets(said)
    out = np.zeros((len(said) * 50 // rate, rate // 50), np.uint8)
    g711.encode(g711.MULAW_ENCODE, said.reshape(out.shape), out)
    return said, [row.tobytes() for row in out]


def _unsent(payload: bytes, number: int, how: How) -> bool:
    """A sender of PCMU that stops in silence says nothing at all; one of Opus, when its encoder has nothing to say."""
    return how == "dtx" and (len(payload) <= _NOTHING_BYTES or (len(payload) == 160 and number < BEFORE_S * 50))


def _schedule(
    conference: VirtualConference, talker: Caller, payloads: list[bytes], frames: NDArray[np.int16], how: How,
    levels: bool,
) -> None:  # fmt: skip
    for number, payload in enumerate(payloads):
        # The first packet goes out, so that the server knows the stream.
        talker.sending = number == 0 or not _unsent(payload, number, how)
        header = talker.header()
        if not talker.sending:
            continue
        if levels:
            header = bytes([header[0] | 0x10]) + header[1:] + _level(frames[number])
        at_ns = conference.now_ns + int((number * 20 + _PHASE_MS) * 1e6)
        talker.scheduled.append((at_ns, header + payload))


def _level(frame: NDArray[np.int16]) -> bytes:
    """A header extension of one byte of audio level (RFC 6464 section 3, RFC 8285 section 4.2)."""
    rms = float(np.sqrt(np.mean(np.square(frame, dtype=np.float64))))
    level = int(np.clip(np.rint(-20 * np.log10(max(rms, 1.0) / 32768)), 0, 127))
    voice = 0x80 if level < 50 else 0
    return struct.pack("!HHBBH", 0xBEDE, 1, _LEVEL_ID << 4, voice | level, 0)


def _decoded(codec: Codec, payloads: list[bytes], how: How, rate: int) -> Sound:
    """All of it by a decoder of its own, (samples,); what was not sent is made up as the codec does."""
    decoder, out = opus.Decoder(48_000), np.zeros((len(payloads), rate // 50), np.float32)
    for number, payload in enumerate(payloads):
        raw = np.frombuffer(payload, np.uint8)
        if codec != "opus":
            out[number] = 0 if _unsent(payload, number, how) else g711.MULAW_DECODE[raw]
        elif _unsent(payload, number, how):
            decoder.conceal(out[number], rate // 50)
        else:
            decoder.decode(int(raw.ctypes.data), len(raw), out[number])
    return out.reshape(-1)


def _kept(wanted: Sound, heard: Sound, rate: int, how: How) -> Kept:
    start, first = BEFORE_S * rate, rate * FIRST_MS // 1000
    later = slice(start + first, start + rate * 9 // 10)
    delay = delay_samples(wanted[later], heard[later.start :], round(_LONGEST_DELAY_S * rate))
    if how == "unmute":  # what counts is when the others were to hear it
        start = (BEFORE_S * 50 + 1) * (rate // 50) - delay
    true, got = (one.astype(np.float64) for one in (wanted[start : start + first], heard[start + delay :][:first]))
    alike = np.abs(got - true) <= np.abs(true).max() / 100
    return Kept(float(np.sum(got**2) / np.sum(true**2)), float(np.mean(alike)))


def heard_as(codec: Codec, **options: Any) -> dict[How, Kept]:
    """The three ways into speech."""
    ways: tuple[How, ...] = ("silence", "dtx", "unmute")
    return {how: onset(codec, how, **options) for how in ways}
