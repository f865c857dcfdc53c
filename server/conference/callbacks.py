"""Who is to be told of which events: the callbacks that joins asked for, and what each subscribes to.

The tokens are those of `status_callback_event` and `recording_status_callback_event`. How a request is made, signed and
repeated is decided in `server.webhooks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Method = Literal["GET", "POST"]

Encoding = Literal["relay", "form"]
"""`relay`: the EVENT as JSON. `form`: the parameters of cXML and TwiML."""

STATUSES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "start": ("conference-start",),
    "end": ("conference-end",),
    "join": ("participant-join",),
    "leave": ("participant-leave",),
    "mute": ("participant-mute", "participant-unmute"),
    "hold": ("participant-hold", "participant-unhold"),
    "modify": ("participant-modify",),
    "speaker": ("participant-speech-start", "participant-speech-stop"),
    "announcement": ("announcement-end", "announcement-fail"),
}
"""Statuses that each token of `status_callback_event` subscribes to."""

DEFAULT_EVENTS: Final = ("start", "end")
DEFAULT_RECORDING_EVENTS: Final = ("completed",)
RECORDING_EVENTS: Final = ("in-progress", "completed", "absent", "failed")


@dataclass(frozen=True, slots=True)
class Callback:
    """An endpoint and what it is told. Of a conference the first join that names one decides it."""

    url: str
    events: tuple[str, ...]
    """Tokens."""
    encoding: Encoding = "relay"
    method: Method = "POST"
