"""The sending half of Opus legs: encode once for all who hear the same, in the same profile.

Three streams are shared: the mix, the mix for those whose far ends lose packets, and silence, for all who do not hear.
A leg that says something hears a mix of its own and gets an encoder of its own, which takes over the state of the
stream it leaves, so that its far end hears one unbroken stream. It goes back to a shared stream when both encoders have
been given the same PCM for HANGOVER_TICKS: then their states are as good as the same. How a leg's profile changes is
decided in `opus_turning`.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.columns import grown
from mixer.formats.opus_effort import Effort
from mixer.formats.opus_profiles import PROTECTED, Profile
from mixer.formats.opus_turning import Turning

MIX: Final = 0
SILENCE: Final = 1
MIX_PROTECTED: Final = 2
OWN: Final = -1
SHARED: Final = (MIX, SILENCE, MIX_PROTECTED)
HANGOVER_TICKS: Final = 10
"""The least that is not heard is 2; own frames in a row with the shared PCM."""


class OpusEncoding:
    """Encoders and payloads. `payload` (capacity, 1276) uint8, `length` (capacity,) int32: own streams, by row."""

    def __init__(self, capacity: int, plain: Profile, effort: Effort, protected: Profile = PROTECTED) -> None:
        self._effort = effort
        self._profiles = (replace(plain, complexity=effort.complexity), protected)
        self._shared = [self._profiles[which == MIX_PROTECTED].encoder() for which in SHARED]
        self._shared_payload = np.zeros((len(SHARED), opus.MAX_PAYLOAD_BYTES), np.uint8)
        self._shared_length = np.zeros(len(SHARED), np.int32)
        self._quiet = np.zeros((1, 960), np.int16)
        self._own: list[opus.Encoder | None] = [None] * capacity
        self.turning = Turning(capacity, self._profiles)
        self.stream = np.full(capacity, SILENCE, np.int8)
        """Which stream each leg is sent: one of SHARED, or OWN."""
        self.same_ticks = np.zeros(capacity, np.int32)
        """For how long each leg on a stream of its own has wanted `wanted`."""
        self.wanted = np.full(capacity, OWN, np.int8)
        self.payload = np.zeros((capacity, opus.MAX_PAYLOAD_BYTES), np.uint8)
        self.length = np.zeros(capacity, np.int32)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in ("stream", "same_ticks", "wanted", "payload", "length"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self._own += [None] * (capacity - len(self._own))
        self.turning.grow(capacity)

    def open(self, row: int, hears: bool) -> None:
        """A new leg starts on a shared stream."""
        self.stream[row] = MIX if hears else SILENCE
        self._own[row] = None
        self.turning.reset(row)

    def close(self, row: int) -> None:
        """Free the leg's encoder."""
        self._own[row] = None
        self.stream[row] = SILENCE
        self.turning.reset(row)

    def protect(self, row: int, lossy: bool) -> None:
        """Send a leg packets with FEC, or no more, from the next moment in which the change is not heard."""
        self.turning.wish(row, lossy)

    def encode(
        self,
        wants: NDArray[np.int8],
        live: NDArray[np.bool_],
        shared_pcm: NDArray[np.int16],
        own: NDArray[np.int64],
        own_pcm: NDArray[np.int16],
    ) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Encode one tick; returns address and length of each leg's payload, (n,) each.

        `wants` (n,) MIX, SILENCE or OWN by leg; `shared_pcm` (1, 960) what MIX hears; `own` (k,) the legs that want
        OWN and `own_pcm` (k, 960) what they hear.
        """
        n = len(wants)
        stream = self.stream[:n]
        heard: dict[int, NDArray[np.int16]] = dict(zip(own.tolist(), own_pcm, strict=True))
        if self.turning.any:
            self._turn(wants, shared_pcm[0], heard)
        goal = np.where((wants == MIX) & self.turning.protected[:n], np.int8(MIX_PROTECTED), wants)
        leaving = np.flatnonzero((stream != OWN) & (goal == OWN) & live)
        for row in leaving.tolist():
            self._fork(row)
        stream[leaving] = OWN
        # From silence into the mix or back there is no sound to continue: all who waited may change at once.
        stream[stream != OWN] = goal[stream != OWN]
        for which in SHARED:
            if which in self.turning.warming or (live & ((stream == which) | (goal == which))).any():
                pcm = self._quiet[0] if which == SILENCE else shared_pcm[0]
                payload = self._shared_payload[which]
                self._shared_length[which] = self._shared[which].encode(pcm, int(payload.ctypes.data))
        alone = np.flatnonzero((stream == OWN) & live)
        for row in alone.tolist():
            self._encode_own(row, self._hears(row, wants, shared_pcm[0], heard))
        if self._effort.note(len(alone)):
            self._change_effort()
        return self._addresses(goal, live)

    def _change_effort(self) -> None:
        """All plain encoders change in the same moment, so that those in the same state stay so."""
        plain, protected = self._profiles
        self._profiles = (replace(plain, complexity=self._effort.complexity), protected)
        self.turning.use(self._profiles)
        for encoder in [*self._shared, *self._own, *self.turning.encoders()]:
            if encoder is not None and encoder.application == plain.application:
                encoder.set_complexity(self._effort.complexity)

    def _hears(
        self, row: int, wants: NDArray[np.int8], shared: NDArray[np.int16], heard: dict[int, NDArray[np.int16]]
    ) -> NDArray[np.int16]:
        """(960,): what goes into a leg's own encoder."""
        mine = heard.get(row)
        if mine is not None:
            return mine
        return shared if wants[row] == MIX else self._quiet[0]

    def _turn(self, wants: NDArray[np.int8], shared: NDArray[np.int16], heard: dict[int, NDArray[np.int16]]) -> None:
        """Bring legs whose profile is to change nearer to it; `protected` may be another from this tick on."""
        rows = self.turning.rows(len(wants))
        alone = (self.stream[rows] == OWN) | (wants[rows] == OWN)
        self.turning.turn_shared(rows[~alone], wants[rows[~alone]] == SILENCE, shared, (MIX, MIX_PROTECTED))
        for row in rows[alone].tolist():
            encoder = self.turning.turn_own(row, self._hears(row, wants, shared, heard))
            if encoder is not None:
                self._own[row], self.stream[row], self.same_ticks[row] = encoder, OWN, 0

    def _encode_own(self, row: int, pcm: NDArray[np.int16]) -> None:
        encoder = self._own[row]
        assert encoder is not None
        self.length[row] = encoder.encode(pcm, int(self.payload.ctypes.data) + row * self.payload.shape[1])

    def _fork(self, row: int) -> None:
        """Give a leg an encoder of its own that goes on with the stream it is sent."""
        which, protected = int(self.stream[row]), bool(self.turning.protected[row])
        profile, encoder = self._profiles[protected], self._own[row]
        if encoder is None or encoder.application != profile.application:
            encoder = self._own[row] = profile.encoder()
        if self._shared[which].application == profile.application:
            encoder.copy_state_from(self._shared[which])
        else:  # from silence, where nothing is to be gone on with
            encoder.reset()
        self.same_ticks[row] = 0

    def _addresses(
        self, goal: NDArray[np.int8], live: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Payloads of this tick, then the moves of legs that have earned them, which count from the next."""
        n = len(goal)
        stream = self.stream[:n]
        mine = stream == OWN
        width = self.payload.shape[1]
        payloads = np.where(mine, np.int64(self.payload.ctypes.data), np.int64(self._shared_payload.ctypes.data))
        payloads += np.where(mine, np.arange(n), stream) * width
        length = np.where(mine, self.length[:n], self._shared_length[stream])
        returning = mine & (goal != OWN) & live
        self.same_ticks[:n] = np.where(returning & (goal == self.wanted[:n]), self.same_ticks[:n] + 1, returning)
        self.wanted[:n] = goal
        back = returning & (self.same_ticks[:n] >= HANGOVER_TICKS)
        stream[back] = goal[back]
        return payloads.astype(np.uint64), length
