"""Opus legs: always 48 kHz inside, packets of 10 to 120 ms taken, 20 ms sent (RFC 7587)."""

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.codecs.opus_packet import carries_fec, durations_samples, says_silent
from mixer.dsp.levels import SILENCE_DBOV, dbov
from mixer.dsp.timescale import MORE_MS, is_soft, lengthen, shorten
from mixer.formats.base import HISTORY_FRAMES, Flags, FormatTable, Rows
from mixer.formats.loudest import Loudest
from mixer.formats.opus_clips import ClipPackets
from mixer.formats.opus_decoding import CONCEAL_TICKS, SLOT_SAMPLES, TICK_SAMPLES, OpusDecoding
from mixer.formats.opus_effort import Effort
from mixer.formats.opus_encoding import MIX, OWN, SILENCE, OpusEncoding
from mixer.formats.opus_profiles import plain
from mixer.formats.picked import Picked
from mixer.protocol import MixerConfig
from mixer.protocol import Playout as PlayoutBounds
from mixer.receive.action import Action
from mixer.receive.playout import Playout
from mixer.receive.ring import SlotRing
from mixer.transports.base import Outgoing

SLOTS: Final = 64
HORIZON: Final = 50
"""Slots of 10 ms that may wait; the others hold what was just played, for decoders that must catch up."""
SLOT_BYTES: Final = 1280
"""Room for one frame of the highest rate; 60 ms fit at up to 170 kbit/s."""
HANG_TICKS: Final = 15
"""A leg that says it is silent is decoded for 300 ms more, so that word ends are heard."""
QUIET_LEVEL: Final = 60
"""RFC 6464 levels are minus dBov: from here on a packet that claims no voice is not decoded in a large conference."""
_NO_ROWS: Final[Rows] = np.zeros(0, np.int64)
NOISE_FLOOR: Final = 1.5
"""Digital silence comes out of the decoder as less than this."""


class OpusTable(FormatTable):
    """Legs that speak Opus."""

    COLUMNS: ClassVar[tuple[str, ...]] = (*FormatTable.COLUMNS, "hang", "_silent_stretch", "_skipped", "_was_audible")

    def __init__(self, capacity: int, clips: Clips, config: MixerConfig) -> None:
        self._config = config
        self.ring = SlotRing(capacity, SLOTS, SLOT_BYTES)
        playout = Playout(capacity, SLOT_SAMPLES, 2, HORIZON, self.ring, 1)
        super().__init__(capacity, clips, 48000, TICK_SAMPLES, playout)
        self.decoding = OpusDecoding(capacity, self.ring, self.playout)
        effort = Effort(config.opus_complexity)
        profile = plain(config.opus_bitrate, effort.complexity)
        self.encoding = OpusEncoding(capacity, profile, effort)
        self.clip_packets = ClipPackets(clips, profile)
        self.loudest = Loudest(capacity, config.loudest)
        self.hang = np.zeros(capacity, np.int32)
        self._silent_stretch = np.zeros(capacity, bool)
        self._skipped = np.zeros(capacity, bool)
        """There was something to decode in this tick that nobody needed."""
        self._unheard = _NO_ROWS
        """Who said something that was not decoded, in this tick, for want of a place among the loudest."""
        self._was_audible = np.zeros(capacity, bool)
        """In the tick before: whoever is muted is faded out in the next."""
        self._written: list[NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in range(HISTORY_FRAMES)]
        """The rows of each turn's frames that are not zero."""

    def add(self, leg_row: int, gain: float, hears: bool, bounds: PlayoutBounds) -> int:
        """See FormatTable."""
        row = super().add(leg_row, gain, hears, bounds)
        self.encoding.open(row, hears)
        self.loudest.reset(row)
        self._skipped[row] = False
        return row

    def remove(self, row: int) -> None:
        """See FormatTable."""
        super().remove(row)
        self.ring.clear(row)
        self.decoding.restart(row)
        self.encoding.close(row)

    def restart(self, row: int) -> None:
        """See FormatTable."""
        super().restart(row)
        self.ring.clear(row)
        self.decoding.restart(row)

    def grow(self, capacity: int) -> None:
        """See FormatTable."""
        super().grow(capacity)
        self.ring.grow(capacity)
        self.decoding.grow(capacity)
        self.encoding.grow(capacity)
        self.loudest.grow(capacity)

    def protect(self, row: int, lossy: bool) -> None:
        """See FormatTable."""
        self.encoding.protect(row, lossy)

    def level_dbov(self, row: int) -> float | None:
        """How loud a leg is in this tick. Of one that was not decoded, what it claims itself; None: it claims nothing.

        A claim of perfect silence (RFC 6464) is taken for none: it may as well be that there is no such extension.
        """
        if not self._skipped[row]:
            return float(dbov(self.frames[row : row + 1])[0])
        claimed = float(self.loudest.claimed[row])
        return None if claimed == SILENCE_DBOV and not self._silent_stretch[row] else claimed

    def insert(self, packets: Picked) -> None:
        """See FormatTable."""
        first_two = packets.payload(2)
        samples = durations_samples(first_two, packets.length)
        sound = (samples > 0) & (samples % SLOT_SAMPLES == 0) & (packets.length <= SLOT_BYTES)
        if not sound.all():
            self.malformed += int(np.count_nonzero(~sound))
            packets, samples, first_two = packets.take(sound), samples[sound], first_two[sound]
        slot, _ = self.playout.place(packets.rows, packets.timestamp, packets.age_ns)
        self.decoding.left[self.playout.rewound] = 0  # it was made up
        placed = slot >= 0
        if not placed.all():
            packets, samples, first_two, slot = (
                packets.take(placed),
                samples[placed],
                first_two[placed],
                slot[placed],
            )
        if not len(slot):
            return
        width = int(packets.length.max())
        stored = self._store(packets, slot, width)
        if not stored.all():
            np.add.at(self.duplicates, packets.rows[~stored], 1)
        rows, place = packets.rows[stored], slot[stored] & self.ring.mask
        self.decoding.samples[rows, place] = samples[stored]
        silent = says_silent(first_two[stored], packets.length[stored])
        if packets.says_level is not None:
            level = packets.says_level[stored]
            silent |= _is_silent(level)
            self.loudest.claimed[rows] = np.where(level < 0, SILENCE_DBOV, -(level & 0x7F))
        self.decoding.silent[rows, place] = silent
        self.decoding.fec[rows[carries_fec(first_two[stored], packets.length[stored])]] = True

    def pop(self) -> None:
        """See FormatTable."""
        n, playout = self.n, self.playout
        action = playout.decide(n, self._silent)
        playing = action >= Action.PLAY
        playout.cut.clear()  # decoders overlap what they make
        self.begin_tick()
        frames = self.frames[:n]
        have = self._listen(playing)
        decoded = self._to_decode(playing, have)
        self._skipped[:n] = have & ~decoded
        self.contributes[:n] = False
        written = self._written[self._turn]
        frames[written[written < n]] = 0
        rows = np.flatnonzero(decoded)
        whole = decoded & have
        for row, plays in zip(rows.tolist(), playing[rows].tolist(), strict=True):
            if self.decoding.decode(row, plays, frames[row]):
                self.concealed[row] += 1
                whole[row] = False
        for row in np.flatnonzero(whole & (action > Action.PLAY)).tolist():
            self._rescale(row, Action(int(action[row])))
        if len(rows):
            said = frames[rows]
            self.contributes[rows] = np.maximum(said.max(axis=1), -said.min(axis=1)) > NOISE_FLOOR
            frames[rows[~self.contributes[rows]]] = 0
        self._written[self._turn] = rows
        asleep = np.flatnonzero(~decoded)
        self.decoding.sleep(asleep)
        if playout.phase[:n].any():
            playout.align(asleep)
        playout.step(n, action, have & (whole | ~decoded))
        made = self.decoding.made[rows] - self.decoding.left[rows]
        playout.blank[rows] = np.minimum(playout.blank[rows], np.maximum(made, 0))

    def _silent(self, asked: Rows) -> Flags:
        """(k,) bool: these legs are not being decoded, and will not be, by what is known of what comes."""
        silent: Flags = np.ones(len(asked), bool)
        for following in range(4):
            slot = self.playout.play[asked] + following
            place = slot & self.ring.mask
            silent &= (self.ring.key[asked, place] != slot) | self.decoding.silent[asked, place]
        if self._config.skip_silent:
            silent |= ~self.audible[asked]
        return silent & ~self.decoding.awake[asked]

    def _rescale(self, row: int, action: Action) -> None:
        """Drop some of what the leg says, or add to it, if that is not heard."""
        playout, frame = self.playout, self.frames[row]
        most, alike = abs(int(playout.corrections.wish[row])), playout.corrections.least_alike(row)
        if action == Action.ACCELERATE:
            more = self.decoding.following(row, self.sample_rate * MORE_MS // 1000)
            sound = np.concatenate([frame, more])
            soft = is_soft(sound)
            moved = shorten(sound, most, alike, self.sample_rate)
            frame[:] = sound[:TICK_SAMPLES]
            self.decoding.drop(row, moved)
        else:
            before, soft = frame.copy(), is_soft(frame)
            moved = -lengthen(self._past(np.array([row]))[0], frame, most, alike, self.sample_rate)
            self.decoding.push_back(row, before[TICK_SAMPLES + moved :])
        playout.corrected(row, moved, soft)

    def _listen(self, playing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Who has something to play in this tick, (n,) bool; sets `hang` of those who speak."""
        n, ring, decoding = self.n, self.ring, self.decoding
        first = self.playout.play[:n] + (self.playout.phase[:n] > 0)  # what began before is decoded already
        second = first + 1
        has_first, has_second = ring.has(n, first) & playing, ring.has(n, second) & playing
        index = ring.index[:n]
        first_silent = decoding.silent[index, first & ring.mask]
        second_silent = decoding.silent[index, second & ring.mask]
        speaks = (has_first & ~first_silent) | (has_second & ~second_silent)
        hang = self.hang[:n]
        np.maximum(hang - 1, 0, out=hang)
        hang[speaks] = HANG_TICKS
        have = has_first | has_second
        stretch = self._silent_stretch[:n]
        stretch[have] = ~speaks[have]
        return have | (decoding.left[:n] > 0)

    def _to_decode(self, playing: NDArray[np.bool_], have: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n,) bool: legs whose sound is needed. A silent one's holes are no loss: its sender sends nothing then."""
        n, playout = self.n, self.playout
        missed = playout.missed[:n]
        missed[have] = 0
        missed[playout.started[:n] & ~have] += 1
        recent = playout.started[:n] & (missed <= CONCEAL_TICKS)
        needed: Flags = have | (recent & ~have & ~self._silent_stretch[:n])
        if self._config.skip_silent:
            needed &= self.audible[:n] | self._was_audible[:n]
            self._was_audible[:n] = self.audible[:n]
            if n > self._config.skip_silent_above:
                needed &= self.hang[:n] > 0
        if 0 < self._config.loudest < n:
            chosen = self.loudest.choose(needed, self.speech.level_dbov[:n])
            self._unheard = np.flatnonzero(needed & ~chosen)
            return chosen
        self._unheard = _NO_ROWS
        return needed

    def measure(self) -> Rows:
        """See FormatTable. Whoever had no place among the loudest speaks, or does not, as when he was last heard."""
        unheard = self._unheard
        if not len(unheard):
            return super().measure()
        known = self.speech.known(unheard)
        changed = super().measure()
        self.speech.assume(unheard, known)
        heard: Rows = changed[~np.isin(changed, unheard)]
        return heard

    def encode(self, total: NDArray[np.float32], out: Outgoing) -> None:
        """See FormatTable."""
        n = self.n
        hears, live = self.hears[:n], self.live[:n]
        wants = np.where(hears, np.where(self._own_flags(), OWN, MIX), SILENCE).astype(np.int8)
        own = np.flatnonzero(wants == OWN)
        self._limit_shared(total)
        address, length = self.encoding.encode(wants, live, self.shared_pcm, own, self._limit_own(total, own))
        for row, number, tick in zip(*(column.tolist() for column in self.played()), strict=True):
            if self.clips.has(number, self.sample_rate):
                address[row], length[row] = self.clip_packets.get(number, tick)
        rows = self.leg_rows[:n][live]
        out.payload_address[rows] = address[live]
        out.payload_bytes[rows] = length[live]

    def _own_flags(self) -> Flags:
        return super()._own_flags() if self._config.share_encodes else self.live[: self.n] & self.hears[: self.n]

    def forget_clip(self, number: int) -> None:
        """See FormatTable."""
        super().forget_clip(number)
        self.clip_packets.forget(number)


def _is_silent(says_level: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) bool: the RFC 6464 byte says that nobody speaks, and that what there is is very low."""
    silent: NDArray[np.bool_] = (says_level >= 0) & (says_level < 0x80) & (says_level >= QUIET_LEVEL)
    return silent
