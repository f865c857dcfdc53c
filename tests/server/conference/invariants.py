"""What holds of every conference at every moment, whatever was asked of it.

Written against the definitions, not against the code that is checked: who hears whom is worked out here a second
time, pair by pair.
"""

from collections.abc import Sequence

from server.conference.directives import legs
from server.conference.evolve import evolve
from server.conference.log import LoggedEvent
from server.conference.model import Conference, ConferenceState, Participant, ParticipantState


def check(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    """Assert all invariants of a conference and of its whole log."""
    size_counts_those_present(conference)
    states_agree(conference)
    at_most_the_limit(conference)
    labels_are_unique(conference)
    coaches_point_at_somebody_present(conference)
    everybody_hears_whom_the_rules_say(conference)
    sequence_is_gapless(conference, log)
    log_rebuilds_it(conference, log)
    every_stay_is_kept(conference, log)
    end_is_in_order(conference, log)


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
    if conference.state is ConferenceState.WAITING:
        assert conference.started_at is None
        can_start = any(p.start_on_enter for p in conference.present)
        assert not (can_start and conference.size >= conference.settings.min_participants_to_start)
    if conference.state is ConferenceState.ACTIVE:
        assert conference.started_at is not None


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


def everybody_hears_whom_the_rules_say(conference: Conference) -> None:
    directives = legs(conference)
    assert list(directives) == [p.call_id for p in conference.present]
    assert not any(said.heard and said.heard_by == frozenset() for said in directives.values())
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


def sequence_is_gapless(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    assert conference.sequence == len(log)
    for entry in log:
        params = entry.wire["params"]
        assert entry.wire["sequence"] == params["sequence"] == entry.sequence
        assert entry.wire["size"] == params["size"] >= 0
        assert params["status"] == entry.event.status


def log_rebuilds_it(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    rebuilt: Conference | None = None
    for entry in log:
        rebuilt = evolve(rebuilt, entry.event)
    assert rebuilt is not None
    assert (rebuilt.state, rebuilt.size, rebuilt.sequence) == (
        conference.state,
        conference.size,
        conference.sequence,
    )
    # Who has connected is not logged, so that alone may differ.
    assert [(p.call_id, p.muted, p.hold, p.coach, p.left_at) for p in rebuilt.stays] == [
        (p.call_id, p.muted, p.hold, p.coach, p.left_at) for p in conference.stays
    ]


def every_stay_is_kept(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    joins = [entry.wire["params"] for entry in log if entry.event.status == "participant-join"]
    assert [(stay.call_id, stay.joined_at) for stay in conference.stays] == [
        (params["call_id"], params["timestamp"]) for params in joins
    ]
    here = [params["call_id"] for params in joins if conference.find_present(params["call_id"])]
    last_joins = [call_id for number, call_id in enumerate(here) if call_id not in here[number + 1 :]]
    assert [p.call_id for p in conference.present] == last_joins


def end_is_in_order(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    statuses = [entry.wire["params"]["status"] for entry in log]
    ended = conference.state is ConferenceState.ENDED
    assert statuses.count("conference-end") == ended
    assert statuses.count("conference-start") == (conference.started_at is not None)
    if not ended:
        return
    assert statuses[-2:] == ["participant-leave", "conference-end"]
    end = log[-1].wire
    assert end["size"] == 0
    # All that happened at the last moment are leaves, and whoever caused it is the first of them.
    last = [entry.wire for entry in log[:-1] if entry.wire["timestamp"] == end["timestamp"]]
    assert {wire["params"]["status"] for wire in last} == {"participant-leave"}
    assert [wire["size"] for wire in last] == list(range(len(last) - 1, -1, -1))
    causer = end["params"].get("call_id_ending_conf")
    if causer is not None:
        assert last[0]["params"]["call_id"] == causer
