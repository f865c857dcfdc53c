"""What happened in a conference. The journal keeps these; everything else is derived from them.

`status` is the name users know an event by. Each event that has one takes the next sequence number and is
logged; those without one change the state silently and are forgotten with the process. `at` is Unix seconds.
There is no event for the creation of a conference: its first `ParticipantJoined` creates it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from server.conference.media import CallMedia
from server.conference.model import SERVERS_MUSIC, Announcement, ConferenceSettings, EndReason, LeftReason, Music
from server.conference.recordings import PauseBehavior, RecordingPlan, RecordingResult, RecordingSource


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happening:
    at: float
    status: ClassVar[str | None]

    @property
    def logged(self) -> bool:
        """Whether the event takes a sequence number and goes into the journal."""
        return self.status is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ParticipantHappening(_Happening):
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantJoined(_ParticipantHappening):
    """A call became a participant; the first one made the conference."""

    conference_id: str
    name: str
    project_id: str
    settings: ConferenceSettings
    """Of the conference, this join's wishes included."""
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    muted: bool = False
    coach: str | None = None
    start_on_enter: bool = True
    end_on_exit: bool = False
    media_connected: bool = False
    beep_on_enter: bool = True
    beep_on_exit: bool = True
    wait_music: Music = SERVERS_MUSIC
    type: Literal["participant_joined"] = "participant_joined"
    status: ClassVar[str | None] = "participant-join"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantConnected(_ParticipantHappening):
    """The first packet came. Nobody subscribes to that, so it has no status and no sequence number."""

    type: Literal["participant_connected"] = "participant_connected"
    status: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceStarted(_ParticipantHappening):
    """The join of `call_id` met the conditions: waiting is over for all, for good."""

    type: Literal["conference_started"] = "conference_started"
    status: ClassVar[str | None] = "conference-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantMuted(_ParticipantHappening):
    """Nobody hears the participant."""

    type: Literal["participant_muted"] = "participant_muted"
    status: ClassVar[str | None] = "participant-mute"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantUnmuted(_ParticipantHappening):
    """The participant is no longer muted."""

    type: Literal["participant_unmuted"] = "participant_unmuted"
    status: ClassVar[str | None] = "participant-unmute"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantHeld(_ParticipantHappening):
    """The participant neither hears the conference nor is heard; what it was before is kept."""

    hold_music: Music = SERVERS_MUSIC
    type: Literal["participant_held"] = "participant_held"
    status: ClassVar[str | None] = "participant-hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantUnheld(_ParticipantHappening):
    """The participant is back as it was before the hold."""

    type: Literal["participant_unheld"] = "participant_unheld"
    status: ClassVar[str | None] = "participant-unhold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantModified(_ParticipantHappening):
    """Something else about the participant changed; the fields are all as they are afterwards."""

    coaching: bool
    coach: str | None
    end_on_exit: bool
    gain_db: float
    beep_on_exit: bool = True
    wait_music: Music = SERVERS_MUSIC
    hold_music: Music = SERVERS_MUSIC
    type: Literal["participant_modified"] = "participant_modified"
    status: ClassVar[str | None] = "participant-modify"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantLost(_ParticipantHappening):
    """No media came for 5 s. It changes nothing."""

    type: Literal["participant_lost"] = "participant_lost"
    status: ClassVar[str | None] = "participant-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSentDigit(_ParticipantHappening):
    """The participant pressed a key. It changes nothing."""

    digit: str
    duration_ms: int
    type: Literal["participant_sent_digit"] = "participant_sent_digit"
    status: ClassVar[str | None] = "participant-dtmf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSpeechStarted(_ParticipantHappening):
    """The others hear speech from the participant."""

    type: Literal["participant_speech_started"] = "participant_speech_started"
    status: ClassVar[str | None] = "participant-speech-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSpeechStopped(_ParticipantHappening):
    """The others no longer hear speech from the participant, who may have been muted or held."""

    type: Literal["participant_speech_stopped"] = "participant_speech_stopped"
    status: ClassVar[str | None] = "participant-speech-stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantLeft(_ParticipantHappening):
    """The stay is over."""

    reason: LeftReason
    media: CallMedia | None = None
    """None: it never had any, or its mixer did not tell."""
    type: Literal["participant_left"] = "participant_left"
    status: ClassVar[str | None] = "participant-leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class _AnnouncementHappening(_Happening):
    announcement: Announcement


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementQueued(_AnnouncementHappening):
    """An announcement waits its turn. Users asked for it themselves and are told when it is over."""

    type: Literal["announcement_queued"] = "announcement_queued"
    status: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementStarted(_AnnouncementHappening):
    """It is the announcement's turn."""

    type: Literal["announcement_started"] = "announcement_started"
    status: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementEnded(_AnnouncementHappening):
    """The announcement was played to its end."""

    type: Literal["announcement_ended"] = "announcement_ended"
    status: ClassVar[str | None] = "announcement-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementFailed(_AnnouncementHappening):
    """The announcement was not played, or not to its end."""

    reason: str
    type: Literal["announcement_failed"] = "announcement_failed"
    status: ClassVar[str | None] = "announcement-fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(_Happening):
    """From now on the room is recorded."""

    plan: RecordingPlan
    source: RecordingSource
    type: Literal["recording_started"] = "recording_started"
    status: ClassVar[str | None] = "record-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class _RecordingHappening(_Happening):
    recording_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused(_RecordingHappening):
    """Nothing is recorded until it is resumed."""

    behavior: PauseBehavior
    type: Literal["recording_paused"] = "recording_paused"
    status: ClassVar[str | None] = "record-pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed(_RecordingHappening):
    """The pause is over."""

    type: Literal["recording_resumed"] = "recording_resumed"
    status: ClassVar[str | None] = "record-resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopping(_RecordingHappening):
    """Nothing more is recorded; the files are being finished."""

    type: Literal["recording_stopping"] = "recording_stopping"
    status: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingMeasured(_RecordingHappening):
    """The files are done; everybody is told in a moment, by `RecordingStopped`."""

    result: RecordingResult
    type: Literal["recording_measured"] = "recording_measured"
    status: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopped(_RecordingHappening):
    """The recording has come to its end. It may be told after the conference's own end."""

    result: RecordingResult
    type: Literal["recording_stopped"] = "recording_stopped"
    status: ClassVar[str | None] = "record-stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceEnded(_Happening):
    """Everybody has left and nobody can join any more."""

    reason: EndReason
    call_id_ending_conf: str | None = None
    """The call whose leaving ended it; None: no participant did."""
    type: Literal["conference_ended"] = "conference_ended"
    status: ClassVar[str | None] = "conference-end"


Event = (
    ParticipantJoined
    | ParticipantConnected
    | ConferenceStarted
    | ParticipantMuted
    | ParticipantUnmuted
    | ParticipantHeld
    | ParticipantUnheld
    | ParticipantModified
    | ParticipantLost
    | ParticipantSentDigit
    | ParticipantSpeechStarted
    | ParticipantSpeechStopped
    | ParticipantLeft
    | AnnouncementQueued
    | AnnouncementStarted
    | AnnouncementEnded
    | AnnouncementFailed
    | RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingStopping
    | RecordingMeasured
    | RecordingStopped
    | ConferenceEnded
)
