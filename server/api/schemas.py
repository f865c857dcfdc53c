"""Request bodies of the API: which fields there are, what each may be, and what this version refuses to promise.

A field that asks for something this version cannot carry out is validated like any other and then refused by
`refuse_unsupported`; it is never ignored.
"""

from typing import Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from mixer.protocol import Codec
from server.api.fields import (
    Beep,
    CallbackType,
    CallbackUrl,
    CallId,
    Label,
    Metadata,
    Method,
    Name,
    RecordingEvents,
    Region,
    Request,
    SoundUrl,
    StatusEvents,
    rendered,
)
from server.calls.media import Direction, JitterBuffer, refuse_sdp, rtp_media
from server.calls.model import RtpMedia
from server.conference.callbacks import DEFAULT_EVENTS, DEFAULT_RECORDING_EVENTS, Callback, Encoding
from server.conference.model import GAIN_DB_BOUNDS
from server.errors import ParleyError

Trim = Literal["trim-silence", "do-not-trim"]
_SOUND: Final = 'Null: the server\'s own music. "": silence.'


class Rtp(Request):
    """Where and how the caller sends and wants to be sent RTP."""

    codec: Codec = Field(description="Codec both ways.")
    ip: str | None = Field(None, description="IPv4 address of the caller; without ip and port it is learnt.")
    port: int | None = Field(None, description="UDP port of the caller, 1 to 65535.")
    payload_type: int | None = Field(None, description="0 to 127, not 64 to 95; 0, 8, 9, 96, 111 by default.")
    ptime: int | None = Field(None, ge=1, le=200, description="Milliseconds a packet; any is accepted, 20 are sent.")
    dtmf_payload_type: int | None = Field(None, description="RFC 4733 telephone-event, if digits are sent that way.")
    ssrc: int | None = Field(None, ge=0, le=0xFFFFFFFF, description="The caller's SSRC; others are dropped.")
    sample_rate: int | None = Field(None, description="L16 only: 8000, 16000 (default), 24000 or 48000.")
    direction: Direction = Field("sendrecv", description="As the caller sees it.")
    audio_level_extension_id: int | None = Field(
        None, ge=1, le=14, description="Id of the RFC 6464 audio level header extension, if the caller sends it."
    )

    def negotiate(self) -> RtpMedia:
        """Return the media of the call; raise `ParleyError` naming what is wrong."""
        return rtp_media(
            codec=self.codec,
            ip=self.ip,
            port=self.port,
            payload_type=self.payload_type,
            sample_rate=self.sample_rate,
            dtmf_payload_type=self.dtmf_payload_type,
            ssrc=self.ssrc,
            direction=self.direction,
            level_extension_id=self.audio_level_extension_id,
        )


class Media(Request):
    """The media of a call: `{"rtp": ...}`; SDP comes in a later version."""

    rtp: Rtp | None = None
    sdp: str | None = Field(None, max_length=65536, description="Not in this version.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.rtp is None) == (self.sdp is None):
            raise ValueError("give either rtp or sdp")
        return self

    def negotiate(self) -> RtpMedia:
        """Return the media of the call; raise `ParleyError` if it cannot be had."""
        if self.rtp is None:
            raise refuse_sdp()
        return self.rtp.negotiate()


class CreateCall(Request):
    """Body of `POST /v1/calls`."""

    media: Media
    label: Label | None = None
    metadata: Metadata | None = None


class JoinParameters(Request):
    """JOIN without `name`: how a call takes part in a conference."""

    muted: bool = Field(False, description="Not heard from the start; hears the others.")
    beep: Beep = Field("true", description="When its coming and going is to be announced; JSON booleans work too.")
    start_on_enter: bool = Field(True, description="Its join may start the conference.")
    end_on_exit: bool = Field(False, description="Its leaving ends the conference.")
    wait_url: SoundUrl | None = Field(None, description=f"Heard until the conference starts. {_SOUND}")
    max_participants: int | None = Field(None, ge=2, le=100_000, description="The first join that says so decides.")
    min_participants_to_start: int | None = Field(None, ge=1, le=100_000, description="The first join decides.")
    record: Literal["record-from-start", "do-not-record"] = Field(
        "do-not-record", description="Record the conference from its start, or from this join on if it has started."
    )
    region: Region | None = Field(None, description="Echoed; the first join that says so decides.")
    trim: Trim = "trim-silence"
    coach: CallId | None = Field(None, description="The call to coach: it alone hears this one.")
    status_callback: CallbackUrl | None = Field(
        None, description="Is told of the conference's events; the first join that gives one decides."
    )
    status_callback_event: StatusEvents | None = Field(None, description="Which; `start end` if not given.")
    status_callback_event_type: CallbackType | None = Field(
        None, description="`relay`, `application/json`: JSON. `cxml`, `laml`: a form. JSON if not given."
    )
    status_callback_method: Method = "POST"
    recording_status_callback: CallbackUrl | None = Field(None, description="Is told of the conference's recordings.")
    recording_status_callback_event: RecordingEvents | None = Field(None, description="`completed` if not given.")
    recording_status_callback_event_type: CallbackType | None = Field(None, description="JSON if not given.")
    recording_status_callback_method: Method = "POST"
    stream: dict[str, JsonValue] | None = None
    tracks: bool = Field(False, description="Record each participant on a track of its own.")
    jitter_buffer: JitterBuffer = Field("adaptive", description="How much delay may be spent against jitter.")

    @property
    def callback(self) -> Callback | None:
        """What `status_callback` and its fields ask for."""
        if not self.status_callback:
            return None
        events = _tokens(self.status_callback_event, DEFAULT_EVENTS)
        encoding = _encoding(self.status_callback_event_type)
        return Callback(self.status_callback, events, encoding, self.status_callback_method)

    @property
    def recording_callback(self) -> Callback | None:
        """What `recording_status_callback` and its fields ask for."""
        if not self.recording_status_callback:
            return None
        events = _tokens(self.recording_status_callback_event, DEFAULT_RECORDING_EVENTS)
        encoding = _encoding(self.recording_status_callback_event_type)
        return Callback(self.recording_status_callback, events, encoding, self.recording_status_callback_method)

    def refuse_unsupported(self) -> None:
        """Raise `ParleyError` (not_supported_yet) for the first field this version cannot carry out."""
        _refuse([name for name in _JOIN_LATER if rendered(getattr(self, name))])


class Join(JoinParameters):
    """Body of `POST /v1/calls/{call_id}/join_conference`."""

    name: Name


class CallAndJoin(JoinParameters):
    """Body of `POST /v1/conferences/{name}/participants`."""

    media: Media
    label: Label | None = None
    metadata: Metadata | None = None


class Leave(Request):
    """Body of `POST /v1/calls/{call_id}/leave_conference`."""

    conference_id: str = Field(min_length=1, max_length=128, description="Id, or name in progress.")


class PatchParticipant(Request):
    """Body of `PATCH .../participants/{call_id}`: fields that are not given stay as they are."""

    muted: bool = False
    hold: bool = False
    hold_url: SoundUrl | None = Field(None, description=f"Heard in this hold, or the next. {_SOUND}")
    coach: CallId | None = Field(None, description="The call to coach; implies coaching.")
    coaching: bool = False
    end_on_exit: bool = False
    beep_on_exit: bool = Field(True, description="Its leaving is announced to the others by a beep.")
    gain_db: float = Field(
        0.0,
        ge=GAIN_DB_BOUNDS[0],
        le=GAIN_DB_BOUNDS[1],
        allow_inf_nan=False,
        description="How much louder the others hear it.",
    )
    wait_url: SoundUrl | None = Field(None, description=f"Heard until the conference starts. {_SOUND}")


class Announce(Request):
    """Body of `POST .../announcements`."""

    url: SoundUrl = Field(min_length=1, description="Audio (WAV, MP3, Ogg, FLAC, …), http or https.")
    call_id: CallId | None = Field(None, description="The participant to play it to; otherwise all hear it.")


class StartRecording(Request):
    """Body of `POST .../recordings`."""

    trim: Trim = Field("trim-silence", description="Silence at both ends of the room's sound is cut off.")
    tracks: bool = Field(False, description="Record each participant on a track of its own, too.")


class PatchRecording(Request):
    """Body of `PATCH /v1/recordings/{id}`."""

    status: Literal["paused", "in-progress", "stopped"]
    pause_behavior: Literal["silence", "skip"] | None = Field(
        None, description="What becomes of the pause: `silence`, if not given, or `skip`: its time is left out."
    )


class Replay(Request):
    """Body of `POST .../events/replay`."""

    after: int = Field(ge=0, le=2**62, description="Events with a higher sequence number; 0: all.")
    until: int | None = Field(
        None, ge=1, le=2**62, description="The last sequence number; otherwise the last there is."
    )
    url: SoundUrl | None = Field(None, min_length=1, description="Told of all of them; otherwise the callbacks are.")


_JOIN_LATER: Final = ("stream",)
_JSON: Final = (None, "relay", "application/json")


def _tokens(given: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else tuple(dict.fromkeys(given.split()))


def _encoding(kind: CallbackType | None) -> Encoding:
    return "relay" if kind in _JSON else "form"


def _refuse(names: list[str]) -> None:
    if names:
        raise ParleyError(
            "not_supported_yet",
            f"{names[0]}: this version of the server cannot do that; leave the field out",
            fields=tuple((name, "not supported yet") for name in names),
        )
