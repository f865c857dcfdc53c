"""Recording: rules 4.8-1 to 4.8-8."""

import pytest

from server.conference.commands import (
    Command,
    End,
    Leave,
    MeasureRecording,
    PauseRecording,
    RecordingFinished,
    ResumeRecording,
    StartRecording,
    StopRecording,
)
from server.conference.model import EndReason
from server.conference.recordings import PauseBehavior, RecordingPlan, RecordingResult, RecordingState
from tests.server.conference.rules.support import refused, waiting
from tests.server.conference.scenario import Scenario, started

URL = "https://parley.test/v1/recordings/rec-1/audio"
PLAN = RecordingPlan("rec-1", URL)
DONE = RecordingResult(RecordingState.COMPLETED, 2.5, 40_044)


def recording(state: RecordingState = RecordingState.IN_PROGRESS) -> Scenario:
    """A recording that began at 1002 s."""
    scenario = started("a", "b")
    assert scenario.do(StartRecording(PLAN)) == ["record-start"]
    if state is RecordingState.PAUSED:
        scenario.do(PauseRecording("rec-1"))
    return scenario


def test_4_8_1_what_a_join_asked_for_is_recorded_from_the_start() -> None:
    scenario = Scenario()
    assert scenario.join("a", min_participants_to_start=2, recording=PLAN) == ["participant-join"]
    assert scenario.join("b") == ["participant-join", "conference-start", "record-start"]
    params = scenario.params()
    assert (params["recording_id"], params["recording_status"]) == ("rec-1", "in-progress")
    assert (params["recording_source"], params["recording_url"]) == ("Conference", URL)
    assert params["recording_start_time"] == params["timestamp"] == scenario.conference.started_at


def test_4_8_1_a_later_join_has_the_rest_recorded() -> None:
    scenario = started("a")
    assert scenario.join("b", recording=PLAN) == ["participant-join", "record-start"]


def test_4_8_2_the_first_join_that_asks_decides() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=3)
    scenario.join("b", recording=RecordingPlan("rec-1", URL, trim=False, tracks=True))
    assert scenario.join("c", recording=RecordingPlan("rec-2", URL)) == [
        "participant-join",
        "conference-start",
        "record-start",
    ]
    (only,) = scenario.conference.recordings
    assert (only.recording_id, only.plan.trim, only.plan.tracks) == ("rec-1", False, True)
    assert scenario.join("d", recording=RecordingPlan("rec-3", URL)) == ["participant-join"]


def test_4_8_3_a_request_starts_one_at_a_time_in_a_conference_that_goes_on() -> None:
    assert refused(waiting("a"), StartRecording(PLAN)) == "conference_not_started"
    scenario = recording()
    assert scenario.params()["recording_source"] == "StartConferenceRecordingAPI"
    assert refused(scenario, StartRecording(RecordingPlan("rec-2", URL))) == "recording_in_progress"
    scenario.do(StopRecording("rec-1"))
    assert scenario.do(StartRecording(RecordingPlan("rec-2", URL))) == ["record-start"]


@pytest.mark.parametrize(("behavior", "duration_s"), [(PauseBehavior.SILENCE, 3.0), (PauseBehavior.SKIP, 2.0)])
def test_4_8_4_a_pause_is_silence_or_left_out(behavior: PauseBehavior, duration_s: float) -> None:
    scenario = recording()
    assert scenario.do(PauseRecording("rec-1", behavior)) == ["record-pause"]
    assert (scenario.params()["recording_status"], scenario.params()["pause_behavior"]) == ("paused", behavior.value)
    assert scenario.do(ResumeRecording("rec-1")) == ["record-resume"]
    assert scenario.params()["recording_status"] == "in-progress"
    scenario.do(StopRecording("rec-1"))
    assert scenario.conference.recordings[0].recorded_s(scenario.now) == duration_s


@pytest.mark.parametrize(
    ("state", "command"),
    [(RecordingState.PAUSED, PauseRecording("rec-1")), (RecordingState.IN_PROGRESS, ResumeRecording("rec-1"))],
)
def test_4_8_4_what_is_so_already_changes_nothing(state: RecordingState, command: Command) -> None:
    assert recording(state).do(command) == []


def test_4_8_5_a_stopped_recording_is_told_when_its_files_are_done() -> None:
    scenario = recording()
    assert scenario.do(StopRecording("rec-1")) == ["(silent)"]
    assert scenario.conference.recordings[0].state is RecordingState.PROCESSING
    assert scenario.do(RecordingFinished("rec-1", DONE)) == ["record-stop"]
    params = scenario.params()
    assert (params["recording_status"], params["recording_url"]) == ("completed", URL)
    assert (params["recording_duration"], params["recording_file_size"]) == (2.5, 40_044)
    assert scenario.do(RecordingFinished("rec-1", DONE)) == []


@pytest.mark.parametrize("command", [PauseRecording("rec-1"), ResumeRecording("rec-1"), StopRecording("rec-1")])
def test_4_8_5_nothing_can_be_done_to_a_stopped_one(command: Command) -> None:
    scenario = recording()
    scenario.do(StopRecording("rec-1"))
    assert refused(scenario, command) == "recording_ended"
    assert refused(scenario, StopRecording("rec-2")) == "not_found"


def test_4_8_5_one_that_fails_says_why_and_what_is_left() -> None:
    scenario = recording()
    failed = RecordingResult(RecordingState.FAILED, 1.0, 16_044, reason="disk_full")
    assert scenario.do(RecordingFinished("rec-1", failed)) == ["record-stop"]
    params = scenario.params()
    assert (params["recording_status"], params["reason"], params["recording_file_size"]) == (
        "failed",
        "disk_full",
        16_044,
    )
    assert scenario.conference.recording is None


def test_4_8_6_the_end_of_the_conference_ends_it_and_its_result_may_follow() -> None:
    scenario = recording()
    assert scenario.do(End())[-1] == "conference-end"
    end = scenario.params()
    assert (end["recording_id"], end["recording_url"], end["recording_duration"]) == ("rec-1", URL, 1.0)
    assert "recording_file_size" not in end
    assert scenario.do(RecordingFinished("rec-1", DONE)) == ["record-stop"]
    assert refused(scenario, StartRecording(PLAN)) == "conference_ended"


def test_4_8_6_how_long_it_was_when_the_server_was_killed_is_not_guessed() -> None:
    scenario = recording()
    scenario.do(End(EndReason.SERVER_RESTARTED))
    assert scenario.params()["recording_id"] == "rec-1"
    assert "recording_duration" not in scenario.params()


def test_4_8_6_a_result_that_is_known_in_time_stands_in_the_end() -> None:
    scenario = recording()
    scenario.do(MeasureRecording("rec-1", DONE))
    assert scenario.do(Leave("b")) == ["participant-leave"]
    assert scenario.do(Leave("a")) == ["participant-leave", "conference-end", "record-stop"]
    end = scenario.log[-2].wire["params"]
    assert (end["recording_duration"], end["recording_file_size"]) == (2.5, 40_044)
    assert scenario.do(RecordingFinished("rec-1", DONE)) == []


def test_4_8_7_one_that_never_began_is_absent() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=2, recording=PLAN)
    assert scenario.do(Leave("a")) == ["participant-leave", "conference-end", "record-stop"]
    params = scenario.params()
    assert (params["recording_status"], params["recording_duration"]) == ("absent", 0.0)
    assert "recording_url" not in params


def test_4_8_8_recovered_ones_say_what_was_lost() -> None:
    scenario = recording()
    scenario.do(
        RecordingFinished("rec-1", RecordingResult(RecordingState.COMPLETED, 1.5, 9, recovered=True, lost_ms=180))
    )
    assert (scenario.params()["recovered"], scenario.params()["lost_ms"]) == (True, 180)
