"""The legs of one wire format as a table: packets in, PCM frames out, mixed frames in, payloads out.

A mixer has one table for each format its legs use. Rows are stable while a leg lives and are used again after it
left, lowest first; kernels work on the first `n` rows, of which `live` tells the real ones. Dead rows say nothing
and their packets are not sent.

`frames` (rows, samples) float32 in int16 units is what each leg said in this tick as it came in; `said` is the same
after noise suppression and gain, what the others hear. Of a leg that says nothing (`contributes` False) both rows are
zero.
"""

import heapq
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.clips import NOTHING, Clips, Programs
from mixer.columns import grown
from mixer.dsp.autogain import AutoGain
from mixer.dsp.limiter import Gains, attack_samples, limit, unity
from mixer.dsp.ramp import apply_gain
from mixer.dsp.speech import SpeechDetector
from mixer.formats.asides import Asides
from mixer.formats.denoising import Denoising
from mixer.formats.picked import Picked
from mixer.protocol import Playout as PlayoutBounds
from mixer.receive.playout import NEVER, Playout
from mixer.transports.base import Outgoing

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
_NO_ROWS: Final[Rows] = np.zeros(0, np.int64)
_FIRST: Final[Rows] = np.zeros(1, np.int64)
_NOBODY: Final[Flags] = np.zeros(1, np.bool_)
TICKS_PER_SECOND: Final = 50
HISTORY_FRAMES: Final = 4
"""The frame of this tick and the three before it, from which a lost one is made up."""
CONCEAL_TICKS: Final = 3
"""After 60 ms without packets a leg falls silent."""

FEW: Final = 4
"""Where fewer than one in so many rows say something, picking them out is cheaper than summing zeros."""
HUSHED_TICKS: Final = 10
"""Past the point where any format still conceals."""


class FormatTable(ABC):
    """What all formats have in common: rows, gains, who hears, playing positions, the mix for each leg."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "live",
        "leg_rows",
        "hears",
        "audible",
        "gain",
        "gain_before",
        "untouched",
        "contributes",
        "duplicates",
        "concealed",
        "limiter_gains",
    )
    """What there is for each row; they grow together."""

    def __init__(self, capacity: int, clips: Clips, sample_rate: int, rtp_step: int, playout: Playout) -> None:
        self.sample_rate = sample_rate
        self.samples = sample_rate // TICKS_PER_SECOND
        self.rtp_step = rtp_step
        """RTP timestamp units in a tick."""
        self.playout = playout
        self.capacity = capacity
        self.n = 0
        self.live = np.zeros(capacity, bool)
        self.leg_rows = np.zeros(capacity, np.int64)
        """Rows of the mixer's own table."""
        self.hears = np.zeros(capacity, bool)
        self.audible = np.zeros(capacity, bool)
        """Somebody hears the leg, in the mix or beside it."""
        self.gain = np.zeros(capacity, np.float32)
        self.gain_before = np.zeros(capacity, np.float32)
        self.untouched = np.zeros(capacity, bool)
        """What the leg said in this tick is what came in, at unity gain."""
        self.contributes = np.zeros(capacity, bool)
        self.duplicates = np.zeros(capacity, np.int64)
        self.concealed = np.zeros(capacity, np.int64)
        self.malformed = 0
        """Payloads that are not this format."""
        self.limiter_gains = unity(capacity)
        self.shared_limiter_gains = unity(1)
        self.shared_pcm = np.zeros((1, self.samples), np.int16)
        self.clips = clips
        self.programs = Programs(capacity, clips, sample_rate, self.samples)
        self.speech = SpeechDetector(capacity)
        self.auto_gain: AutoGain | None = None
        self.denoising: Denoising | None = None
        self.asides = Asides()
        self.ended: list[tuple[int, int]] = []
        """Legs whose program ended, and the clip it was."""
        self._free: list[int] = []
        self._turn = 0
        self._make_frames(capacity)

    def _make_frames(self, capacity: int) -> None:
        self.history = np.zeros((HISTORY_FRAMES, capacity, self.samples), np.float32)
        self.frames = self.history[self._turn]
        self.said = self.frames
        self._own = np.zeros(capacity, np.int64)
        self._gained = np.zeros((capacity, self.samples), np.float32)
        self._mix = np.zeros((capacity, self.samples), np.float32)
        self.pcm = np.zeros((capacity, self.samples), np.int16)

    def enhance(self, auto_gain: bool, noise_suppression: str) -> None:
        """Enhance voices on their way into the mix; `frames` stay as they are. To be called before there are legs.

        `noise_suppression`: `off` or a level of `denoise.LEVELS`. Raises ImportError if its package is missing.
        """
        self.auto_gain = AutoGain(self.capacity) if auto_gain else None
        self.denoising = None if noise_suppression == "off" else Denoising(self.sample_rate, noise_suppression)

    # ---- membership

    def add(self, leg_row: int, gain: float, hears: bool, bounds: PlayoutBounds) -> int:
        """Give a leg the lowest free row."""
        if not self._free and self.n == self.capacity:
            self.grow(self.capacity * 2)
        row = heapq.heappop(self._free) if self._free else self.n
        self.n = max(self.n, row + 1)
        self.live[row], self.leg_rows[row], self.hears[row] = True, leg_row, hears
        self.gain[row] = self.gain_before[row] = gain
        self.audible[row] = True
        self.duplicates[row] = self.concealed[row] = 0
        self.limiter_gains[row] = 1.0
        self.playout.open(row, bounds.margin_ms, bounds.max_ms)
        self.programs.stop(row)
        self.speech.reset(row)
        if self.auto_gain is not None:
            self.auto_gain.reset(row)
        return row

    def remove(self, row: int) -> None:
        """Take a leg's row back."""
        self.live[row] = self.hears[row] = self.contributes[row] = False
        self.gain[row] = self.gain_before[row] = 1.0  # so that an empty row is no reason to multiply
        self.history[:, row] = 0
        self.said[row] = 0
        if self.denoising is not None:
            self.denoising.forget(row)
        self.playout.restart(row)
        heapq.heappush(self._free, row)
        while self.n and not self.live[self.n - 1]:
            self.n -= 1
            self._free.remove(self.n)
        heapq.heapify(self._free)

    def restart(self, row: int) -> None:
        """The leg's stream began anew (another SSRC): forget what waits and what was heard."""
        self.playout.restart(row)
        self.history[:, row] = 0

    def protect(self, row: int, lossy: bool) -> None:
        """Packets to this leg get lost, or do so no more. Formats that can do something about it do."""
        return

    def forget_clip(self, number: int) -> None:
        """A clip is returned: it is played to nobody any more."""
        self.programs.forget(number)

    def measure(self) -> Rows:
        """Judge who speaks by this tick's frames; returns the rows of those who began or ceased to."""
        return self.speech.measure(self.n, self.frames, self.contributes, self.gain)

    def _store(self, packets: Picked, slot: Rows, width: int) -> Flags:
        """Put packets into the ring, each into its slot; (len(packets),) bool: it was not there before.

        `width`: the longest payload, at most a slot's bytes.
        """
        ring = self.playout.ring
        loops = kernels.loops
        if loops is None:
            return ring.put(packets.rows, slot, packets.payload(width), packets.length)
        stored = np.empty(len(slot), np.bool_)
        places = ring.key, ring.filled, ring.data
        data = packets.batch.data, packets.index, packets.offset, packets.length
        loops.store(packets.rows, slot, *data, *places, stored)
        return stored

    def hush(self, row: int) -> None:
        """The leg sends digits instead of audio: the hole is not to be concealed."""
        missed = self.playout.missed
        missed[row] = max(int(missed[row]), HUSHED_TICKS)

    def grow(self, capacity: int) -> None:
        """Make room for more legs; everything stays as it is."""
        self.capacity = capacity
        for name in self.COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))
        history = self.history
        self._make_frames(capacity)
        self.history[:, : history.shape[1]] = history
        self.playout.grow(capacity)
        self.programs.grow(capacity)
        self.speech.grow(capacity)
        if self.auto_gain is not None:
            self.auto_gain.grow(capacity)

    # ---- the tick

    @abstractmethod
    def insert(self, packets: Picked) -> None:
        """Put packets where they wait."""

    @abstractmethod
    def pop(self) -> None:
        """Fill `frames` and `contributes` for this tick and move on."""

    @abstractmethod
    def encode(self, total: NDArray[np.float32], out: Outgoing) -> None:
        """Give every leg the payload of what it hears, `total` (samples,) being everybody's sum at this rate."""

    @property
    def next_turn(self) -> int:
        """Where in the history the frames of the tick will be that begins next."""
        return (self._turn + 1) % HISTORY_FRAMES

    def begin_tick(self) -> None:
        """Turn the history; `frames` is a fresh row of it, holding old sound until `pop` writes."""
        self._turn = self.next_turn
        self.frames = self.history[self._turn]

    def add_to(self, total: NDArray[np.float32]) -> int:
        """Enhance, apply gains and add what all legs said to `total` (samples,). Returns how many said something."""
        n = self.n
        gain, before = self.gain[:n], self.gain_before[:n]
        if self.auto_gain is not None:
            self.auto_gain.update(self.speech.level_dbov[:n], self.speech.speaking[:n])
            gain = gain * self.auto_gain.gain[:n]
        contributing, unity = self._judge_gains(gain, before)
        self.said = self.frames
        if contributing:
            if self.denoising is not None:
                self.untouched[:n] = unity = False
            if not unity:
                np.copyto(self._gained[:n], self.frames[:n])
                if self.denoising is not None:
                    self.denoising.apply(self.contributes[:n], self._gained[:n])
                apply_gain(self._gained[:n], before, gain)
                self.said = self._gained
            loops = kernels.loops
            if loops is not None:
                loops.add_up(n, self.said, self.contributes, total)
            elif contributing * FEW < n:
                total += np.add.reduce(self.said[np.flatnonzero(self.contributes[:n])], axis=0)
            else:
                total += np.add.reduce(self.said[:n], axis=0)
        before[:] = gain
        return contributing

    def _judge_gains(self, gain: NDArray[np.float32], before: NDArray[np.float32]) -> tuple[int, bool]:
        """Set `contributes` and `untouched` by the gains (n,) of this tick and the last.

        Returns how many say something that is heard, and whether all gains are 1.
        """
        n, contributes, untouched = self.n, self.contributes[: self.n], self.untouched[: self.n]
        loops = kernels.loops
        if loops is not None:
            found = loops.judge_gains(n, gain, before, contributes, untouched)
            return (found, True) if found >= 0 else (-1 - found, False)
        contributes &= (gain != 0) | (before != 0)
        np.logical_and(gain == 1, before == 1, out=untouched)
        return int(np.count_nonzero(contributes)), bool(untouched.all())

    def sole_payload(self, row: int) -> NDArray[np.uint8] | None:
        """The payload `row` was sent for this tick, if the others of this table can be sent it as it is."""
        return None

    def share(self, payload: NDArray[np.uint8]) -> None:
        """In this tick, those who hear the shared mix are sent this payload."""
        raise NotImplementedError  # only called by tables whose sole_payload returned one

    def _limit_shared(self, total: NDArray[np.float32]) -> None:
        """The mix of all who say nothing themselves, into `shared_pcm`."""
        mix = self._mix[:1]
        loops = kernels.loops
        if loops is not None:
            attack = attack_samples(self.sample_rate)
            loops.mix_minus(total, mix, _FIRST, _NOBODY, self.shared_limiter_gains, attack, mix, self.shared_pcm)
            return
        mix[0] = total
        limit(mix, self.shared_limiter_gains, self.sample_rate)
        np.rint(mix, out=mix)
        np.copyto(self.shared_pcm, mix, casting="unsafe")

    def _limit_own(self, total: NDArray[np.float32], own: Rows) -> NDArray[np.int16]:
        """Mix-minus of the legs `own`: (len(own), samples) int16, a view that the next tick writes over."""
        k, n = len(own), self.n
        mix, pcm = self._mix[:k], self.pcm[:k]
        everyone = k == n
        gains = self.limiter_gains[:k] if everyone else self.limiter_gains[own]
        if not everyone:  # whoever changes from the shared mix to one of his own goes on at the gain he heard last
            self.limiter_gains[:n] = self.shared_limiter_gains
        if not k:
            return pcm
        loops = kernels.loops
        if loops is not None and self.asides.duck is None and not self.asides.extra:
            attack = attack_samples(self.sample_rate)
            loops.mix_minus(total, self.said, own, self.contributes, gains, attack, self._mix, self.pcm)
            self._keep_gains(own, gains)
            return pcm
        said = self.said[:k] if everyone else self.said[own]
        np.subtract(total, said if self.asides.duck is None else said * self.asides.duck, out=mix)
        silent = np.flatnonzero(~self.contributes[own])
        if len(silent):  # of one that was not added to the total nothing is to be taken away
            mix[silent] = total
        self.asides.apply(mix, own)
        limit(mix, gains, self.sample_rate)
        self._keep_gains(own, gains)
        np.rint(mix, out=mix)
        np.copyto(pcm, mix, casting="unsafe")
        return pcm

    def _keep_gains(self, own: Rows, gains: Gains) -> None:
        if len(own) == self.n:
            self.shared_limiter_gains[0] = gains.min(axis=0)
        else:
            self.limiter_gains[own] = gains

    def _own_flags(self) -> Flags:
        """(n,) bool: `_own_rows`."""
        own = self.contributes[: self.n].copy()
        own[list(self.asides.extra)] = True
        return own & self.hears[: self.n]

    def _own_rows(self) -> Rows:
        """(k,): legs that hear a mix of their own, because they say something or are told something aside."""
        loops = kernels.loops
        if loops is not None and not self.asides.extra:
            return self._own[: loops.own_rows(self.n, self.contributes, self.hears, self._own)]
        return np.flatnonzero(self._own_flags())

    def played(self) -> tuple[Rows, Rows, Rows]:
        """What legs that do not hear the mix are sent instead: rows, clip numbers and ticks of those clips.

        An announcement is played instead of the leg's own program, which waits meanwhile.
        """
        n, programs, asides = self.n, self.programs, self.asides
        deaf = self.live[:n] & ~self.hears[:n]
        if not deaf.any():
            return _NO_ROWS, _NO_ROWS, _NO_ROWS
        clip, index = programs.clip[:n].copy(), programs.index[:n].copy()
        announced = np.zeros(n, bool)
        if asides.instead is not None:
            clip[:], index[:] = asides.instead
            announced[:] = True
        for row, (number, tick) in asides.private.items():
            clip[row], index[row], announced[row] = number, tick, True
        rows = np.flatnonzero(deaf & (clip != NOTHING))
        self.ended += programs.advance(rows[~announced[rows]])
        return rows, clip[rows], index[rows]

    def _past(self, rows: Rows) -> NDArray[np.float32]:
        """(rows, 3 * samples): the last 60 ms these legs were heard with, latest last."""
        order = [(self._turn + 1 + k) % HISTORY_FRAMES for k in range(HISTORY_FRAMES - 1)]
        return np.concatenate([self.history[turn, rows] for turn in order], axis=1)

    def _missing(self, have: Flags) -> Rows:
        """Count the tick for rows without `have`; returns those to be concealed, which played in the last 60 ms."""
        playout, n = self.playout, self.n
        missed = playout.missed[:n]
        gone = playout.started[:n] & ~have & (missed < NEVER)
        missed[gone] += 1
        rows = np.flatnonzero(gone & (missed <= CONCEAL_TICKS))
        self.concealed[rows] += 1
        return rows
