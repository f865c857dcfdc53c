"""Random histories of a conference against `invariants`: commands of every kind, sensible or not, in any order.

Where `CI` is set, as it is in continuous integration, 2 000 histories are tried; elsewhere a tenth of them, as the
tests are run often there. A number in `PARLEY_TEST_HISTORIES` is taken in place of both.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from server.conference.commands import (
    KEEP,
    Announce,
    AnnouncementPlayed,
    AnnouncementUnplayable,
    Command,
    Digit,
    End,
    HangUp,
    HangUpReason,
    Join,
    Kick,
    Leave,
    MeasureRecording,
    MediaConnected,
    MediaLost,
    PauseRecording,
    RecordingFinished,
    ResumeRecording,
    Speech,
    StartRecording,
    StopRecording,
    Update,
)
from server.conference.model import BeepMode, ConferenceState, LeftReason
from server.conference.recordings import PauseBehavior, RecordingPlan, RecordingResult, RecordingState
from server.conference.refusals import REFUSAL_CODES, Refusal
from tests.server.conference import invariants
from tests.server.conference.scenario import Scenario, a_join

# Half a minute's work, for which a busy machine may take ten times as long.
pytestmark = pytest.mark.timeout(600)
HISTORIES = int(os.environ.get("PARLEY_TEST_HISTORIES") or (2000 if os.environ.get("CI") else 200))

CALLS = st.sampled_from("abcd")
SOMEONE = st.integers(0, 3) | CALLS
MAYBE = st.none() | st.booleans()
URLS = st.sampled_from([None, "", "https://example.org/music.mp3"])
SELDOM = st.sampled_from([False] * 5 + [True])
OFTEN = SELDOM.map(lambda seldom: not seldom)

# Mostly possible, so that histories get somewhere; `ODD_JOINS` are the other kind.
JOINS = st.fixed_dictionaries(
    {"call_id": CALLS, "muted": SELDOM, "start_on_enter": st.booleans(), "end_on_exit": SELDOM},
    optional={
        "label": st.sampled_from(["anna", "bob"]),
        "media_connected": st.booleans(),
        "min_participants_to_start": st.integers(1, 3),
        "max_participants": st.integers(3, 5),
        "beep": st.sampled_from(BeepMode),
        "wait_url": URLS,
        "recording": st.integers(1, 3).map(lambda number: a_plan(f"wished-{number}")),
    },
)
ODD_JOINS = st.fixed_dictionaries(
    {"call_id": CALLS},
    optional={
        "label": st.sampled_from(["anna", "bob", "a/b"]),
        "coach": CALLS,
        "min_participants_to_start": st.integers(0, 3),
        "max_participants": st.integers(1, 4),
        "region": st.sampled_from(["eu", "us", "?"]),
    },
)
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "muted": MAYBE,
        "hold": MAYBE,
        "coach": st.none() | CALLS,
        "coaching": MAYBE,
        "end_on_exit": MAYBE,
        "gain_db": st.none() | st.floats(-50, 50),
        "beep_on_exit": MAYBE,
        "wait_url": st.just(KEEP) | URLS,
        "hold_url": st.just(KEEP) | URLS,
    },
)
RESULTS = st.sampled_from(
    [
        RecordingResult(RecordingState.COMPLETED, 3.5, 56_044),
        RecordingResult(RecordingState.COMPLETED, 2.0, 32_044, recovered=True, lost_ms=180),
        RecordingResult(RecordingState.ABSENT),
        RecordingResult(RecordingState.FAILED, 1.0, 16_044, reason="disk_full"),
    ]
)
HANG_UPS = st.sampled_from([LeftReason.HUNG_UP, LeftReason.MEDIA_TIMEOUT, LeftReason.ADD_FAILED])


def a_plan(recording_id: str) -> RecordingPlan:
    return RecordingPlan(recording_id, f"http://parley.test/v1/recordings/{recording_id}/audio")


class ConferenceMachine(RuleBasedStateMachine):
    """One conference; when it has ended, the name's next one."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()
        self.generation = 1
        self.announced = 0
        self.recorded = 0

    def someone(self, pick: str | int) -> str:
        """Return the call of that name, or if a number is given, somebody who is present: most have to be."""
        if isinstance(pick, str) or self.scenario.current is None:
            return str(pick)
        present = self.scenario.current.present
        return present[pick % len(present)].call_id if present else "a"

    def attempt(self, command: Command) -> None:
        before, happened = self.scenario.current, len(self.scenario.happened)
        try:
            events = self.scenario.events(command)
        except Refusal as refusal:
            assert refusal.code in REFUSAL_CODES
            invariants.a_refusal_changes_nothing(before, self.scenario.current, self.scenario.happened[happened:])
            return
        invariants.nothing_changes_without_an_event(before, self.scenario.current, events)
        invariants.what_has_ended_stays_ended(before, events)
        if events:
            invariants.beeps_are_for_others_in_the_mix(before, events, self.scenario.conference, self.scenario.beeps)

    @rule(fields=JOINS)
    def join(self, fields: dict[str, Any]) -> None:
        self.attempt(a_join(conference_id=f"conf-{self.generation}", **fields))

    @rule(fields=ODD_JOINS)
    def join_oddly(self, fields: dict[str, Any]) -> None:
        self.attempt(a_join(conference_id=f"conf-{self.generation}", **fields))

    @rule(call_id=CALLS, coachee=SOMEONE, joining=st.booleans())
    def coach(self, call_id: str, coachee: str | int, joining: bool) -> None:
        if joining:
            self.attempt(a_join(call_id, conference_id=f"conf-{self.generation}", coach=self.someone(coachee)))
        else:
            self.attempt(Update(call_id, coach=self.someone(coachee)))

    @rule(pick=SOMEONE, fields=UPDATES)
    def update(self, pick: str | int, fields: dict[str, Any]) -> None:
        command = Update(self.someone(pick), **fields)
        self.attempt(command)
        # Asked a second time, it changes nothing.
        happened = len(self.scenario.happened)
        self.attempt(command)
        assert len(self.scenario.happened) == happened

    @rule(pick=SOMEONE, muted=MAYBE, hold=MAYBE)
    def mute_or_hold(self, pick: str | int, muted: bool | None, hold: bool | None) -> None:
        self.attempt(Update(self.someone(pick), muted=muted, hold=hold))

    @rule(pick=SOMEONE)
    def leave(self, pick: str | int) -> None:
        self.attempt(Leave(self.someone(pick)))

    @rule(pick=SOMEONE)
    def kick(self, pick: str | int) -> None:
        self.attempt(Kick(self.someone(pick)))

    @rule(call_id=CALLS, reason=HANG_UPS)
    def hang_up(self, call_id: str, reason: HangUpReason) -> None:
        self.attempt(HangUp(call_id, reason))

    @rule(call_id=CALLS, kind=st.sampled_from([MediaConnected, MediaLost]))
    def report(self, call_id: str, kind: type[MediaConnected | MediaLost]) -> None:
        self.attempt(kind(call_id))

    @rule(call_id=CALLS, digit=st.sampled_from("0123456789*#ABCD"))
    def press(self, call_id: str, digit: str) -> None:
        self.attempt(Digit(call_id, digit, 100))

    @rule(pick=SOMEONE, speaking=OFTEN)
    def speak(self, pick: str | int, speaking: bool) -> None:
        self.attempt(Speech(self.someone(pick), speaking))

    @rule(pick=st.none() | SOMEONE, times=st.integers(1, 3))
    def announce(self, pick: str | int | None, times: int) -> None:
        call_id = None if pick is None else self.someone(pick)
        for _ in range(times):
            self.announced += 1
            self.attempt(Announce(f"ann-{self.announced}", "https://example.org/news.wav", call_id))

    @rule(number=st.integers(1, 9), played=st.booleans())
    def finish_announcement(self, number: int, played: bool) -> None:
        # Any one of the last few: playing, waiting, over long ago, or refused.
        announcement_id = f"ann-{max(1, self.announced - number + 1)}"
        self.attempt(
            AnnouncementPlayed(announcement_id) if played else AnnouncementUnplayable(announcement_id, "fetch_failed")
        )

    @rule()
    def start_recording(self) -> None:
        self.recorded += 1
        self.attempt(StartRecording(a_plan(f"rec-{self.recorded}")))

    @rule(pick=st.integers(0, 3), kind=st.sampled_from([PauseRecording, ResumeRecording, StopRecording]))
    def change_recording(self, pick: int, kind: type[PauseRecording | ResumeRecording | StopRecording]) -> None:
        self.attempt(kind(self.some_recording(pick)))

    @rule(pick=st.integers(0, 3))
    def skip_time(self, pick: int) -> None:
        self.attempt(PauseRecording(self.some_recording(pick), PauseBehavior.SKIP))

    @rule(pick=st.integers(0, 3), result=RESULTS)
    def finish_recording(self, pick: int, result: RecordingResult) -> None:
        self.attempt(RecordingFinished(self.some_recording(pick), result))

    @rule(result=RESULTS, really=SELDOM)
    def end_with_a_recording(self, result: RecordingResult, really: bool) -> None:
        recording = self.scenario.current and self.scenario.current.recording
        if really and recording is not None:
            self.attempt(MeasureRecording(recording.recording_id, result))
            self.attempt(End())

    def some_recording(self, pick: int) -> str:
        """Return one there is, or was, in most cases."""
        recordings = self.scenario.current.recordings if self.scenario.current is not None else ()
        return recordings[-1 - pick].recording_id if pick < len(recordings) else "rec-none"

    @rule(really=SELDOM)
    def end(self, really: bool) -> None:
        if really:
            self.attempt(End())

    @rule()
    def begin_anew(self) -> None:
        if self.scenario.current is not None and self.scenario.current.state is ConferenceState.ENDED:
            self.scenario = Scenario()
            self.generation += 1

    @invariant()
    def all_invariants_hold(self) -> None:
        if self.scenario.current is None:
            assert self.scenario.log == []
        else:
            invariants.check(self.scenario)


TestHistories = ConferenceMachine.TestCase
TestHistories.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=30,
    deadline=None,
    # Other histories on each run; what fails prints how to repeat it.
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_commands_of_a_long_history_of_good_joins_are_all_possible() -> None:
    # The machine above may be refused anything; this one must get through.
    scenario = Scenario()
    for number in range(50):
        command: Join = a_join(f"call-{number}", label=f"label-{number}", coach="call-0" if number % 5 == 4 else None)
        scenario.do(command)
        scenario.do(Update(f"call-{number}", hold=number % 3 == 0, muted=number % 2 == 0))
        invariants.check(scenario)
    scenario.do(Leave("call-0"))
    invariants.check(scenario)
    scenario.do(End())
    invariants.check(scenario)
