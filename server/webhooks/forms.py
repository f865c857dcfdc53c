"""An EVENT as the form parameters of cXML and TwiML.

Decides the name and spelling of each parameter. The vendors' names stand for what they document; what only we know
(`EventId`, `Gap`, `Digits`, `Recovered`, `LostMs`) is added under names of the same style. Pure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from server.conference.model import LeftReason
from server.webhooks.model import Delivery, DeliveryKind

API_VERSION: Final = "2010-04-01"
_RECORDING: Final = "record-"
OLD_RECORD_END: Final = "conference-record-end"

_FLAGS: Final = {
    "muted": "Muted",
    "hold": "Hold",
    "coaching": "Coaching",
    "end_on_leave": "EndConferenceOnExit",
    "start_on_join": "StartConferenceOnEnter",
}
_CALL_STATUS: Final = {
    LeftReason.ADD_FAILED.value: "failed",
    LeftReason.MIXER_DIED.value: "failed",
    LeftReason.SERVER_RESTARTED.value: "failed",
    LeftReason.SERVER_STOPPED.value: "failed",
    LeftReason.UPDATED_VIA_API.value: "in-progress",
}
"""What became of the call of somebody who left; for every other reason it is `completed`."""


def sid(prefix: str, identifier: str) -> str:
    """Return an id as the vendors write it: `CF`, `CA` or `RE` and the UUID's 32 hexadecimal digits."""
    return prefix + identifier.replace("-", "")


def rfc2822(timestamp: float) -> str:
    """Return Unix seconds as `Wed, 18 Nov 2026 20:45:00 +0000`."""
    return format_datetime(datetime.fromtimestamp(timestamp, UTC))


def parameters(delivery: Delivery) -> dict[str, str]:
    """Return all parameters of a delivery; what an event says nothing of is left out."""
    params: Mapping[str, Any] = delivery.event["params"]
    if delivery.kind is DeliveryKind.STATUS and params["status"] == "record-stop":
        values = _envelope(delivery, params) | _old_record_end(params)
    elif str(params["status"]).startswith(_RECORDING):
        values = _envelope(delivery, params) | _recording(params)
    else:
        values = _envelope(delivery, params) | _participant(params) | _end(params) | _announcement(params)
    return {name: _text(value) for name, value in values.items() if value is not None}


def fields(delivery: Delivery) -> dict[str, str]:
    """Return the EVENT's own fields, those of `params` among them, for a query; lists and objects are left out."""
    flat = {**delivery.event, **delivery.event["params"]}
    if delivery.gap:
        flat["gap"] = True
    return {
        name: _text(value) for name, value in flat.items() if value is not None and isinstance(value, str | int | float)
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _envelope(delivery: Delivery, params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "AccountSid": delivery.project_id,
        "ApiVersion": API_VERSION,
        "ConferenceSid": sid("CF", params["conference_id"]),
        "FriendlyName": params["name"],
        "StatusCallbackEvent": params["status"],
        "EventName": params["status"],
        "EventId": delivery.event["id"],
        "SequenceNumber": delivery.event["sequence"],
        "Timestamp": rfc2822(delivery.event["timestamp"]),
        "Gap": True if delivery.gap else None,
    }


def _participant(params: Mapping[str, Any]) -> dict[str, Any]:
    # The flags tell events about a participant from those that only name one, like the start.
    if "muted" not in params:
        return {}
    coach, reason = params.get("coach"), params.get("reason_left")
    left = None if reason is None else _CALL_STATUS.get(reason, "completed")
    return {
        "CallSid": sid("CA", params["call_id"]),
        "CallStatus": left or "in-progress",
        **{name: params.get(field) for field, name in _FLAGS.items()},
        "ParticipantLabel": params.get("label"),
        "CallSidToCoach": None if coach is None else sid("CA", coach),
        "ParticipantCallStatus": left,
        "ReasonParticipantLeft": reason,
        "Digits": params.get("digit"),
    }


def _end(params: Mapping[str, Any]) -> dict[str, Any]:
    reason, ending = params.get("reason_ended"), params.get("call_id_ending_conf")
    if reason is None:
        return {}
    return {
        "ReasonConferenceEnded": reason,
        "Reason": str(reason).replace("-", " "),
        "CallSidEndingConference": None if ending is None else sid("CA", ending),
        "ParticipantLabelEndingConference": params.get("label_ending_conf"),
        "RecordingUrl": params.get("recording_url"),
        "RecordingFileSize": params.get("recording_file_size"),
        "Duration": _whole_seconds(params.get("recording_duration")),
    }


def _announcement(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "AnnounceUrl": params.get("announce_url"),
        "ReasonAnnouncementFailed": params.get("reason_announcement_failed"),
    }


def _recording(params: Mapping[str, Any]) -> dict[str, Any]:
    started_at = params.get("recording_start_time")
    return {
        "RecordingSid": sid("RE", params["recording_id"]),
        "RecordingStatus": params.get("recording_status"),
        "RecordingUrl": params.get("recording_url"),
        "RecordingDuration": _whole_seconds(params.get("recording_duration")),
        "RecordingFileSize": params.get("recording_file_size"),
        "RecordingChannels": params.get("recording_channels", 1),
        "RecordingStartTime": None if started_at is None else rfc2822(started_at),
        "RecordingSource": params.get("recording_source"),
        "Recovered": params.get("recovered"),
        "LostMs": params.get("lost_ms"),
        "Reason": params.get("reason"),
    }


def _old_record_end(params: Mapping[str, Any]) -> dict[str, Any]:
    """The end of a recording as a status callback tells it: the vendors' old event, which they still send."""
    return {
        "StatusCallbackEvent": OLD_RECORD_END,
        "EventName": OLD_RECORD_END,
        "RecordingUrl": params.get("recording_url"),
        "RecordingFileSize": params.get("recording_file_size"),
        "Duration": _whole_seconds(params.get("recording_duration")),
    }


def _whole_seconds(duration_s: float | None) -> int | None:
    """Seconds as the vendors send them; their clients read integers."""
    return None if duration_s is None else round(duration_s)
