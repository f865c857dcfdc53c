"""One short conference in the zygote, with a leg of each format and nobody at the other end.

What a mixer does for the first time makes libraries import, compile or allocate something. Done here once, before the
first fork, it is memory that all mixers share, and no conference's first ticks wait for it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.protocol import COMMANDS, REPORTS, AddLeg, Address, MediaFormat, MixerConfig, OutgoingStream, Report, Stats
from mixer.tick import TICK_NS, Mixer
from mixer.transports.base import Batch, Outgoing

FORMATS: Final = (
    MediaFormat("pcmu", 0, 8000),
    MediaFormat("pcma", 8, 8000),
    MediaFormat("g722", 9, 16000),
    MediaFormat("l16", 96, 16000),
    MediaFormat("opus", 111, 48000),
)
TICKS: Final = 5
_REMOTE: Final = Address("127.0.0.1", 9)


class _Nowhere:
    """A transport to which nothing comes and from which nothing goes."""

    def lend(self, socket_id: int, fd: int, shared: bool) -> int:
        return socket_id

    def release(self, index: int) -> None:
        return

    def lock(self, index: int, address: tuple[str, int]) -> None:
        return

    def receive(self, batch: Batch, now_ns: int, rows: int) -> None:
        batch.n = 0

    def route(self, out: Outgoing, rows: NDArray[np.int64], sockets: NDArray[np.int64]) -> None:
        return

    def send(self) -> int:
        return 0

    def send_to(self, index: int, destination: int, datagram: bytes) -> bool:
        return False

    def close(self) -> None:
        return


def warm_up() -> None:
    """Run it. Reads no clock and opens nothing."""
    mixer = Mixer(MixerConfig("warm-up"), _Nowhere(), _drop)
    for number, form in enumerate(FORMATS):
        command = AddLeg(number, f"leg-{number}", number, _REMOTE, form, OutgoingStream(number + 1, 0, 0))
        COMMANDS.validate_json(COMMANDS.dump_json(command))
        mixer.add(command, number, 0)
    for tick in range(1, TICKS + 1):
        mixer.tick(tick * TICK_NS, tick * TICK_NS)
        mixer.times.add(0, 1, TICK_NS)
    REPORTS.dump_json(Stats(0, list(mixer.stats()), True, mixer.times.describe(0.0)))


def _drop(report: Report) -> None:
    REPORTS.dump_json(report)
