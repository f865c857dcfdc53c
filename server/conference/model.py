"""What a conference is at one moment: values that never change, made by `evolve` from one event to the next.

This file decides which facts are kept; which of them may change, and when, is decided in `decide` and
`transitions`. A *participant* is a call's stay in a conference; the call itself belongs to `server.calls`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from server.conference.callbacks import Callback, Method
from server.conference.recordings import Recording, RecordingPlan

DEFAULT_MAX_PARTICIPANTS: Final = 100_000
MAX_PARTICIPANTS_BOUNDS: Final = (2, 100_000)
MIN_PARTICIPANTS_TO_START_BOUNDS: Final = (1, 100_000)
GAIN_DB_BOUNDS: Final = (-40.0, 40.0)
"""The range in which the SDK of the field sets the volume of what it plays."""


MAX_ANNOUNCEMENTS: Final = 100
"""How many may be playing or waiting their turn in one conference."""


class ConferenceState(StrEnum):
    """Where a conference is in its life; it never goes back."""

    WAITING = "waiting"
    ACTIVE = "active"
    ENDED = "ended"

    @property
    def status(self) -> str:
        """The name users read: `init`, `in-progress` or `completed`."""
        return _STATUS[self]


_STATUS: Final = {
    ConferenceState.WAITING: "init",
    ConferenceState.ACTIVE: "in-progress",
    ConferenceState.ENDED: "completed",
}


class ParticipantState(StrEnum):
    """Where a participant is: `connecting` only says that no packet has come yet."""

    CONNECTING = "connecting"
    WAITING = "waiting"
    ACTIVE = "active"
    LEFT = "left"


class LeftReason(StrEnum):
    """Why a participant is no longer in the conference; the first five are the field's words."""

    HUNG_UP = "participant_hung_up"
    UPDATED_VIA_API = "participant_updated_via_api"
    ADD_FAILED = "participant_add_failed"
    MODERATOR_ENDED = "moderator_ended_conference"
    CONFERENCE_ENDED_VIA_API = "conference_ended_via_api"
    MEDIA_TIMEOUT = "media_timeout"
    SERVER_RESTARTED = "server_restarted"
    SERVER_STOPPED = "server_stopped"
    MIXER_DIED = "mixer_died"


class EndReason(StrEnum):
    """Why a conference ended; the first five are the field's words."""

    VIA_API = "conference-ended-via-api"
    LAST_LEFT = "last-participant-left"
    LAST_KICKED = "last-participant-kicked"
    EXIT_LEFT = "participant-with-end-conference-on-exit-left"
    EXIT_KICKED = "participant-with-end-conference-on-exit-kicked"
    SERVER_RESTARTED = "server-restarted"
    SERVER_STOPPED = "server-stopped"
    MIXER_DIED = "mixer-died"


class BeepMode(StrEnum):
    """Whether the others hear a beep when a participant comes and when it goes, as the API spells it."""

    BOTH = "true"
    NONE = "false"
    ON_ENTER = "onEnter"
    ON_EXIT = "onExit"

    @property
    def on_enter(self) -> bool:
        """Coming is heard."""
        return self in (BeepMode.BOTH, BeepMode.ON_ENTER)

    @property
    def on_exit(self) -> bool:
        """Going is heard."""
        return self in (BeepMode.BOTH, BeepMode.ON_EXIT)


@dataclass(frozen=True, slots=True)
class Music:
    """What somebody who does not hear the conference hears instead."""

    url: str | None = None
    """None: the server's own music. Empty: silence."""
    method: Method | None = None
    """How the URL is fetched; None: whoever fetches it decides."""


SERVERS_MUSIC: Final = Music()


@dataclass(frozen=True, slots=True)
class Announcement:
    """Audio for all of a conference, or for one participant."""

    announcement_id: str
    url: str
    method: Method | None = None
    """How the URL is fetched; None: whoever fetches it decides."""
    call_id: str | None = None
    """The participant it is for; None: it is for all."""


@dataclass(frozen=True, slots=True)
class ConferenceSettings:
    """What joins have asked of the conference itself; the first join that names a thing decides it."""

    min_participants_to_start: int = 1
    max_participants: int | None = None
    """None: no join has named a limit, `DEFAULT_MAX_PARTICIPANTS` holds."""
    region: str | None = None
    """None: no join has named one, `default_region` is shown."""
    default_region: str | None = None
    callback: Callback | None = None
    """Told of what happens."""
    recording_callback: Callback | None = None
    """Told of recordings."""
    recording: RecordingPlan | None = None
    """What a join asked to have recorded."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One stay of a call in a conference, also after it ended."""

    call_id: str
    joined_at: float
    number: int
    """1 for the conference's first stay, 2 for the next; a clock that is set back does not disturb it."""
    state: ParticipantState = ParticipantState.CONNECTING
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    muted: bool = False
    hold: bool = False
    coaching: bool = False
    coach: str | None = None
    """The call being coached. None while `coaching`: the coachee has left, so nobody hears the coach."""
    start_on_enter: bool = True
    end_on_exit: bool = False
    gain_db: float = 0.0
    beep_on_enter: bool = True
    beep_on_exit: bool = True
    wait_music: Music = SERVERS_MUSIC
    hold_music: Music = SERVERS_MUSIC
    """Of the hold that goes on, else of the next; forgotten when a hold ends."""
    speaking: bool = False
    """The others hear speech from it now."""
    left_at: float | None = None
    reason_left: LeftReason | None = None

    @property
    def present(self) -> bool:
        """Whether the stay goes on; a participant counts from the moment its join is answered."""
        return self.state is not ParticipantState.LEFT


@dataclass(frozen=True, slots=True)
class Conference:
    """A conference after `sequence` logged events. Times are Unix seconds."""

    conference_id: str
    name: str
    project_id: str
    created_at: float
    settings: ConferenceSettings
    state: ConferenceState = ConferenceState.WAITING
    participants: Mapping[str, Participant] = field(default_factory=dict)
    """By call id, in the order of joining: each call's latest stay, those who left included."""
    earlier_stays: tuple[Participant, ...] = ()
    """Stays of calls that have since come back."""
    announcements: tuple[Announcement, ...] = ()
    """Those not over, in the order they came. The first of each target is playing. They are not logged until they
    are over, so a conference rebuilt from its log has none."""
    recordings: tuple[Recording, ...] = ()
    """All there ever were, in the order they started."""
    size: int = 0
    """Participants present."""
    sequence: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    reason_ended: EndReason | None = None
    call_id_ending_conf: str | None = None

    @property
    def status(self) -> str:
        """The state as users read it: `init`, `in-progress` or `completed`."""
        return self.state.status

    @property
    def region(self) -> str | None:
        """The region the first join that named one asked for, else the server's own."""
        return self.settings.region or self.settings.default_region

    @property
    def max_participants(self) -> int:
        """How many may be present at once."""
        return self.settings.max_participants or DEFAULT_MAX_PARTICIPANTS

    @property
    def present(self) -> tuple[Participant, ...]:
        """Participants who are here, in the order of joining."""
        return tuple(p for p in self.participants.values() if p.present)

    @property
    def stays(self) -> tuple[Participant, ...]:
        """Every stay there ever was, in the order of joining."""
        return tuple(sorted((*self.earlier_stays, *self.participants.values()), key=lambda p: p.number))

    @property
    def playing(self) -> tuple[Announcement, ...]:
        """The announcements whose turn it is, at most one for all and one for each participant."""
        first: dict[str | None, Announcement] = {}
        for announcement in self.announcements:
            first.setdefault(announcement.call_id, announcement)
        return tuple(first.values())

    @property
    def recording(self) -> Recording | None:
        """The recording that goes on, paused or not."""
        return next((recording for recording in self.recordings if recording.state.running), None)

    def find_recording(self, recording_id: str) -> Recording | None:
        """Return a recording of this conference."""
        return next((recording for recording in self.recordings if recording.recording_id == recording_id), None)

    def find_present(self, call_id: str) -> Participant | None:
        """Return the participant of that call if it is here."""
        participant = self.participants.get(call_id)
        return participant if participant is not None and participant.present else None
