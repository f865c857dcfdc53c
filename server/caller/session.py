"""`RtpCaller`: one call's UDP socket and the thread that keeps its time.

Joins nothing by itself: `media()` is what an API request wants, `start()` takes what its answer says. The
thread does nothing but sleep until the next packet is due or comes in; what packets hold is decided in
`outgoing` and `incoming`. Every method may be called from any thread, an event loop's included: none waits
but `close`.
"""

import contextlib
import ipaddress
import random
import select
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from server import clock
from server.caller.codecs import as_int16, codec, resample
from server.caller.incoming import Incoming, ReceivedPacket
from server.caller.outgoing import Outgoing
from server.caller.timeline import Sound
from server.caller.wire import pack_bye, pack_report

Direction = Literal["sendrecv", "sendonly", "recvonly"]

_REPORT_EVERY_S: Final = 5.0
_FIRST_REPORT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 0.05
_DATAGRAMS_PER_TURN: Final = 64
_RECEIVE_BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Packets of one call."""

    sent: int
    received: int
    lost: int
    late: int
    duplicates: int
    strangers: int
    """Datagrams from any address but the far end's."""
    unknown: int
    """From the far end, but neither our codec nor RTCP, or not to be decoded."""


class RtpCaller:
    """One party that talks and listens over RTP.

    Args:
        codec_name: pcmu, pcma, g722, opus or l16.
        sample_rate: Hz, for l16 only.
        ip: the local address to bind; the one that faces the server.
        direction: as the caller sees it; `recvonly` sends RTCP but no RTP.
        payload_type: another one than the codec's usual.
        dtmf_payload_type: for RFC 4733 digits, both ways.
        learn: do not tell the server our address; it learns it from what we send.
        keep_packets: keep every received packet for `packets()`.
        now: monotonic seconds.

    Raises:
        ValueError: no such codec or rate.
        OSError: the address is not this machine's.
    """

    def __init__(
        self,
        codec_name: str = "pcmu",
        *,
        sample_rate: int | None = None,
        ip: str = "127.0.0.1",
        direction: Direction = "sendrecv",
        payload_type: int | None = None,
        dtmf_payload_type: int | None = None,
        learn: bool = False,
        keep_packets: bool = False,
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        self.codec = codec(codec_name, sample_rate)
        self.direction = direction
        self.ended = threading.Event()
        """Set when the far end says BYE."""
        self._payload_type = self.codec.payload_type if payload_type is None else payload_type
        self._dtmf_payload_type = dtmf_payload_type
        self._learn = learn
        self._keep_packets = keep_packets
        self._now = now
        self._socket = _bound_socket(ip)
        self.address: tuple[str, int] = self._socket.getsockname()
        self._ssrc = random.getrandbits(32)
        self._cname = f"{random.getrandbits(64):016x}@parley-call"
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._strangers = 0
        self._remote: tuple[str, int] | None = None
        self._outgoing: Outgoing | None = None
        self._incoming: Incoming | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def media(self) -> dict[str, Any]:
        """The MEDIA object of a join or a new call."""
        rtp: dict[str, Any] = {"codec": self.codec.name, "direction": self.direction, "ssrc": self._ssrc}
        if not self._learn:
            rtp |= {"ip": self.address[0], "port": self.address[1]}
        if self._payload_type != self.codec.payload_type:
            rtp["payload_type"] = self._payload_type
        if self.codec.name == "l16":
            rtp["sample_rate"] = self.codec.sample_rate
        if self._dtmf_payload_type is not None:
            rtp["dtmf_payload_type"] = self._dtmf_payload_type
        return {"rtp": rtp}

    def start(self, answer: Mapping[str, Any]) -> None:
        """Begin to send to, and to take packets from, the address in ANSWER: `{"rtp": {"ip", "port", ...}}`.

        Raises:
            ValueError: the answer names no address.
            RuntimeError: started before.
        """
        if self.started:
            raise RuntimeError("this call has started already")
        try:
            rtp = answer["rtp"]
            self._remote = (str(ipaddress.IPv4Address(rtp["ip"])), int(rtp["port"]))
            payload_type = int(rtp.get("payload_type", self._payload_type))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the answer to an RTP call: {answer!r}") from error
        self._incoming = Incoming(
            self.codec,
            payload_type,
            dtmf_payload_type=self._dtmf_payload_type,
            keep_packets=self._keep_packets,
        )
        self._outgoing = Outgoing(
            self.codec,
            payload_type,
            ssrc=self._ssrc,
            sequence=random.getrandbits(16),  # RFC 3550 §5.1: both begin anywhere
            timestamp=random.getrandbits(32),
            started_s=self._now(),
            dtmf_payload_type=self._dtmf_payload_type,
        )
        self._thread = threading.Thread(target=self._run, name=f"rtp-caller-{self.address[1]}", daemon=True)
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether `start` was called with an answer that made sense."""
        return self._thread is not None

    def play(self, pcm: NDArray[np.int16] | NDArray[np.float32], rate: int, *, at_s: float | None = None) -> float:
        """Say something after what is queued already, or exactly at the local monotonic time `at_s`.

        Args:
            pcm: `(samples,)`, int16, or float in int16 units (full scale 32768).
            rate: its sample rate in Hz; it is resampled to the codec's.
            at_s: when its first sample goes out.

        Returns:
            The local monotonic time of its first sample.

        Raises:
            ValueError: `at_s` is past, or falls into what is queued.
        """
        speech = resample(as_int16(pcm), rate, self.codec.sample_rate)
        with self._lock:
            return self._sending().play(speech, at_s)

    def send_digit(self, digit: str, duration_ms: int = 100) -> None:
        """Queue one RFC 4733 digit; ValueError if it is none or the call has no payload type for it."""
        with self._lock:
            self._sending().send_digit(digit, duration_ms)

    @property
    def said_until_s(self) -> float:
        """Local time at which everything queued by `play` has been said."""
        with self._lock:
            return self._sending().said_until_s

    @property
    def digits_waiting(self) -> int:
        """Digits that are not yet sent to their end."""
        with self._lock:
            return self._sending().digits_waiting

    def heard(self) -> Sound:
        """Everything heard so far (or since `take_heard`): PCM int16, rate, local time of its first sample.

        Silence stands where packets were lost. While the call is up, the last few packets may still be
        waiting for an earlier one.
        """
        with self._lock:
            return self._receiving().sound()

    def take_heard(self) -> Sound:
        """Like `heard`, and forget it: for calls of any length."""
        with self._lock:
            return self._receiving().take_sound()

    def digits_heard(self) -> str:
        """RFC 4733 digits that the far end sent."""
        with self._lock:
            return self._receiving().digits

    def packets(self) -> list[ReceivedPacket]:
        """Received packets in order of arrival, if `keep_packets`."""
        with self._lock:
            return list(self._receiving().packets)

    def counts(self) -> Counts:
        """Packets so far."""
        with self._lock:
            outgoing, incoming = self._sending(), self._receiving()
            heard = incoming.counts
            return Counts(
                sent=outgoing.packets,
                received=heard.received,
                lost=heard.lost,
                late=heard.late,
                duplicates=heard.duplicates,
                strangers=self._strangers,
                unknown=incoming.unknown + incoming.undecodable,
            )

    def close(self, *, bye: bool = True) -> None:
        """Stop, say RTCP BYE unless `bye` is false, free the port. What was heard stays readable.

        Raises:
            RuntimeError: the call's thread had failed.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._socket.fileno() >= 0:
            if bye and self._remote is not None:
                self._send(pack_bye(self._ssrc, self._cname))
            self._socket.close()
        if self._incoming is not None:
            with self._lock:
                self._incoming.finish()
        self._raise_failure()

    def _sending(self) -> Outgoing:
        self._raise_failure()
        if self._outgoing is None:
            raise RuntimeError("this call has not started: call start() with the server's answer")
        return self._outgoing

    def _receiving(self) -> Incoming:
        self._sending()
        assert self._incoming is not None
        return self._incoming

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the call's thread failed") from self._failure

    def _run(self) -> None:
        try:
            report_at_s = self._now() + _FIRST_REPORT_S
            while not self._stop.is_set():
                due_s = self._send_due()
                if self._now() >= report_at_s:
                    self._send_report()
                    report_at_s += _REPORT_EVERY_S
                wait_s = min(due_s - self._now(), _LONGEST_WAIT_S)
                if select.select([self._socket], [], [], max(0.0, wait_s))[0]:
                    self._receive()
        except BaseException as error:  # told to whoever uses this call next, instead of lost in a thread
            self._failure = error

    def _send_due(self) -> float:
        outgoing = self._outgoing
        assert outgoing is not None
        if self.direction == "recvonly":
            return self._now() + _LONGEST_WAIT_S
        with self._lock:
            datagrams = outgoing.due(self._now())
        for datagram in datagrams:
            self._send(datagram)
        return outgoing.due_s

    def _send_report(self) -> None:
        assert self._outgoing is not None and self._incoming is not None
        with self._lock:
            report = pack_report(
                self._ssrc,
                self._cname,
                unix_s=clock.now(),
                rtp_timestamp=self._outgoing.timestamp_at(self._now()),
                packets=self._outgoing.packets,
                payload_bytes=self._outgoing.payload_bytes,
                reception=self._incoming.reception(),
            )
        self._send(report)

    def _send(self, datagram: bytes) -> None:
        assert self._remote is not None
        # A full buffer or a route that is gone: to the far end it is loss, as on any network.
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, self._remote)

    def _receive(self) -> None:
        assert self._incoming is not None
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                datagram, source = self._socket.recvfrom(65536)
            except OSError:
                return
            with self._lock:
                if source == self._remote:
                    self._incoming.take(datagram, self._now())
                else:
                    self._strangers += 1
            if self._incoming.bye:
                self.ended.set()


def _bound_socket(ip: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        bound.setblocking(False)
        bound.bind((ip, 0))
    except OSError:
        bound.close()
        raise
    return bound
