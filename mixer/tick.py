"""The tick: 20 ms of every leg in, a mix for every leg out.

`Mixer` ties the table of legs, the tables of formats and a transport together. It reads no clock and waits for
nothing: `tick` is called with the time, which makes whole conferences run in milliseconds under test.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from mixer import kernels
from mixer.clips import NOTHING, Clips
from mixer.dsp.mix import RateMix
from mixer.formats.base import FormatTable
from mixer.formats.g711 import G711Table
from mixer.formats.making import make_table
from mixer.intake import Intake
from mixer.legs import Demux, Legs
from mixer.plain import PlainTick
from mixer.protocol import (
    AddLeg,
    LegLost,
    LegPart,
    LegStats,
    LegTimedOut,
    MediaFormat,
    MixerConfig,
    OutgoingStream,
    ProgramEnded,
    Report,
)
from mixer.receive.playout import WINDOW_TICKS
from mixer.recording import Recording
from mixer.reports import RtcpReports
from mixer.rtp.header import write
from mixer.sounds import Sounds
from mixer.speakers import Speakers
from mixer.stats import TickTimes, leg_stats
from mixer.transports.base import FLOOD_ROWS, LEG_ROWS, Batch, Outgoing, Transport
from mixer.transports.libc import address_key
from recording.feed import FeedWriter

TICK_NS: Final = 20_000_000
LOST_NS: Final = 5_000_000_000
WATCH_TICKS: Final = 25
SECOND_TICKS: Final = 50


class Mixer:
    """One conference's media. `report` is called with news for the server and must not block."""

    def __init__(self, config: MixerConfig, transport: Transport, report: Callable[[Report], None]) -> None:
        self.config, self.transport, self._report = config, transport, report
        self.legs = Legs()
        self.tables: dict[int, FormatTable] = {}
        self.mix = RateMix()
        self.rtcp = RtcpReports(self.legs, transport, report)
        self.demux = Demux()
        self.intake = Intake(self.legs, self.demux, self.tables, transport, self.rtcp, report, self._moved)
        self.clips = Clips()
        self.sounds = Sounds(self.legs, self.tables, self.clips, report)
        self.speakers = Speakers(self.legs, self.tables, report)
        self.times = TickTimes()
        self.recording: Recording | None = None
        self.packets_out = 0
        self._malformed_before = 0
        """In tables that are gone."""
        self.shared_sockets: set[int] = set()
        self._formats: dict[tuple[str, int], int] = {}
        self._next_table = 0
        self._batch = Batch(0)
        self._out = Outgoing(0)
        self._sent = np.zeros(0, np.int64)
        self._dirty = True
        self._plain: PlainTick | None = None

    # ---- membership, between ticks

    def add(self, command: AddLeg, socket: int, now_ns: int) -> None:
        """Give a call a row. `socket`: index of the transport's. Raises UnknownCodecError, then nothing changed."""
        number = self._table_for(command.format)
        table = self.tables[number]
        source = 0 if command.remote is None else address_key(command.remote.ip, command.remote.port)
        row = self.legs.add(command, socket, source, number, now_ns)
        self._take_part(row, command)
        self.legs.level_extension[row] = command.level_extension_id or 0
        self.legs.local[row] = local = table.add(row, _room_gain(command), command.hears, command.playout)
        table.audible[local] = self.legs.audible[row]
        self._dirty = True
        if self.recording is not None:
            self.recording.joined(row, command.call_id)

    def _table_for(self, form: MediaFormat) -> int:
        key = (form.codec, form.sample_rate)
        if key not in self._formats:
            table = make_table(form, self.clips, self.config)
            number = self._next_table
            self._next_table += 1
            self.tables[number], self._formats[key] = table, number
            self._use_rates()
        return self._formats[key]

    def _use_rates(self) -> None:
        self.mix.use({table.sample_rate for table in self.tables.values()})

    def remove(self, call_id: str, bye: bool) -> int:
        """Free a call's rows; returns its row, whose outgoing columns stay readable until the next `add`."""
        row = self.legs.row_of[call_id]
        if bye:
            self.rtcp.bye(row)
        number = int(self.legs.table[row])
        table = self.tables[number]
        table.remove(int(self.legs.local[row]))
        self.legs.remove(row)
        self.rtcp.forget(row)
        if self.recording is not None:
            self.recording.left(call_id)
        self.sounds.forget_leg(call_id)
        self.speakers.forget(call_id)
        if not table.live.any():
            self._malformed_before += table.malformed
            del self.tables[number]
            self._formats = {key: at for key, at in self._formats.items() if at != number}
            self._use_rates()
        self._dirty = True
        return row

    def update(self, part: LegPart) -> None:
        """Change what a leg says and hears from the next tick on; a gain is ramped over one frame."""
        legs = self.legs
        row = legs.row_of[part.call_id]
        table, local = self.tables[int(legs.table[row])], int(legs.local[row])
        whispered = bool(legs.whispers[row])
        self._take_part(row, part)
        if self.recording is not None:
            self.recording.updated(row, whispered)
        table.gain[local], table.audible[local] = _room_gain(part), self.legs.audible[row]
        table.hears[local] = part.hears
        if part.hears:
            table.programs.stop(local)

    def _take_part(self, row: int, part: AddLeg | LegPart) -> None:
        """Who hears a leg, and how loud."""
        legs = self.legs
        legs.heard[row], legs.gain[row] = part.heard, part.gain
        legs.whispers[row] = part.heard_by is not None
        legs.audible[row] = part.heard and part.heard_by != []
        self.sounds.whisper(part.call_id, part.heard_by)

    def play_program(self, call_id: str, clip_id: str | None, loop: bool) -> str:
        """Give a leg something to hear while it does not hear the mix; returns why not, or an empty string."""
        row = self.legs.row_of.get(call_id)
        if row is None:
            return "no such leg"
        table, local = self.tables[int(self.legs.table[row])], int(self.legs.local[row])
        if clip_id is None:
            table.programs.stop(local)
            return ""
        number = self.clips.number(clip_id)
        if not self.clips.has(number, table.sample_rate):
            return f"the clip is not lent at {table.sample_rate} Hz"
        if table.hears[local]:
            return "the leg hears the mix"
        table.programs.give(local, number, loop)
        return ""

    def forget_clip(self, clip_id: str) -> bool:
        """Unmap a clip and end it wherever it plays; False if it was not lent."""
        number = self.clips.forget(clip_id)
        if number == NOTHING:
            return False
        self.sounds.forget_clip(number)
        for table in self.tables.values():
            table.forget_clip(number)
        return True

    def outgoing(self, row: int, now_ns: int) -> OutgoingStream:
        """Where a leg's stream stands, for whoever continues it."""
        legs = self.legs
        return OutgoingStream(
            int(legs.out_ssrc[row]),
            int(legs.out_sequence[row]) & 0xFFFF,
            int(legs.out_timestamp[row]) & 0xFFFFFFFF,
            now_ns,
        )

    def _moved(self) -> None:
        """A leg's far end became known in the middle of a tick."""
        self._dirty = True

    def _settle(self) -> None:
        """After membership changed: who is told apart how, and who is sent what on which socket."""
        self._dirty = False
        self.rtcp.look_anew()
        legs, n = self.legs, self.legs.n
        if self._out.capacity < legs.capacity:
            self._out = Outgoing(legs.capacity)
            self._batch = Batch(FLOOD_ROWS + LEG_ROWS * legs.capacity)
        live = legs.live[:n]
        self.demux.build(legs, self.shared_sockets, int(legs.socket[:n].max(initial=-1)) + 1)
        rows = np.flatnonzero(live & legs.sends[:n] & legs.located[:n])
        self._out.destination[:n] = legs.source[:n]
        self.transport.route(self._out, rows, legs.socket[rows])
        self._sent = rows
        self.intake.make_room(self._batch.capacity)
        self._plain = self._plain_tick()

    def _plain_tick(self) -> PlainTick | None:
        """How plain ticks are done at once, if this conference may have any."""
        table = next(iter(self.tables.values()), None)
        if kernels.loops is None or len(self.tables) != 1 or not isinstance(table, G711Table):
            return None
        if table.auto_gain is not None or table.denoising is not None or self.legs.level_extension.any():
            return None
        headers, out = self.intake.headers, self._out
        return PlainTick(self.legs, self.demux, table, self.mix, self._batch, headers, out, self._sent)

    # ---- the tick

    def tick(self, now_ns: int, unix_ns: int) -> None:
        """Do one tick. `now_ns`: CLOCK_MONOTONIC; `unix_ns`: the wall clock, for reports."""
        if self._dirty:
            self._settle()
        number = self.times.ticks
        self.transport.receive(self._batch, now_ns, len(self.legs))
        if self._batch.n and not self._take_plain(now_ns):
            self.intake.take(self._batch, now_ns, number)
        if not self._sound_plain(number):
            self._sound(number, now_ns)
        self.packets_out += self.transport.send()
        self._look_after(number, now_ns, unix_ns)

    def _take_plain(self, now_ns: int) -> bool:
        n = self._batch.n
        if self._plain is None or not self._plain.take(n, now_ns):
            return False
        self.intake.packets += n
        return True

    def _sound_plain(self, number: int) -> bool:
        if self._plain is None or self._dirty or self.sounds.active or self.recording is not None:
            return False
        changed = self._plain.sound()
        if changed is None:
            return False
        (table,) = self.tables.values()
        self.speakers.tell(number, table, changed)
        return True

    def _sound(self, number: int, now_ns: int) -> None:
        """From what waits to packets ready to be sent, step by step."""
        for table in self.tables.values():
            table.pop()
        self.speakers.update(number)
        self._mix()
        self.sounds.apply(self.mix)
        if self.recording is not None:
            self.recording.tick(self.mix, now_ns)
        for table in self.tables.values():
            table.encode(self.mix.totals[table.sample_rate], self._out)
        if self._dirty:  # an address was learnt in this tick: its first packet goes out with the others
            self._settle()
        self._tell_ended()
        self._write()

    def _mix(self) -> None:
        self.mix.clear()
        sounding: set[int] = set()
        contributing = 0
        for table in self.tables.values():
            says = table.add_to(self.mix.sums[table.sample_rate])
            if says:
                contributing += says
                sounding.add(table.sample_rate)
        self.mix.spread(sounding)
        if contributing == 1 and not self.sounds.active:
            self._pass_through()

    def _pass_through(self) -> None:
        """Somebody talks alone: listeners in the same format get the payload that came, bit by bit."""
        for table in self.tables.values():
            talkers = np.flatnonzero(table.contributes[: table.n])
            if len(talkers):
                payload = table.sole_payload(int(talkers[0]))
                if payload is not None:
                    table.share(payload)

    def _tell_ended(self) -> None:
        """Report programs that came to their end in this tick."""
        for table in self.tables.values():
            for local, number in table.ended:
                self._report(ProgramEnded(self.legs.call_ids[int(table.leg_rows[local])], self.clips.id_of(number)))
            table.ended.clear()

    def _write(self) -> None:
        """Headers of this tick's packets, and where the streams stand after them."""
        legs, n, out, rows = self.legs, self.legs.n, self._out, self._sent
        write(
            out.header[:n],
            legs.out_type[:n],
            legs.out_marker[:n],
            legs.out_sequence[:n],
            legs.out_timestamp[:n],
            legs.out_ssrc[:n],
        )
        loops = kernels.loops
        if loops is not None:
            streams = legs.out_timestamp, legs.out_step, legs.out_sequence, legs.out_marker
            loops.advance(n, rows, out.payload_bytes, *streams, legs.out_packets, legs.out_bytes)
            return
        legs.out_timestamp[:n] += legs.out_step[:n]
        legs.out_sequence[rows] += 1
        legs.out_marker[rows] = False
        legs.out_packets[rows] += 1
        legs.out_bytes[rows] += out.payload_bytes[rows].astype(np.int64)

    def _look_after(self, number: int, now_ns: int, unix_ns: int) -> None:
        """What need not be done in every tick."""
        if now_ns >= self.rtcp.next_ns:
            self.rtcp.send_due(now_ns, unix_ns)
        if self.intake.pressing:
            self.intake.expire_digits(number)
        if number % WATCH_TICKS == 0:
            self._watch(now_ns)
            self._protect(now_ns)
        if number % SECOND_TICKS == 0:
            self.legs.in_ssrc_changes.fill(0)
        if number % WINDOW_TICKS == WINDOW_TICKS - 1:
            for table in self.tables.values():
                table.playout.review(table.n)

    def _watch(self, now_ns: int) -> None:
        """Report legs that fell silent. A leg that never sent anything is as lost as one that stopped."""
        legs, n = self.legs, self.legs.n
        expected = legs.live[:n] & legs.receives[:n]
        lost = expected & ~legs.lost[:n] & (now_ns - legs.in_rtp_ns[:n] > LOST_NS)
        for row in np.flatnonzero(lost).tolist():
            legs.lost[row] = True
            self._report(LegLost(legs.call_ids[row]))
        limit = legs.timeout_ns[:n]
        gone = expected & ~legs.timed_out[:n] & (limit > 0) & (now_ns - legs.in_any_ns[:n] > limit)
        for row in np.flatnonzero(gone).tolist():
            legs.timed_out[row] = True
            self._report(LegTimedOut(legs.call_ids[row]))

    def _protect(self, now_ns: int) -> None:
        """Do something for legs whose far ends have begun to report loss, and no more for those that ceased to."""
        legs = self.legs
        for row in self.rtcp.judge(now_ns).tolist():
            if self.config.protect_lossy:
                self.tables[int(legs.table[row])].protect(int(legs.local[row]), bool(legs.far_end.lossy[row]))

    def skip(self, ticks: int) -> None:
        """Time was lost that cannot be made up: media time goes on without packets."""
        legs, n = self.legs, self.legs.n
        legs.out_timestamp[:n] += legs.out_step[:n] * ticks
        legs.out_marker[:n] = True
        if self.recording is not None:
            self.recording.skip(ticks)

    def pass_time(self, now_ns: int) -> None:
        """With no legs there are no ticks, but time goes on in what is recorded. Not to be called between ticks."""
        if self.recording is not None:
            self.recording.pass_time(now_ns)

    # ---- recording

    def record(self, recording_id: str, feed_fd: int, tracks: bool, now_ns: int) -> None:
        """Begin with the next tick. `feed_fd` stays the caller's. Raises FeedError."""
        ticking = len(self.legs) > 0
        writer = FeedWriter(feed_fd)
        self.recording = Recording(recording_id, writer, tracks, self.legs, self.tables, self._report, now_ns, ticking)

    def stop_recording(self) -> None:
        """End what is recorded, if anything is."""
        if self.recording is not None:
            self.recording.stop()
            self.recording = None

    # ---- figures

    def stats(self) -> Iterator[LegStats]:
        """A line per leg, made one at a time."""
        work_ms = self.times.work_p50_ms()
        for row in list(self.legs.row_of.values()):
            if self.legs.live[row]:
                yield leg_stats(self.legs, row, self.tables[int(self.legs.table[row])], work_ms)

    def malformed(self) -> dict[str, int]:
        """Payloads that were not what their type says, for the counters of dropped packets."""
        return {"payload": self._malformed_before + sum(table.malformed for table in self.tables.values())}


def _room_gain(part: AddLeg | LegPart) -> float:
    """The gain at which everybody hears a leg: none if only some do."""
    return part.gain if part.heard and part.heard_by is None else 0.0
