"""What is to be told to whom: deliveries, the lanes they wait in, and what the sender needs of a store of them.

A *lane* is one conference's events for one endpoint: its deliveries go out one after the other, in the order in which
they were written. Lanes know nothing of each other. Where deliveries are kept is the journal's affair, when they are
tried `schedule`'s, how a request looks `envelope`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from server.conference.callbacks import Encoding, Method


class DeliveryKind(StrEnum):
    """Why an event is delivered."""

    STATUS = "status"
    """A participant's `status_callback` asked for it."""
    RECORDING = "recording"
    """A participant's `recording_status_callback` asked for it."""
    REPLAY = "replay"
    """Somebody asked for it again."""


class DeliveryState(StrEnum):
    """Where a delivery is; only one that is pending changes by itself."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up: tried as often as the schedule says, or the endpoint said that it wants nothing (410)."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An event of the same transaction, or of the log, that an endpoint is to be told of."""

    event_id: str
    kind: DeliveryKind
    url: str
    """As the user gave it, with a fragment of overrides, if any. The lane is that of the URL without it."""
    method: Method
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that waits, with all that is needed to make a request of it. Times are Unix seconds."""

    delivery_id: int
    lane_id: int
    conference_id: str
    project_id: str
    kind: DeliveryKind
    url: str
    method: Method
    encoding: Encoding
    attempts: int
    """Made so far."""
    created_at: float
    next_at: float
    """Not to be tried before."""
    event: Mapping[str, Any]
    """The logged EVENT."""
    gap: bool
    """An earlier delivery of the lane is dead: the receiver has not been told everything."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of an attempt."""

    delivery_id: int
    lane_id: int
    state: DeliveryState
    attempts: int
    at: float
    """When the attempt ended."""
    next_at: float | None
    """When the next one is due; only while `PENDING`."""
    last_status: int | None
    """HTTP status; None: there was no answer."""
    last_error: str | None
    """A word for programs, like `connect_timeout`; None: delivered."""
    closes_lane: bool = False
    """The endpoint wants nothing more: what else waits in the lane is dead, and so is what will come."""


@dataclass(frozen=True, slots=True)
class LaneDue:
    """A lane with something pending, and when its head is due."""

    lane_id: int
    next_at: float


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery as lists show it. Times are Unix seconds."""

    delivery_id: int
    conference_id: str
    event_id: str
    sequence: int
    status: str
    """Of the event, like `participant-join`."""
    kind: DeliveryKind
    url: str
    method: Method
    encoding: Encoding
    state: DeliveryState
    attempts: int
    created_at: float
    next_at: float | None
    last_attempt_at: float | None
    delivered_at: float | None
    last_status: int | None
    last_error: str | None


class Outbox(Protocol):
    """The store, as the sender sees it. Raises `JournalUnavailable` while it cannot be used."""

    async def lanes_due(self) -> list[LaneDue]:
        """Return every lane with something pending, with the time its head is due."""
        ...

    async def heads(self, lane_ids: Sequence[int], most_each: int) -> dict[int, list[Delivery]]:
        """Return the first pending deliveries of lanes, in order; a lane without any is left out."""
        ...

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Write what came of attempts, in one transaction. A delivery that is no longer pending stays as it is."""
        ...
