"""Response bodies of the API: their fields, and how each is made from what the service knows."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from mixer.protocol import Spread
from server.api.examples import EVENT
from server.calls.model import Call, CallState
from server.conference.callbacks import Encoding, Method
from server.conference.moments import rfc3339_ms
from server.conference.recordings import RecordingState
from server.service_speech import Figures
from server.webhooks.model import DeliveryKind, DeliveryState


def _is_none(value: object) -> bool:
    return value is None


class FieldProblem(BaseModel):
    """One field of a request that is to blame."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem with a stable `code`."""

    type: str = Field(examples=["urn:parley:error:conference_full"])
    title: str = Field(examples=["The conference is full"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["conference_full"])
    detail: str = Field(examples=["the conference 'standup' has its 2 participants"])
    errors: list[FieldProblem] | None = None


class RtpAnswer(BaseModel):
    """Where the caller sends its RTP, and what it will be sent."""

    ip: str = Field(examples=["127.0.0.1"])
    port: int = Field(examples=[20000])
    codec: str = Field(examples=["pcmu"])
    payload_type: int = Field(examples=[0])
    ptime: int = Field(examples=[20])
    ssrc: int = Field(examples=[1234567890])
    sample_rate: int | None = Field(None, exclude_if=_is_none, description="Of L16 only.")
    dtmf_payload_type: int | None = Field(None, exclude_if=_is_none, description="If one was asked for.")
    audio_level_extension_id: int | None = Field(None, exclude_if=_is_none, description="If one was given.")


class MediaAnswer(BaseModel):
    """ANSWER."""

    rtp: RtpAnswer


class CallBody(BaseModel):
    """A call."""

    call_id: str
    state: CallState
    media: MediaAnswer
    label: str | None
    metadata: dict[str, Any]
    conference_id: str | None
    conference_name: str | None
    created_at: str
    ended_at: str | None
    reason_ended: str | None


class CallList(BaseModel):
    """Calls, oldest first."""

    calls: list[CallBody]


def media_answer(call: Call) -> MediaAnswer:
    """Return ANSWER for a call."""
    wire = call.media.format
    return MediaAnswer(
        rtp=RtpAnswer(
            ip=call.media_ip,
            port=call.local_port,
            codec=wire.codec,
            payload_type=wire.payload_type,
            ptime=call.media.ptime_ms,
            ssrc=call.outgoing.ssrc,
            sample_rate=wire.sample_rate if wire.codec == "l16" else None,
            dtmf_payload_type=wire.dtmf_payload_type,
            audio_level_extension_id=call.media.level_extension_id,
        )
    )


def call_body(call: Call) -> CallBody:
    """Return the body that describes a call."""
    return CallBody(
        call_id=call.call_id,
        state=call.state,
        media=media_answer(call),
        label=call.label,
        metadata=call.metadata,
        conference_id=call.conference_id,
        conference_name=call.conference_name,
        created_at=rfc3339_ms(call.created_at),
        ended_at=None if call.ended_at is None else rfc3339_ms(call.ended_at),
        reason_ended=call.reason_ended,
    )


class SpreadBody(BaseModel):
    """Percentiles over the last minute."""

    p50: float
    p99: float
    max: float


class MixerBody(BaseModel):
    """The mixer's own figures."""

    ticks: int
    late_ticks: int
    lateness_ms: SpreadBody
    work_ms: SpreadBody
    cpu_s: float


class LegBody(BaseModel):
    """One call's figures since it came into the conference."""

    call_id: str
    packets_in: int
    packets_out: int
    lost: int
    late: int
    duplicates: int
    concealed: int
    jitter_ms: float
    buffer_ms: float
    added_delay_ms: float
    level_dbov: float | None = Field(
        description="Null while an Opus call is not decoded as nobody hears it, unless it says itself how loud it is."
    )
    accelerated_ms: float = Field(description="Media time left out to wait less.")
    stretched_ms: float = Field(description="Sound added to wait longer.")
    far_end_loss: float | None = Field(
        description="Share, 0 to 1, of what was sent to it that it lost lately; null: it sends no RTCP reports."
    )
    round_trip_ms: float | None = Field(description="To it and back, by its last RTCP report; null: not known.")
    speaking: bool = Field(description="The others hear speech from it now.")


class StatsBody(BaseModel):
    """Figures of a conference."""

    mixer: MixerBody
    active_speaker: str | None = Field(description="Call id of the loudest of those who speak, kept for a while.")
    calls: list[LegBody]


def stats_body(figures: Figures) -> StatsBody:
    """Return the body for a conference's figures."""
    mixer = figures.mixer
    return StatsBody(
        mixer=MixerBody(
            ticks=mixer.ticks,
            late_ticks=mixer.late_ticks,
            lateness_ms=_spread(mixer.lateness_ms),
            work_ms=_spread(mixer.work_ms),
            cpu_s=mixer.cpu_s,
        ),
        active_speaker=figures.active_speaker,
        calls=[LegBody(**asdict(leg), speaking=leg.call_id in figures.speaking) for leg in figures.calls],
    )


def _spread(spread: Spread) -> SpreadBody:
    return SpreadBody(p50=spread.p50, p99=spread.p99, max=spread.max)


class Health(BaseModel):
    """Liveness."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Readiness; `reasons` says what is missing."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


class ParticipantBody(BaseModel):
    """PARTICIPANT: a call's stay in a conference."""

    call_id: str
    conference_id: str
    name: str
    label: str | None
    muted: bool
    hold: bool
    coaching: bool
    coach: str | None
    start_on_enter: bool
    end_on_exit: bool
    state: Literal["connecting", "waiting", "active", "left"]
    joined_at: str
    left_at: str | None
    reason_left: str | None
    speaking: bool
    metadata: dict[str, Any]


class ParticipantList(BaseModel):
    """Participants in the order of joining."""

    participants: list[ParticipantBody]


class ConferenceBody(BaseModel):
    """A conference."""

    conference_id: str
    name: str
    status: Literal["init", "in-progress", "completed"]
    size: int
    region: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    reason_ended: str | None
    recording_ids: list[str]
    last_sequence: int


class ConferenceList(BaseModel):
    """Conferences, the newest first."""

    conferences: list[ConferenceBody]


class JoinedBody(BaseModel):
    """Answer to a join."""

    code: Literal["200"] = "200"
    message: str = Field(examples=["joined"])
    call_id: str
    conference_id: str
    name: str
    participant: ParticipantBody


class CalledBody(JoinedBody):
    """Answer to calling and joining in one request."""

    media: MediaAnswer


class LeftBody(BaseModel):
    """Answer to leaving."""

    code: Literal["200"] = "200"
    message: str = Field(examples=["left"])
    call_id: str


class AnnouncedBody(BaseModel):
    """Answer to an announcement."""

    announcement_id: str


class EventList(BaseModel):
    """Events of a conference, gapless and in order."""

    events: list[dict[str, Any]] = Field(examples=[[EVENT]])
    last_sequence: int = Field(description="Of the conference; above the last event here if there are more.")


class RecordedTrack(BaseModel):
    """One participant's own voice."""

    call_id: str
    joined_offset_s: float = Field(description="Of its first sample after the room's.")
    duration_s: float
    byte_size: int
    sha256: str
    url: str


class RecordingBody(BaseModel):
    """RECORDING."""

    recording_id: str
    conference_id: str
    status: RecordingState
    started_at: str
    duration_s: float = Field(description="While it goes on, so far.")
    channels: int
    sample_rate: int | None
    byte_size: int | None = Field(description="Of what `url` returns, as is `sha256`; null while it goes on.")
    sha256: str | None
    trim: Literal["trim-silence", "do-not-trim"]
    url: str | None = Field(description="Of the audio; null if there is none.")
    tracks: list[RecordedTrack]


class RecordingList(BaseModel):
    """Recordings, the newest first."""

    recordings: list[RecordingBody]


class DeliveryBody(BaseModel):
    """What became of telling one endpoint of one event."""

    delivery_id: int
    conference_id: str
    event_id: str = Field(description="Also the `webhook-id` of every attempt.")
    sequence: int
    status: str = Field(examples=["participant-join"], description="Of the event.")
    kind: DeliveryKind
    url: str = Field(description="A name and password in it are not shown.")
    encoding: Encoding
    method: Method
    state: DeliveryState
    attempts: int
    created_at: str
    next_attempt_at: str | None = Field(description="While pending.")
    last_attempt_at: str | None
    delivered_at: str | None
    last_status: int | None = Field(description="HTTP status of the last answer; null: there was none.")
    last_error: str | None = Field(examples=["connect_timeout"])


class DeliveryList(BaseModel):
    """Deliveries, the newest first."""

    deliveries: list[DeliveryBody]


class ReplayedBody(BaseModel):
    """Answer to a replay."""

    replayed: int = Field(description="Deliveries that wait to be sent now.")
