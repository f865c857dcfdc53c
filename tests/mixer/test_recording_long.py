"""A long conference on virtual time, recorded to files: clocks that drift and packets that get lost move nothing.

Three minutes by default, in which two clocks part by 43 ms; `PARLEY_TEST_MINUTES=60` makes it an hour. Each in turn
says a second's pitch and noise, so that the pitch tells when it was said, and the noise where in the room it is, to the
sample.
"""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import Codec
from recording.catalog import Finish, Manifest, RecorderConfig, dump, folder_name
from recording.catalog.feeds import create_feed
from recording.feed import FeedReader
from recording.process import Process
from recording.recorder import Recorder
from tests.recording.making import decoded
from tests.support.conference import RATES, Caller, VirtualConference
from tests.support.counting import counting, seconds_in
from tests.support.network import Conditions

MINUTES = int(os.environ.get("PARLEY_TEST_MINUTES", "3"))
ID = "5b8f2f4e-6a43-4b6c-9a3e-0a7b2c1d9e0f"
LOOP_S = 24
TICK_NS = 20_000_000
STARTED_S = 1_700_000_000.0
NETWORK = Conditions(loss=0.2, jitter_ms=15)
TRIED_TURNS = 400
"""Of each voice, evenly among all: a correlation of each would take longer than the conference."""


class Voice(NamedTuple):
    """Someone who talks when it is his turn, by a clock of his own."""

    caller: Caller
    ppm: float
    payloads: list[bytes]
    said_ns: int = 0


def speech(turn: int, turns: int, rate: int) -> NDArray[np.int16]:
    """`LOOP_S` seconds, of which those of this turn are not silent."""
    dice = np.random.default_rng(turn)
    sound = counting(LOOP_S, rate).astype(np.float64) + 900 * dice.standard_normal(LOOP_S * rate)
    at = np.arange(LOOP_S * rate)
    mine = (at // rate % turns == turn) & (at % rate < 0.8 * rate)
    return np.asarray(np.rint(np.where(mine, sound, 0)), np.int16)


class Hour:
    """The conference, the recorder, and the time that both of them take for the time."""

    def __init__(self, folder: Path, codecs: Sequence[Codec], drifts_ppm: Sequence[float]) -> None:
        self.folder = folder
        self.conference = VirtualConference()
        self.began_ns = self.conference.now_ns
        self.voices = [
            self._voice(turn, codec, ppm, len(codecs))
            for turn, (codec, ppm) in enumerate(zip(codecs, drifts_ppm, strict=False))
        ]
        self.feed = create_feed()
        self.conference.mixer.record(ID, self.feed, True, self.conference.now_ns)
        config = RecorderConfig(ID, str(folder), "conf", "p", "an hour", STARTED_S, trim=False, tracks=True)
        self.server, self.control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.reader = FeedReader(self.feed)
        recorder = Recorder(folder, config, lambda: STARTED_S + self.now_s())
        self.process = Process(self.control, self.reader, recorder, config, self.now_s, wait_ms=0)

    def _voice(self, turn: int, codec: Codec, ppm: float, turns: int) -> Voice:
        rate = 16_000 if codec == "l16" else RATES[codec]
        # Nobody's ears are needed.
        caller = self.conference.add(codec, conditions=NETWORK, rate=rate, hears=False, sends=False)
        frames = speech(turn, turns, rate).reshape(-1, rate // 50)
        return Voice(caller, ppm, [caller.coder.encode(np.ascontiguousarray(frame)) for frame in frames])

    def now_s(self) -> float:
        return (self.conference.now_ns - self.began_ns) / 1e9

    def run(self, seconds: int) -> None:
        sent = [0] * len(self.voices)
        for _ in range(seconds * 5):
            until_ns = self.conference.now_ns + 12 * TICK_NS
            for index, voice in enumerate(self.voices):
                period_ns = TICK_NS * (1 - voice.ppm / 1e6)
                while (at_ns := self.began_ns + int(sent[index] * period_ns)) < until_ns:
                    payload = voice.payloads[sent[index] % len(voice.payloads)]
                    voice.caller.scheduled.append((at_ns, voice.caller.header() + payload))
                    sent[index] += 1
            self.conference.run(10)
            self.process._once(True)
            for voice in self.voices:
                voice.caller.got.clear()

    def finish(self) -> Manifest:
        self.conference.mixer.stop_recording()
        self.server.send(dump(Finish("stopped")))
        self.process.run()
        self.reader.close()
        self.server.close()
        self.control.close()
        os.close(self.feed)
        return Manifest.load(self.folder / folder_name(ID))


def lag_ms(one: NDArray[np.int16], other: NDArray[np.int16], rate: int) -> float:
    """By how much the second is later than the first, where they are most alike; within 50 ms."""
    size = 2 * len(one)
    spectrum = np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size))
    alike = np.fft.irfft(spectrum, size)
    most = rate // 20
    return float(np.argmax(np.roll(alike, most)[: 2 * most + 1]) - most) * 1000 / rate


@pytest.mark.parametrize(
    ("codecs", "seconds"),
    [(("pcmu", "l16"), 60 * MINUTES), (("pcmu", "g722", "opus"), 48)],
    ids=["long", "with Opus"],
)
@pytest.mark.timeout(300 + 60 * MINUTES)
def test_tracks_stay_with_the_room_and_the_room_with_time(
    tmp_path: Path, codecs: tuple[Codec, ...], seconds: int
) -> None:
    drifts_ppm = (120.0, -120.0, 60.0)
    hour = Hour(tmp_path, codecs, drifts_ppm)
    hour.run(seconds)
    manifest = hour.finish()
    assert (manifest.status, manifest.gaps, manifest.recovered) == ("completed", (), False)
    assert abs(manifest.duration_s - seconds) <= 0.05
    assert [track.call_id for track in manifest.files.tracks] == [voice.caller.call_id for voice in hour.voices]
    rate = manifest.sample_rate
    _, (room,) = decoded(tmp_path / folder_name(ID) / "audio.wav")
    for turn, track in enumerate(manifest.files.tracks):
        _, (sound,) = decoded(tmp_path / folder_name(ID) / track.name)
        lags, delays = [], []
        turns = range(turn, seconds - len(codecs), len(codecs))
        for second in turns[:: max(1, len(turns) // TRIED_TURNS)]:
            # His own second of time, and half of the next in which nobody talks or another's voice is not alike.
            said_s = second * (1 - drifts_ppm[turn] / 1e6)
            at, end = int(said_s * rate), int((said_s + 1.25) * rate)
            offset = round(track.joined_offset_s * rate)
            own = sound[max(0, at - offset) : end - offset]
            lags.append(lag_ms(own, room[max(at, offset) : max(at, offset) + len(own)], rate))
            began = np.flatnonzero(seconds_in(own, rate) == second % LOOP_S)
            assert len(began) >= 20, f"half of what {track.call_id} said in second {second} is missing"
            delays.append(int(began[0]) * 20)
        # Shown by `pytest -s`.
        print(
            f"{track.call_id}, {drifts_ppm[turn]} ppm, {len(lags)} turns: lag {min(lags)} to {max(lags)} ms, ", end=""
        )
        print(f"{min(delays)} to {max(delays)} ms behind; {seconds} s are {manifest.duration_s} s")
        assert max(map(abs, lags)) <= 1.0
        # What the jitter buffer holds back, and no more of it after an hour than at first.
        assert max(delays) <= 250
