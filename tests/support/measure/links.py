"""Links of which is known afterwards what they lost, so that others can be made to lose the same."""

from dataclasses import dataclass, replace

from tests.support.network import Conditions, Link


@dataclass(frozen=True, slots=True)
class Network:
    """What becomes of a talker's packets."""

    loss: float = 0.0
    burst: float | None = None
    """How many are lost in a row, on average; None: each is lost or not whatever became of the one before."""
    jitter_ms: float = 0.0


class FatedLink(Link):
    """A link whose losses come in bursts (a Gilbert model); `fate` tells of each datagram whether it was lost."""

    def __init__(self, network: Network, seed: int) -> None:
        super().__init__(replace(Conditions(), jitter_ms=network.jitter_ms), seed)
        burst = network.burst or 1 / (1 - network.loss)
        self._after_loss = 1 - 1 / burst
        self._after_none = network.loss / (1 - network.loss) / burst
        self.fate: list[bool] = []

    def send(self, datagram: bytes, now_ns: int) -> None:
        """See Link."""
        lost_before = bool(self.fate) and self.fate[-1]
        lost = bool(self._random.random() < (self._after_loss if lost_before else self._after_none))
        self.fate.append(lost)
        self.lost += lost
        if not lost:
            super().send(datagram, now_ns)
