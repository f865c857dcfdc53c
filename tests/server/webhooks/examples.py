"""Deliveries to try things on."""

from typing import Any

from server.conference.callbacks import Encoding, Method
from server.webhooks.model import Delivery, DeliveryKind

CONFERENCE_ID = "7d7e0e5c-8f0a-4b4b-8a55-0b7a43a5c1aa"
CALL_ID = "0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5a001"
COACH_ID = "0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5a002"
RECORDING_ID = "9d7e0e5c-8f0a-4b4b-8a55-0b7a43a5c1bb"
EVENT_ID = "4b9c1f3e-2f0e-4a52-9e0e-5f6d0f3c9d11"
AT = 1795369500.25

PARTICIPANT = {
    "call_id": CALL_ID,
    "participant_call_id": CALL_ID,
    "muted": False,
    "hold": True,
    "coaching": False,
    "start_on_join": True,
    "end_on_leave": False,
}
RECORDING = {
    "recording_id": RECORDING_ID,
    "recording_status": "in-progress",
    "recording_url": "https://parley.example/v1/recordings/9d7e0e5c",
    "recording_source": "Conference",
    "recording_start_time": AT,
    "recording_channels": 1,
}


def event(
    status: str = "participant-join", *, sequence: int = 3, event_id: str = EVENT_ID, **params: Any
) -> dict[str, Any]:
    return {
        "id": event_id,
        "sequence": sequence,
        "event_type": "calling.conference",
        "event_channel": f"conference:{CONFERENCE_ID}",
        "timestamp": AT,
        "project_id": "dev",
        "space_id": "parley",
        "size": 1,
        "params": {
            "conference_id": CONFERENCE_ID,
            "name": "standup",
            "status": status,
            "size": 1,
            "sequence": sequence,
            "timestamp": AT,
            **params,
        },
    }


def delivery(
    of: dict[str, Any] | None = None,
    *,
    delivery_id: int = 1,
    lane_id: int = 1,
    url: str = "https://hooks.example/events",
    method: Method = "POST",
    encoding: Encoding = "relay",
    kind: DeliveryKind = DeliveryKind.STATUS,
    attempts: int = 0,
    next_at: float = AT,
    gap: bool = False,
) -> Delivery:
    return Delivery(
        delivery_id=delivery_id,
        lane_id=lane_id,
        conference_id=CONFERENCE_ID,
        project_id="dev",
        kind=kind,
        url=url,
        method=method,
        encoding=encoding,
        attempts=attempts,
        created_at=AT,
        next_at=next_at,
        event=of if of is not None else event(**PARTICIPANT),
        gap=gap,
    )
