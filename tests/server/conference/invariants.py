"""What holds of every conference at every moment, and of every step it takes, whatever was asked of it.

`docs/invariants.md` says each in words; what holds of the log is in `log_invariants`. Written against the definitions,
not against the code that is checked: who hears whom is worked out here a second time, pair by pair.
"""

from collections.abc import Sequence

from server.conference.beeps import Beep
from server.conference.directives import Program, legs
from server.conference.events import Event, ParticipantJoined, ParticipantLeft, RecordingStopped
from server.conference.model import Conference, ConferenceState, LeftReason, Participant, ParticipantState
from tests.server.conference import log_invariants
from tests.server.conference.scenario import Scenario


def check(scenario: Scenario) -> None:
    """Assert all invariants of a conference as it is and of all that has happened in it."""
    conference = scenario.conference
    size_counts_those_present(conference)
    states_agree(conference)
    waits_only_for_a_reason(conference)
    at_most_the_limit(conference)
    labels_are_unique(conference)
    coaches_point_at_somebody_present(conference)
    only_the_active_are_heard(conference)
    a_coach_is_heard_by_its_coachee_alone(conference)
    exceptions_to_the_mix_are_few(conference)
    everybody_hears_whom_the_rules_say(conference)
    whoever_hears_no_conference_has_a_program(conference)
    whoever_speaks_is_heard(conference)
    announcements_have_somebody_to_hear_them(conference)
    at_most_one_recording_goes_on(conference)
    log_invariants.check(conference, scenario.log, scenario.happened)


def size_counts_those_present(conference: Conference) -> None:
    assert conference.size == sum(p.state is not ParticipantState.LEFT for p in conference.participants.values())
    assert conference.size >= 0
    assert (conference.size == 0) == (conference.state is ConferenceState.ENDED)


def states_agree(conference: Conference) -> None:
    allowed = {
        ConferenceState.WAITING: {ParticipantState.CONNECTING, ParticipantState.WAITING, ParticipantState.LEFT},
        ConferenceState.ACTIVE: {ParticipantState.CONNECTING, ParticipantState.ACTIVE, ParticipantState.LEFT},
        ConferenceState.ENDED: {ParticipantState.LEFT},
    }[conference.state]
    assert {p.state for p in conference.participants.values()} <= allowed
    for stay in conference.stays:
        left = stay.state is ParticipantState.LEFT
        assert left == (stay.left_at is not None) == (stay.reason_left is not None)
    assert (conference.ended_at is not None) == (conference.state is ConferenceState.ENDED)
    assert (conference.reason_ended is not None) == (conference.state is ConferenceState.ENDED)
    if conference.state is not ConferenceState.ENDED:
        assert (conference.started_at is not None) == (conference.state is ConferenceState.ACTIVE)


def waits_only_for_a_reason(conference: Conference) -> None:
    if conference.state is ConferenceState.WAITING:
        can_start = any(p.start_on_enter for p in conference.present)
        assert not (can_start and conference.size >= conference.settings.min_participants_to_start)


def at_most_the_limit(conference: Conference) -> None:
    assert conference.size <= conference.max_participants


def labels_are_unique(conference: Conference) -> None:
    labels = [p.label for p in conference.present if p.label is not None]
    assert len(set(labels)) == len(labels)


def coaches_point_at_somebody_present(conference: Conference) -> None:
    present = {p.call_id: p for p in conference.present}
    for coach in present.values():
        if coach.coach is not None:
            assert coach.coaching
            assert coach.coach in present.keys() - {coach.call_id}


def only_the_active_are_heard(conference: Conference) -> None:
    directives = legs(conference)
    assert list(directives) == [p.call_id for p in conference.present]
    for participant in conference.present:
        directive = directives[participant.call_id]
        if conference.state is not ConferenceState.ACTIVE or participant.hold:
            assert not directive.heard
            assert not directive.hears
        if participant.muted:
            assert not directive.heard


def a_coach_is_heard_by_its_coachee_alone(conference: Conference) -> None:
    directives = legs(conference)
    for participant in conference.present:
        directive = directives[participant.call_id]
        if participant.coaching:
            assert directive.heard_by == ({participant.coach} - {None})
            assert not (directive.heard and participant.coach is None)
        else:
            assert directive.heard_by is None


def exceptions_to_the_mix_are_few(conference: Conference) -> None:
    # Never a matrix: at most one entry for each coach.
    exceptions = [d.heard_by for d in legs(conference).values() if d.heard_by is not None]
    assert len(exceptions) == sum(p.coaching for p in conference.present)
    assert all(len(hearers) <= 1 for hearers in exceptions)


def everybody_hears_whom_the_rules_say(conference: Conference) -> None:
    directives = legs(conference)
    for listener in conference.present:
        for talker in conference.present:
            if listener is talker:
                continue
            said = directives[talker.call_id]
            reaches = said.heard and (said.heard_by is None or listener.call_id in said.heard_by)
            told = directives[listener.call_id].hears and reaches
            assert told == _hears(conference, listener, talker), (listener, talker)


def _hears(conference: Conference, listener: Participant, talker: Participant) -> bool:
    if conference.state is not ConferenceState.ACTIVE:
        return False
    if listener.hold or talker.hold or talker.muted:
        return False
    return not talker.coaching or talker.coach == listener.call_id


def whoever_hears_no_conference_has_a_program(conference: Conference) -> None:
    for participant in conference.present:
        program = legs(conference)[participant.call_id].program
        if participant.hold:
            assert program == Program("hold", participant.hold_music.url, participant.hold_music.method)
        elif conference.state is ConferenceState.WAITING:
            assert program == Program("wait", participant.wait_music.url, participant.wait_music.method)
        else:
            assert program is None


def whoever_speaks_is_heard(conference: Conference) -> None:
    directives = legs(conference)
    for stay in conference.stays:
        if stay.speaking:
            assert stay.present
            assert directives[stay.call_id].heard


def announcements_have_somebody_to_hear_them(conference: Conference) -> None:
    assert not (conference.announcements and conference.state is ConferenceState.ENDED)
    for announcement in conference.announcements:
        assert announcement.call_id is None or conference.find_present(announcement.call_id)
    ids = [announcement.announcement_id for announcement in conference.announcements]
    assert len(set(ids)) == len(ids)


# ---- of one step ----------------------------------------------------------------------------------------------------


def a_refusal_changes_nothing(before: Conference | None, after: Conference | None, events: Sequence[Event]) -> None:
    assert after is before
    assert not events


def nothing_changes_without_an_event(
    before: Conference | None, after: Conference | None, events: Sequence[Event]
) -> None:
    assert (after is before) == (not events)


def at_most_one_recording_goes_on(conference: Conference) -> None:
    running = [recording for recording in conference.recordings if recording.state.running]
    assert len(running) <= (conference.state is ConferenceState.ACTIVE)
    assert conference.recording is (running[0] if running else None)
    for recording in conference.recordings:
        assert (recording.stopped_at is None) == recording.state.running
        assert not recording.state.final or recording.result is not None


def what_has_ended_stays_ended(before: Conference | None, events: Sequence[Event]) -> None:
    if before is not None and before.state is ConferenceState.ENDED:
        assert all(isinstance(event, RecordingStopped) for event in events)


def beeps_are_for_others_in_the_mix(
    before: Conference | None, events: Sequence[Event], after: Conference, beeps: Sequence[Beep]
) -> None:
    due: list[Beep] = []
    for event in events:
        if not isinstance(event, ParticipantJoined | ParticipantLeft) or after.state is not ConferenceState.ACTIVE:
            continue
        if all(p.hold for p in after.present if p.call_id != event.call_id):
            continue
        if isinstance(event, ParticipantJoined):
            due += [Beep("enter", event.call_id)] if after.participants[event.call_id].beep_on_enter else []
        elif before is not None and before.participants[event.call_id].beep_on_exit:
            due += [Beep("leave", event.call_id)] if event.reason is not LeftReason.ADD_FAILED else []
    assert list(beeps) == due
