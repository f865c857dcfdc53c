import pytest

from server.conference.commands import End, ForcedEndReason, HangUp, HangUpReason, Kick, Leave, MediaConnected
from server.conference.model import EndReason, LeftReason, ParticipantState
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario, started


def test_one_of_several_leaves_and_the_conference_goes_on() -> None:
    scenario = started("a", "b")
    assert scenario.do(Leave("a")) == ["participant-leave"]
    left = scenario.participant("a")
    assert (left.state, left.reason_left, left.left_at) == (
        ParticipantState.LEFT,
        LeftReason.UPDATED_VIA_API,
        1002.0,
    )
    assert (scenario.conference.status, scenario.conference.size) == ("in-progress", 1)


@pytest.mark.parametrize(
    ("command", "reason_left", "reason_ended"),
    [
        (Leave("a"), "participant_updated_via_api", "last-participant-left"),
        (Kick("a"), "participant_updated_via_api", "last-participant-kicked"),
        (HangUp("a"), "participant_hung_up", "last-participant-left"),
        (HangUp("a", LeftReason.MEDIA_TIMEOUT), "media_timeout", "last-participant-left"),
        (HangUp("a", LeftReason.ADD_FAILED), "participant_add_failed", "last-participant-left"),
    ],
)
def test_the_last_one_to_go_ends_the_conference(
    command: Leave | Kick | HangUp, reason_left: str, reason_ended: str
) -> None:
    scenario = started("a")
    assert scenario.do(command) == ["participant-leave", "conference-end"]
    leave, end = (entry.wire["params"] for entry in scenario.log[-2:])
    assert leave["reason_left"] == reason_left
    assert (end["reason_ended"], end["call_id_ending_conf"]) == (reason_ended, "a")
    assert (scenario.conference.status, scenario.conference.size) == ("completed", 0)
    assert scenario.conference.ended_at == 1001.0


@pytest.mark.parametrize(
    ("command", "reason_ended"),
    [
        (Leave("m"), "participant-with-end-conference-on-exit-left"),
        (HangUp("m"), "participant-with-end-conference-on-exit-left"),
        (Kick("m"), "participant-with-end-conference-on-exit-kicked"),
    ],
)
def test_end_on_exit_ends_it_for_all_in_order(command: Leave | Kick | HangUp, reason_ended: str) -> None:
    scenario = started("a")
    scenario.join("m", end_on_exit=True)
    scenario.join("b")
    scenario.do(command)
    assert scenario.logged()[-4:] == [
        ("participant-leave", "m"),
        ("participant-leave", "a"),
        ("participant-leave", "b"),
        ("conference-end", "m"),
    ]
    assert [entry.wire["size"] for entry in scenario.log[-4:]] == [2, 1, 0, 0]
    assert scenario.participant("a").reason_left is LeftReason.MODERATOR_ENDED
    end = scenario.log[-1].wire["params"]
    assert (end["reason_ended"], end["call_id_ending_conf"]) == (reason_ended, "m")


def test_end_on_exit_counts_when_nobody_else_is_left() -> None:
    scenario = started("m", end_on_exit=True)
    scenario.do(Leave("m"))
    assert scenario.conference.reason_ended is EndReason.EXIT_LEFT


def test_end_on_exit_ends_a_conference_that_never_started() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    scenario.join("m", start_on_enter=False, end_on_exit=True)
    assert scenario.do(Leave("m")) == ["participant-leave", "participant-leave", "conference-end"]
    assert (scenario.conference.status, scenario.conference.started_at) == ("completed", None)


@pytest.mark.parametrize(
    ("reason", "reason_left"),
    [
        (EndReason.VIA_API, "conference_ended_via_api"),
        (EndReason.SERVER_RESTARTED, "server_restarted"),
        (EndReason.SERVER_STOPPED, "server_stopped"),
        (EndReason.MIXER_DIED, "mixer_died"),
    ],
)
def test_ending_from_outside(reason: ForcedEndReason, reason_left: str) -> None:
    scenario = started("a", "b")
    assert scenario.do(End(reason)) == ["participant-leave", "participant-leave", "conference-end"]
    assert [entry.wire["params"].get("reason_left") for entry in scenario.log[-3:]] == [
        reason_left,
        reason_left,
        None,
    ]
    assert scenario.conference.reason_ended is reason
    assert scenario.conference.call_id_ending_conf is None
    assert "call_id_ending_conf" not in scenario.log[-1].wire["params"]


@pytest.mark.parametrize("command", [Leave("a"), Kick("a"), HangUp("a"), End()])
def test_what_has_ended_stays_ended(command: Leave | Kick | HangUp | End) -> None:
    scenario = started("a")
    scenario.do(End())
    with pytest.raises(Refusal) as refusal:
        scenario.do(command)
    assert refusal.value.code == "conference_ended"


@pytest.mark.parametrize("command", [Leave, Kick, HangUp])
def test_who_is_not_here_cannot_leave(command: type[Leave | Kick | HangUp]) -> None:
    scenario = started("a", "b")
    scenario.do(Leave("b"))
    for call_id in ("b", "stranger"):
        with pytest.raises(Refusal) as refusal:
            scenario.do(command(call_id))
        assert refusal.value.code == "not_in_conference"


@pytest.mark.parametrize("reason", [LeftReason.HUNG_UP, LeftReason.MEDIA_TIMEOUT])
def test_a_connecting_and_an_active_participant_leave_alike(reason: HangUpReason) -> None:
    scenario = started("a", "b", "c")
    scenario.do(MediaConnected("a"))
    assert scenario.do(HangUp("a", reason)) == scenario.do(HangUp("b", reason)) == ["participant-leave"]


def test_coachee_leaves_and_its_coaches_listen_on_unheard() -> None:
    scenario = started("a", "b")
    for coach in "cde":
        scenario.join(coach, coach="b" if coach == "e" else "a")
    assert scenario.do(Leave("a")) == ["participant-leave", "participant-modify", "participant-modify"]
    assert [call_id for _, call_id in scenario.logged()[-3:]] == ["a", "c", "d"]
    assert (scenario.participant("c").coaching, scenario.participant("c").coach) == (True, None)
    assert scenario.log[-1].wire["params"]["coaching"] is True
    assert scenario.participant("e").coach == "b"
    assert scenario.heard() == {"b": "e", "c": "b", "d": "b", "e": "b"}


def test_a_coachee_that_comes_back_is_not_coached_again_by_itself() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Leave("a"))
    scenario.join("a")
    assert scenario.heard() == {"b": "a", "c": "ba", "a": "b"}


def test_coaches_are_not_modified_by_an_end() -> None:
    scenario = started("a", end_on_exit=True)
    scenario.join("c", coach="a")
    assert scenario.do(Leave("a")) == ["participant-leave", "participant-leave", "conference-end"]
