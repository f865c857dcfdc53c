"""Plain ticks, and how conferences come to them and leave them: done at once by two loops as by all of the steps."""

import struct
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.intake import Intake
from mixer.protocol import Codec, Report
from mixer.tick import Mixer
from tests.mixer.kernels.twins import DECIBELS, Columns, Twins, assert_same, columns
from tests.support.clips import lend_tone
from tests.support.conference import TYPES, Caller, VirtualConference, tone
from tests.support.network import Conditions

LAWS: tuple[Codec, ...] = ("pcmu", "pcma")
LINKS = (Conditions(), Conditions(jitter_ms=15), Conditions(loss=0.02), Conditions(duplicate=0.3, duplicate_ms=1))
NOT_COMPARED = ("received", "history", "frames", "said", "batches", "strayed")
"""What is anything where nothing came, and numbers of batches, of which the twins count differently many."""


def say(random: np.random.Generator, number: int, loud: bool, pauses: float) -> Any:
    """1.5 s of a tone with pauses, which may be too loud together with others, and may begin late."""
    pcm = tone(250 + 90 * number, 1.5, 8000, 24_000 if loud else 2500)
    paused = random.random(len(pcm) // 800 + 1) < pauses
    pcm[np.repeat(paused, 800)[: len(pcm)]] = 0
    if pauses > 0.1:
        pcm[: int(random.choice([0, 0, 4000]))] = 0
    return pcm


class Meeting:
    """A conference of one law, to which things happen at random."""

    def __init__(self, seed: int, law: Codec, legs: int, single: bool, loud: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.law, self.single, self.loud = law, single, loud
        self.pauses = float(self.random.choice([0.05, 0.4]))
        self.conference = VirtualConference()
        lend_tone(self.conference.mixer.clips, "music", 2000, 0.3, (8000,))
        self.callers = [self.join() for _ in range(legs)]
        self.silent = self.conference.add(law, single=single)

    def join(self) -> Caller:
        random, number = self.random, len(self.conference.callers)
        pcm = say(random, number, self.loud, self.pauses)
        link = LINKS[int(random.choice(len(LINKS), p=[0.7, 0.1, 0.1, 0.1]))]
        known = bool(random.random() < 0.9)
        return self.conference.add(self.law, pcm, single=self.single, known=known, conditions=link, dtmf=101)

    def happen(self) -> None:
        """What is not plain."""
        random, conference = self.random, self.conference
        caller = self.callers[int(random.integers(len(self.callers)))]
        match int(random.integers(14)):
            case 0:
                conference.update(caller, heard=bool(random.random() < 0.5))
            case 1:
                conference.update(caller, hears=bool(random.random() < 0.5))
            case 2:
                conference.update(caller, gain=0.5)
                conference.run(1)
                conference.update(caller, gain=1.0)
            case 3:
                conference.update(caller, heard=True, hears=True, gain=1.0, heard_by=None)
            case 4:
                conference.inject(caller, caller.header(101) + b"\x05\x80\x00\xa0")
            case 5:
                conference.inject(caller, bytes(random.integers(0, 256, int(random.integers(0, 60))).tolist()), 77)
            case 6:
                caller.ssrc += 1
            case 7:
                caller.timestamp = int(random.integers(1 << 32))
            case 8 if len(self.callers) > 2:
                self.callers.remove(caller)  # who goes on sending for all that
                conference.mixer.remove(caller.call_id, bye=True)
            case 9 if len(conference.callers) < 20:
                self.callers.append(self.join())
            case 10:
                conference.update(caller, hears=False)
                conference.mixer.play_program(caller.call_id, "music", loop=True)
            case 11:
                astray = (caller.timestamp + int(random.choice([-1600, 1 << 30]))) & 0xFFFF_FFFF
                header = struct.pack("!BBHII", 0x80, TYPES[self.law], caller.sequence, astray, caller.ssrc)
                caller.sending = False
                conference.inject(caller, header + bytes(160))
                conference.run(1)
                caller.sending = True
            case _:
                self.move()

    def move(self) -> None:
        """Positions are moved by parts of ticks, or wait for packets that come later now."""
        (table,) = self.conference.mixer.tables.values()
        rows = np.flatnonzero(table.playout.started[: table.n] & (self.random.random(table.n) < 0.4))
        if self.random.random() < 0.5:
            table.playout.move(rows, np.full(len(rows), 40))
            self.conference.run(2)
            table.playout.move(rows, np.full(len(rows), -40))
        else:
            table.playout.stall[rows] = 1

    def outcome(self) -> tuple[dict[str, list[bytes]], list[Report], dict[str, int], Columns, Columns]:
        mixer = self.conference.mixer
        (table,) = mixer.tables.values()
        sent = {call_id: caller.got + caller.rtcp for call_id, caller in self.conference.callers.items()}
        dropped = {reason: count for reason, count in mixer.intake.dropped.items() if count}
        figures = {**dropped, "in": mixer.intake.packets, "out": mixer.packets_out}
        return (
            sent,
            self.conference.reports,
            figures,
            columns(mixer.legs, mixer.legs.n),
            columns(table, without=NOT_COMPARED),
        )


def assert_same_meeting(compiled: tuple[Any, ...], by_numpy: tuple[Any, ...]) -> None:
    assert compiled[:3] == by_numpy[:3]
    assert_same(compiled[3], by_numpy[3])
    assert_same(compiled[4], by_numpy[4], level_dbov=DECIBELS, _floor=DECIBELS)


@given(
    seed=st.integers(0, 1 << 32),
    law=st.sampled_from(LAWS),
    legs=st.sampled_from([1, 2, 3, 5, 9, 15]),
    single=st.booleans(),
    loud=st.booleans(),
    eventful=st.sampled_from([0.0, 0.05, 0.3]),
)
@settings(max_examples=30, deadline=None)
def test_whatever_happens_between_plain_ticks_everybody_is_sent_the_same(
    twins: Twins, seed: int, law: Codec, legs: int, single: bool, loud: bool, eventful: float
) -> None:
    def run() -> tuple[Any, ...]:
        meeting = Meeting(seed, law, legs, single, loud)
        for _ in range(60):
            meeting.conference.run(1)
            if meeting.random.random() < eventful:
                meeting.happen()
        return meeting.outcome()

    assert_same_meeting(*twins.run(run, "take_plain"))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("single", [True, False])
def test_where_there_is_nothing_but_talk_all_ticks_are_plain(twins: Twins, law: Codec, single: bool) -> None:
    def run() -> tuple[Any, ...]:
        conference = VirtualConference()
        for number in range(4):
            conference.add(law, tone(300 + 100 * number, 3, 8000), single=single)
        conference.run(10)
        with (
            patch.object(Intake, "take", autospec=True, side_effect=Intake.take) as taken,
            patch.object(Mixer, "_sound", autospec=True, side_effect=Mixer._sound) as sounded,
        ):
            conference.run(30)
        return taken.call_count, sounded.call_count, [caller.got for caller in conference.callers.values()]

    compiled, by_numpy = twins.run(run, "take_plain", "sound_plain")
    assert compiled[:2] == (0, 0)
    assert by_numpy[:2] == (30, 30)
    assert compiled[2] == by_numpy[2]


def test_nobody_is_taken_for_another_on_a_shared_socket(twins: Twins) -> None:
    """Sources are looked up among those of all legs: the least, the greatest, strangers between and beside them."""

    def run() -> dict[str, list[bytes]]:
        conference = VirtualConference()
        callers = [conference.add("pcmu", tone(300 + 100 * number, 2, 8000)) for number in range(7)]
        conference.run(10)
        keys = [caller.key for caller in callers]
        packet = callers[0].header() + b"\x00" * 160
        for stranger in (0, min(keys) - 1, keys[3] + 1, max(keys) + 1, (1 << 64) - 1):
            conference.inject(callers[0], packet, stranger)
            conference.run(2)
        assert conference.mixer.intake.dropped["unknown_source"] == 5
        assert {line.lost for line in conference.mixer.stats()} <= {0, 1}
        return {caller.call_id: caller.got for caller in callers}

    compiled, by_numpy = twins.run(run, "take_plain", "sound_plain")
    assert compiled == by_numpy
