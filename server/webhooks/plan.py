"""Which endpoint is to be told of which events: a conference's callbacks against EVENTs. Pure.

What the tokens of a callback mean is said in `server.conference.callbacks`; that an event and its deliveries are
written together, and how they are sent, is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from server.conference.callbacks import STATUSES_OF, Callback
from server.conference.model import ConferenceSettings
from server.webhooks.model import DeliveryKind, NewDelivery

_RECORDING_PREFIX: Final = "record-"
_UNDER_WAY: Final = frozenset({"record-start", "record-pause", "record-resume"})
_UNDER_WAY_TOKEN: Final = "in-progress"
_RECORDING_STOPPED: Final = "record-stop"


def plan(settings: ConferenceSettings, wires: Sequence[Mapping[str, Any]]) -> list[NewDelivery]:
    """Return what is to be delivered of these EVENTs, in their order; nothing of an event that nobody asked for."""
    found = (_of_event(settings, wire) for wire in wires)
    return [delivery for delivery in found if delivery is not None]


def has_callback(settings: ConferenceSettings) -> bool:
    """True if any endpoint may be told of the conference."""
    return settings.callback is not None or settings.recording_callback is not None


def _of_event(settings: ConferenceSettings, wire: Mapping[str, Any]) -> NewDelivery | None:
    params = wire["params"]
    status: str = params["status"]
    if _is_old_record_end(settings, status, params):
        callback, kind, wanted = settings.callback, DeliveryKind.STATUS, True
    elif status.startswith(_RECORDING_PREFIX):
        callback, kind = settings.recording_callback, DeliveryKind.RECORDING
        wanted = callback is not None and _recording_token(status, params) in callback.events
    else:
        callback, kind = settings.callback, DeliveryKind.STATUS
        wanted = callback is not None and any(status in STATUSES_OF[token] for token in callback.events)
    return _delivery(wire["id"], kind, callback) if wanted and callback is not None else None


def _is_old_record_end(settings: ConferenceSettings, status: str, params: Mapping[str, Any]) -> bool:
    """True if a status callback of forms is told of it, by the name it had before there were recording callbacks."""
    form = settings.callback is not None and settings.callback.encoding == "form"
    done = status == _RECORDING_STOPPED and params["recording_status"] == "completed"
    return form and done and settings.recording_callback is None


def _recording_token(status: str, params: Mapping[str, Any]) -> str | None:
    """Return the token that subscribes to an event of a recording: how it ended, once it has."""
    if status in _UNDER_WAY:
        return _UNDER_WAY_TOKEN
    if status == _RECORDING_STOPPED:
        return str(params["recording_status"])
    return None


def _delivery(event_id: str, kind: DeliveryKind, callback: Callback) -> NewDelivery:
    return NewDelivery(
        event_id=event_id, kind=kind, url=callback.url, method=callback.method, encoding=callback.encoding
    )
