"""A whole conference in memory: callers that send tones over simulated links to a real Mixer, on virtual time."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import g711, g722, l16, opus
from mixer.protocol import AddLeg, Address, Codec, LegPart, MediaFormat, MixerConfig, OutgoingStream, Playout, Report
from mixer.tick import TICK_NS, Mixer
from mixer.transports.libc import address_key
from tests.support.memory_transport import MemoryTransport
from tests.support.network import Conditions, Link
from tests.support.opus_sender import OpusSender

RATES = {"pcmu": 8000, "pcma": 8000, "g722": 16000, "l16": 16000, "opus": 48000}
TYPES = {"pcmu": 0, "pcma": 8, "g722": 9, "l16": 96, "opus": 111}
SHARED_SOCKET = 1000


class Coder:
    """One direction's codec at a caller; independent of what the mixer keeps, though of the same kernels."""

    def __init__(self, codec: Codec, rate: int, opus_options: dict[str, Any], sender: OpusSender | None) -> None:
        self.codec, self.samples, self.sender = codec, rate // 50, sender
        self.state: Any = None
        if codec == "g722":
            self.state = (g722.Encoder(), g722.Decoder())
        elif codec == "opus":
            self.state = (opus.Encoder(48000, **opus_options), opus.Decoder(48000))

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        if self.sender is not None:
            return self.sender.encode(pcm)
        match self.codec:
            case "pcmu" | "pcma":
                table = g711.MULAW_ENCODE if self.codec == "pcmu" else g711.ALAW_ENCODE
                out = np.zeros((1, len(pcm)), np.uint8)
                g711.encode(table, pcm[None], out)
                return out.tobytes()
            case "g722":
                out = np.zeros(160, np.uint8)
                self.state[0].encode(pcm, out)
                return out.tobytes()
            case "opus":
                out = np.zeros(1276, np.uint8)
                return out[: self.state[0].encode(pcm, int(out.ctypes.data))].tobytes()
        return pcm.astype(">i2").tobytes()

    def decode(self, payload: bytes) -> NDArray[np.float32]:
        raw = np.frombuffer(payload, np.uint8)
        match self.codec:
            case "pcmu" | "pcma":
                table = g711.MULAW_DECODE if self.codec == "pcmu" else g711.ALAW_DECODE
                return table[raw]
            case "g722":
                out = np.zeros(len(raw) * 2, np.float32)
                self.state[1].decode(raw.data, out)
                return out
            case "opus":
                out = np.zeros(960, np.float32)
                assert self.state[1].decode(int(raw.ctypes.data), len(raw), out) == 960
                return out
        out = np.zeros((1, len(raw) // 2), np.float32)
        l16.decode(raw[None], out)
        return out[0]


@dataclass
class Caller:
    """A far end: says `says(n)` = PCM of its n-th tick, keeps every packet it gets."""

    call_id: str
    codec: Codec
    rate: int
    key: int
    socket: int
    address: Address
    link: Link
    coder: Coder
    phase_ns: int
    pcm: NDArray[np.int16] | None = None
    sequence: int = 65500
    timestamp: int = 0xFFFF_0000
    ssrc: int = 0
    ticks: int = 0
    sending: bool = True
    scheduled: list[tuple[int, bytes]] = field(default_factory=list)
    """Datagrams it sends besides, in order: (time by the conference's clock, datagram)."""
    got: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    _sound: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def step(self) -> int:
        """Timestamp units in 20 ms."""
        return 160 if self.codec == "g722" else self.rate // 50

    def packet(self) -> bytes | None:
        """The next tick's packet."""
        samples = self.rate // 50
        start = self.ticks * samples
        self.ticks += 1
        if self.pcm is None:
            return None
        header = self.header()
        if not self.sending:
            return None
        pcm = self.pcm[start : start + samples]
        if len(pcm) < samples:
            pcm = np.zeros(samples, np.int16)
        payload = self.coder.encode(np.ascontiguousarray(pcm))
        self.said.append(payload)
        return header + payload

    def header(self, payload_type: int | None = None) -> bytes:
        """Header of the next packet; moves sequence and timestamp on."""
        kind = TYPES[self.codec] if payload_type is None else payload_type
        header = struct.pack("!BBHII", 0x80, kind, self.sequence, self.timestamp, self.ssrc)
        if self.sending:
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + self.step) & 0xFFFFFFFF
        return header

    def heard(self) -> NDArray[np.float32]:
        """All packets got, decoded, in int16 units at the caller's rate. May be asked again as more come."""
        self._sound += [self.coder.decode(packet[12:]) for packet in self.got[len(self._sound) :]]
        return np.concatenate(self._sound)


class VirtualConference:
    """A Mixer, its callers and the links between."""

    def __init__(self, config: MixerConfig | None = None, start_ns: int = 10**15) -> None:
        self.transport = MemoryTransport()
        self.reports: list[Report] = []
        self.mixer = Mixer(config or MixerConfig("test"), self.transport, self.reports.append)
        self.mixer.shared_sockets.add(SHARED_SOCKET)
        self.callers: dict[str, Caller] = {}
        self.parts: dict[str, LegPart] = {}
        self.now_ns = start_ns
        self._by_key: dict[tuple[int, int], Caller] = {}

    def add(
        self,
        codec: Codec,
        pcm: NDArray[np.int16] | None = None,
        *,
        conditions: Conditions | None = None,
        rate: int | None = None,
        single: bool = False,
        known: bool = True,
        phase_ms: float | None = None,
        playout: Playout | None = None,
        opus_options: dict[str, Any] | None = None,
        opus_sender: OpusSender | None = None,
        dtmf: int | None = None,
        **leg: Any,
    ) -> Caller:
        """Let a caller join. Further keywords are AddLeg's (heard, hears, gain, receives, sends, ...)."""
        number = len(self.callers)
        call_id, rate = f"call-{number}", rate or RATES[codec]
        address = Address(f"10.0.{number // 250}.{number % 250 + 1}", 4000 + 2 * number)
        key, socket = address_key(address.ip, address.port), number if single or not known else SHARED_SOCKET
        phase_ns = int((number * 7.3 % 20 if phase_ms is None else phase_ms) * 1e6)
        caller = Caller(
            call_id, codec, rate, key, socket, address, Link(conditions or Conditions(), number + 1),
            Coder(codec, rate, opus_options or {}, opus_sender), phase_ns, pcm, ssrc=0x1000 + number,
        )  # fmt: skip
        self.callers[call_id] = caller
        self._by_key[(socket, key)] = caller
        self.mixer.add(
            AddLeg(
                0,
                call_id,
                socket,
                address if known else None,
                MediaFormat(codec, TYPES[codec], rate, dtmf),
                leg.pop("outgoing", OutgoingStream(0x9000 + number, 65530, 0xFFFFFF00)),
                playout=playout or Playout(),
                **leg,
            ),
            socket,
            self.now_ns,
        )
        return caller

    def update(self, caller: Caller, **changes: Any) -> None:
        """Change how a caller takes part: any field of LegPart; the others stay."""
        part = replace(self.parts.get(caller.call_id, LegPart(caller.call_id, heard=True, hears=True)), **changes)
        self.parts[caller.call_id] = part
        self.mixer.update(part)

    def inject(self, caller: Caller, datagram: bytes, source: int | None = None) -> None:
        """A datagram arrives in the next tick, from the caller's address or another."""
        self.transport.arriving.append((caller.socket, caller.key if source is None else source, datagram, self.now_ns))

    def run(self, ticks: int) -> None:
        """Let so many ticks pass."""
        for _ in range(ticks):
            before, self.now_ns = self.now_ns, self.now_ns + TICK_NS
            arriving: list[tuple[int, int, bytes, int]] = []
            for caller in self.callers.values():
                packet = caller.packet()
                if packet:
                    caller.link.send(packet, before + caller.phase_ns)
                while caller.scheduled and caller.scheduled[0][0] <= self.now_ns:
                    at_ns, datagram = caller.scheduled.pop(0)
                    caller.link.send(datagram, at_ns)
                for arrival_ns, datagram in caller.link.arrived(self.now_ns):
                    arriving.append((caller.socket, caller.key, datagram, arrival_ns))
            self.transport.arriving += sorted(arriving, key=lambda item: item[3])
            self.mixer.tick(self.now_ns, 1_800_000_000 * 10**9 + self.now_ns)
            self.mixer.times.add(0, 0, TICK_NS)
            self._deliver()

    def _deliver(self) -> None:
        for sent in self.transport.sent:
            caller = self._by_key.get((sent.socket, sent.destination))
            if caller is not None:
                (caller.rtcp if 192 <= sent.data[1] <= 223 else caller.got).append(sent.data)
        self.transport.sent.clear()


def tone(frequency_hz: float, seconds: float, rate: int, amplitude: float = 3000.0) -> NDArray[np.int16]:
    """A sine as int16."""
    t = np.arange(int(seconds * rate)) / rate
    return np.asarray(np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * t)), np.int16)


def amplitude_at(pcm: NDArray[np.float32], frequency_hz: float, rate: int) -> float:
    """Amplitude of a frequency in a signal: root mean square over windows of 100 ms that overlap by half.

    The windows make it blind to phase, which a leg that waits a tick longer shifts; -60 dB are left 30 Hz away.
    """
    size = rate // 10
    window = np.blackman(size)
    turn = window * np.exp(-2j * np.pi * frequency_hz * np.arange(size) / rate)
    parts = np.lib.stride_tricks.sliding_window_view(pcm, size)[:: size // 2]
    return float(np.sqrt(np.mean(np.abs(2 * (parts @ turn) / window.sum()) ** 2)))


def matrix(callers: Sequence[Caller], frequencies: Sequence[float], skip_s: float = 0.5) -> NDArray[np.float64]:
    """(hearing, talking): amplitude of each one's tone at each caller, after `skip_s`."""
    rows = []
    for caller in callers:
        heard = caller.heard()[int(skip_s * caller.rate) :]
        rows.append([amplitude_at(heard, frequency, caller.rate) for frequency in frequencies])
    return np.array(rows)
