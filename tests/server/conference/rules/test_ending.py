"""Leaving and ending: rules 4.7."""

from dataclasses import asdict, replace

import pytest

from server.conference.commands import Command, End, HangUp, Kick, Leave, Speech, Update
from server.conference.model import BeepMode, LeftReason, Music
from tests.server.conference.examples import MEDIA
from tests.server.conference.rules.support import JOIN, MUSIC, waiting
from tests.server.conference.scenario import started


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("unstarted", [False, True])
@pytest.mark.parametrize(
    ("command", "ends"),
    [
        (End(), True),
        (Leave("m"), True),
        (HangUp("m"), True),
        (HangUp("m", LeftReason.MEDIA_TIMEOUT), True),
        (Kick("m"), True),
        (Leave("a"), False),
        (Kick("a"), False),
    ],
)
def test_4_7_1_when_a_conference_ends(command: Command, ends: bool, unstarted: bool, hold: bool) -> None:
    scenario = waiting("a", "b") if unstarted else started("a", "b")
    scenario.join("m", end_on_exit=True, start_on_enter=False)
    scenario.do(Update("m", hold=hold))
    scenario.do(command)
    assert (scenario.conference.status == "completed") == ends
    if not ends:
        scenario.do(Update("m", end_on_exit=False))
        assert scenario.do(Leave("m")) == ["participant-leave"]
        assert scenario.do(Leave("b")) == ["participant-leave", "conference-end"]


def test_4_7_2_all_go_in_order_and_the_end_is_last() -> None:
    scenario = started("a")
    scenario.join("m", end_on_exit=True)
    scenario.join("b")
    scenario.do(Speech("b", speaking=True))
    scenario.announce("for-m", "m")
    scenario.announce("for-all")
    scenario.do(Leave("m"))
    assert scenario.logged()[-7:] == [
        ("announcement-fail", "m"),
        ("participant-leave", "m"),
        ("participant-leave", "a"),
        ("participant-speech-stop", "b"),
        ("participant-leave", "b"),
        ("announcement-fail", None),
        ("conference-end", "m"),
    ]


@pytest.mark.parametrize(
    ("end_on_exit", "command", "reason", "causer"),
    [
        (False, End(), "conference-ended-via-api", None),
        (False, Leave("a"), "last-participant-left", "a"),
        (False, HangUp("a"), "last-participant-left", "a"),
        (False, Kick("a"), "last-participant-kicked", "a"),
        (True, Leave("a"), "participant-with-end-conference-on-exit-left", "a"),
        (True, HangUp("a"), "participant-with-end-conference-on-exit-left", "a"),
        (True, Kick("a"), "participant-with-end-conference-on-exit-kicked", "a"),
        (True, End(), "conference-ended-via-api", None),
    ],
)
def test_4_7_3_why_a_conference_ended(end_on_exit: bool, command: Command, reason: str, causer: str | None) -> None:
    scenario = started("a", end_on_exit=end_on_exit)
    if end_on_exit:
        scenario.join("b")
    scenario.do(command)
    params = scenario.params()
    assert (params["reason_ended"], params.get("call_id_ending_conf")) == (reason, causer)


@pytest.mark.parametrize(
    ("command", "reason", "others_reason"),
    [
        (Leave("m"), "participant_updated_via_api", "moderator_ended_conference"),
        (Kick("m"), "participant_updated_via_api", "moderator_ended_conference"),
        (HangUp("m"), "participant_hung_up", "moderator_ended_conference"),
        (HangUp("m", LeftReason.MEDIA_TIMEOUT), "media_timeout", "moderator_ended_conference"),
        (HangUp("m", LeftReason.ADD_FAILED), "participant_add_failed", "moderator_ended_conference"),
        (End(), "conference_ended_via_api", "conference_ended_via_api"),
    ],
)
def test_4_7_4_why_a_participant_left(command: Command, reason: str, others_reason: str) -> None:
    scenario = started("m", end_on_exit=True)
    scenario.join("a")
    scenario.do(command)
    reasons = {p.call_id: p.reason_left.value for p in scenario.conference.stays if p.reason_left}
    assert reasons == {"m": reason, "a": others_reason}


def test_4_7_5_one_participant_is_enough() -> None:
    scenario = started("a", "b")
    assert scenario.do(Leave("b")) == ["participant-leave"]
    assert (scenario.conference.status, scenario.conference.size) == ("in-progress", 1)
    assert scenario.heard() == {"a": ""}
    assert (scenario.leg("a").hears, scenario.leg("a").program) == (True, None)


def test_4_7_6_who_comes_back_starts_anew() -> None:
    scenario = started("a")
    scenario.join("b", muted=True, beep=BeepMode.NONE, label="bob", end_on_exit=True)
    scenario.do(Update("b", hold=True, hold_url=MUSIC, gain_db=6.0, wait_url="", end_on_exit=False))
    scenario.do(Leave("b"))
    assert scenario.join("b") == JOIN
    b = scenario.participant("b")
    assert (b.muted, b.hold, b.label, b.beep_on_enter, b.end_on_exit) == (False, False, None, True, False)
    assert (b.gain_db, b.wait_music, b.hold_music) == (0.0, Music(), Music())
    assert [(p.call_id, p.muted, p.present) for p in scenario.conference.stays] == [
        ("a", False, True),
        ("b", True, False),
        ("b", False, True),
    ]


@pytest.mark.parametrize("command", [Leave, Kick, HangUp])
def test_4_7_7_a_leave_tells_what_the_media_did(command: type[Leave | Kick | HangUp]) -> None:
    scenario = started("a", "b", "c")
    scenario.do(command("a", media={"a": MEDIA, "b": replace(MEDIA, lost=99)}))
    assert scenario.params()["media"] == asdict(MEDIA)
    scenario.do(command("b"))
    assert "media" not in scenario.params()


def test_4_7_7_those_who_go_with_another_have_their_own_figures() -> None:
    ended, left = started("a", "b"), started("a", "b")
    left.join("m", end_on_exit=True)
    media = {"b": replace(MEDIA, lost=1), "a": replace(MEDIA, lost=2)}
    ended.do(End(media=media))
    left.do(Leave("m", media))
    for scenario in (ended, left):
        told = [entry.wire["params"] for entry in scenario.log]
        lost = {params["call_id"]: params["media"]["lost"] for params in told if "media" in params}
        assert lost == {"a": 2, "b": 1}
