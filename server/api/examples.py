"""Example bodies that the OpenAPI shows; a test sends the requests to see that they work."""

from typing import Any, Final

_RTP: Final = {"ip": "127.0.0.1", "port": 40000, "codec": "pcmu"}

CREATE_CALL: Final[dict[str, Any]] = {
    "media": {"rtp": {**_RTP, "dtmf_payload_type": 101}},
    "label": "anna",
    "metadata": {"ticket": 4711},
}
JOIN: Final[dict[str, Any]] = {"name": "standup", "muted": False, "end_on_exit": True, "max_participants": 10}
LEAVE: Final[dict[str, Any]] = {"conference_id": "standup"}
CALL_AND_JOIN: Final[dict[str, Any]] = {"media": {"rtp": {"codec": "opus", "ip": "127.0.0.1", "port": 40002}}}
PATCH: Final[dict[str, Any]] = {"muted": True, "gain_db": -3.0, "hold": True, "hold_url": ""}
ANNOUNCE: Final[dict[str, Any]] = {"url": "https://example.org/closing-in-five-minutes.wav"}
RECORD: Final[dict[str, Any]] = {"trim": "do-not-trim", "tracks": True}
PAUSE: Final[dict[str, Any]] = {"status": "paused", "pause_behavior": "skip"}
REPLAY: Final[dict[str, Any]] = {"after": 0, "url": "https://example.org/parley-events"}
EVENT: Final[dict[str, Any]] = {
    "id": "4b9c1f3e-2f0e-4a52-9e0e-5f6d0f3c9d11",
    "sequence": 1,
    "event_type": "calling.conference",
    "event_channel": "conference:7d7e0e5c-8f0a-4b4b-8a55-0b7a43a5c1aa",
    "timestamp": 1795369500.25,
    "project_id": "dev",
    "space_id": "parley",
    "size": 1,
    "params": {
        "status": "participant-join",
        "conference_id": "7d7e0e5c-8f0a-4b4b-8a55-0b7a43a5c1aa",
        "name": "standup",
        "call_id": "0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5a001",
        "participant_call_id": "0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5a001",
        "muted": False,
        "hold": False,
        "coaching": False,
        "start_on_join": True,
        "end_on_leave": False,
        "size": 1,
    },
}
