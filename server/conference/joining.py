"""The rules of joining: who may come in, what the first join decides, and when the conference starts."""

from server.conference.commands import Join
from server.conference.events import ConferenceStarted, Event, ParticipantJoined
from server.conference.model import (
    DEFAULT_MAX_PARTICIPANTS,
    MAX_PARTICIPANTS_BOUNDS,
    MIN_PARTICIPANTS_TO_START_BOUNDS,
    Conference,
    ConferenceSettings,
    ConferenceState,
    Music,
)
from server.conference.names import check_label, check_name, check_region
from server.conference.recording_rules import begin
from server.conference.refusals import Refusal


def join(conference: Conference | None, command: Join, now: float) -> list[Event]:
    """Return what a join brings about: the participant first, then the start it may have caused."""
    _check_values(command)
    settings = _settings(conference, command)
    if conference is not None:
        _check_place(conference, command, settings)
    if command.coach is not None:
        check_coachee(conference, command.coach)
    joined = ParticipantJoined(
        at=now,
        call_id=command.call_id,
        conference_id=command.conference_id if conference is None else conference.conference_id,
        name=command.name if conference is None else conference.name,
        project_id=command.project_id if conference is None else conference.project_id,
        settings=settings,
        label=command.label,
        metadata=command.metadata,
        tag=command.tag,
        muted=command.muted,
        coach=command.coach,
        start_on_enter=command.start_on_enter,
        end_on_exit=command.end_on_exit,
        media_connected=command.media_connected,
        beep_on_enter=command.beep.on_enter,
        beep_on_exit=command.beep.on_exit,
        wait_music=Music(command.wait_url, command.wait_method),
    )
    events: list[Event] = [joined]
    starts = _starts(conference, command, settings)
    if starts:
        events.append(ConferenceStarted(at=now, call_id=command.call_id))
    active = starts or (conference is not None and conference.state is ConferenceState.ACTIVE)
    return [*events, *begin(conference, settings.recording, now, active=active)]


def check_coachee(conference: Conference | None, call_id: str) -> None:
    """Refuse to coach a call that is not, right now, in this conference while it is in progress."""
    if conference is None or conference.state is not ConferenceState.ACTIVE:
        raise Refusal("coach_not_found", f"there is no conference in progress in which {call_id!r} could be coached")
    if conference.find_present(call_id) is None:
        raise Refusal("coach_not_found", f"the call {call_id!r} is not in the conference {conference.name!r}")


def _check_values(command: Join) -> None:
    check_name(command.name)
    if command.label is not None:
        check_label(command.label)
    if command.region is not None:
        check_region(command.region)
    _check_bounds("min_participants_to_start", command.min_participants_to_start, MIN_PARTICIPANTS_TO_START_BOUNDS)
    if command.max_participants is not None:
        _check_bounds("max_participants", command.max_participants, MAX_PARTICIPANTS_BOUNDS)


def _check_bounds(what: str, value: int, bounds: tuple[int, int]) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise Refusal("invalid_request", f"{what}: must be {low} to {high}, not {value}")


def _settings(conference: Conference | None, command: Join) -> ConferenceSettings:
    # The first join decides when to start; all else is decided by the first join that names it.
    had = None if conference is None else conference.settings
    settings = ConferenceSettings(
        min_participants_to_start=command.min_participants_to_start if had is None else had.min_participants_to_start,
        max_participants=(had and had.max_participants) or command.max_participants,
        region=(had and had.region) or command.region,
        default_region=command.default_region if had is None else had.default_region,
        callback=(had and had.callback) or command.callback,
        recording_callback=(had and had.recording_callback) or command.recording_callback,
        recording=(had and had.recording) or command.recording,
    )
    limit = settings.max_participants or DEFAULT_MAX_PARTICIPANTS
    if settings.min_participants_to_start > limit:
        raise Refusal(
            "invalid_request",
            f"max_participants: {limit} are too few for a conference that starts with "
            f"{settings.min_participants_to_start}",
        )
    return settings


def _check_place(conference: Conference, command: Join, settings: ConferenceSettings) -> None:
    if conference.state is ConferenceState.ENDED:
        raise Refusal("conference_ended", f"the conference {conference.name!r} has ended")
    if conference.find_present(command.call_id) is not None:
        raise Refusal(
            "call_already_in_conference",
            f"the call {command.call_id!r} is in the conference {conference.name!r}",
        )
    if command.label is not None and any(p.label == command.label for p in conference.present):
        raise Refusal("label_in_use", f"a participant of {conference.name!r} has the label {command.label!r}")
    limit = settings.max_participants or DEFAULT_MAX_PARTICIPANTS
    if conference.size >= limit:
        raise Refusal("conference_full", f"the conference {conference.name!r} has its {limit} participants")


def _starts(conference: Conference | None, command: Join, settings: ConferenceSettings) -> bool:
    # Only who is here now counts: a starter who came and went starts nothing.
    if conference is None:
        return command.start_on_enter and settings.min_participants_to_start <= 1
    if conference.state is not ConferenceState.WAITING:
        return False
    enough = conference.size + 1 >= settings.min_participants_to_start
    return enough and (command.start_on_enter or any(p.start_on_enter for p in conference.present))
