"""What is recorded of a conference, by sound: the room as a silent listener hears it, and every voice by itself."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.dsp.resample import Resampler
from mixer.protocol import MixerConfig, PlayClip
from mixer.tick import TICK_NS
from recording.feed import LATE_SAMPLES
from tests.support.clips import lend_tone
from tests.support.conference import RATES, Caller, VirtualConference, amplitude_at, tone
from tests.support.network import Conditions
from tests.support.opus_sender import OpusSender
from tests.support.recorded import Recorded

A, B, C, BEEP, WORDS, MUSIC = 410.0, 730.0, 1050.0, 2400.0, 2900.0, 2000.0
LOUD, QUIET = 2600.0, 120.0
SETTLE = 0.3

Record = Callable[..., Recorded]


@pytest.fixture
def record() -> Iterator[Record]:
    made: list[Recorded] = []

    def start(conference: VirtualConference, tracks: bool = True, **options: int) -> Recorded:
        made.append(Recorded(conference, tracks, **options))
        return made[-1]

    yield start
    for recorded in made:
        recorded.close()


def levels(sound: NDArray[np.float32], rate: int, *tones: float) -> list[float]:
    part = sound[int(SETTLE * rate) :]
    return [amplitude_at(part, frequency, rate) for frequency in tones]


def trio() -> tuple[VirtualConference, list[Caller]]:
    """Two talkers and a listener in PCMU."""
    conference = VirtualConference()
    return conference, [conference.add("pcmu", tone(f, 60, 8000)) for f in (A, B)] + [conference.add("pcmu")]


def cut(sound: NDArray[np.float32], first: int, ticks: int, rate: int = 8000) -> NDArray[np.float32]:
    """These ticks of a sound."""
    return sound[first * rate // 50 : (first + ticks) * rate // 50]


def test_the_room_is_what_a_silent_listener_hears(record: Record) -> None:
    conference, (*_, listener) = trio()
    conference.run(20)
    recorded = record(conference)
    before = len(listener.got)
    recorded.run(60)
    heard = listener.heard()[before * 160 :]
    room = recorded.room()
    assert len(room) == len(heard) == 60 * 160
    assert levels(room, 8000, A, B) == pytest.approx([3000, 3000], rel=0.05)
    # The listener's came through mu-law once more.
    assert np.abs(room - heard).max() < 200
    assert np.corrcoef(room, heard)[0, 1] > 0.999


def test_each_track_is_one_voice_alone_and_as_it_came_in(record: Record) -> None:
    conference, (first, second, _) = trio()
    conference.update(first, gain=0.25)
    conference.run(20)
    recorded = record(conference)
    recorded.run(60)
    assert levels(recorded.voice(first.call_id), 8000, A, B) == pytest.approx([3000, 0], rel=0.05, abs=20)
    assert levels(recorded.voice(second.call_id), 8000, A, B) == pytest.approx([0, 3000], rel=0.05, abs=20)
    assert set(recorded.call_of.values()) == {first.call_id, second.call_id}, "who says nothing has no track"
    assert levels(recorded.room(), 8000, A)[0] == pytest.approx(750, rel=0.1), "the gain is the room's business"
    sent = np.concatenate([first.coder.decode(payload) for payload in first.said])
    voice = recorded.voice(first.call_id)
    starts = [at for at in range(len(sent) - len(voice)) if np.array_equal(sent[at : at + 400], voice[:400])]
    assert starts, "sample by sample what was sent"
    np.testing.assert_array_equal(voice, sent[starts[0] : starts[0] + len(voice)])


def test_tracks_are_in_step_with_the_room_to_the_sample(record: Record) -> None:
    conference, (first, second, _) = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(50)
    together = recorded.voice(first.call_id) + recorded.voice(second.call_id)
    np.testing.assert_array_equal(together, recorded.room())


@pytest.mark.parametrize(("rate", "room_rate"), [(8000, 16_000), (8000, 48_000), (16_000, 48_000), (24_000, 48_000)])
def test_the_room_is_as_late_with_a_narrower_voice_as_recorders_are_told(rate: int, room_rate: int) -> None:
    assert Resampler(rate, room_rate).delay_samples * rate == LATE_SAMPLES * room_rate


def test_without_tracks_there_is_the_room_only(record: Record) -> None:
    conference, _ = trio()
    recorded = record(conference, tracks=False)
    recorded.run(60)
    assert all(frame.tracks == [] for frame in recorded.frames)
    assert min(levels(recorded.room(), 8000, A, B)) > LOUD


def test_who_is_muted_or_held_is_silent_in_room_and_track(record: Record) -> None:
    conference, (first, second, _) = trio()
    lend_tone(conference.mixer.clips, "music", MUSIC, 3)
    conference.run(20)
    recorded = record(conference)
    recorded.run(50)
    conference.update(first, heard=False)
    conference.update(second, heard=False, hears=False)
    conference.mixer.play_program(second.call_id, "music", True)
    recorded.run(50)
    conference.update(first, heard=True)
    recorded.run(50)
    room, mine = recorded.room(), recorded.voice(first.call_id)
    assert not cut(mine, 51, 49).any(), "after a fade of one frame"
    assert np.abs(cut(mine, 50, 1)[-16:]).max() < 350
    assert not cut(recorded.voice(second.call_id), 51, 99).any()
    assert not cut(room, 51, 49).any(), "hold music is nobody's"
    assert levels(cut(mine, 100, 50), 8000, A)[0] > LOUD
    assert np.abs(cut(mine, 100, 1)[:16]).max() < 350, "and comes back with a fade"
    assert np.abs(cut(mine, 20, 1)).max() > LOUD


def test_a_coach_is_on_a_track_and_not_in_the_room(record: Record) -> None:
    conference, (first, _, listener) = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(10)
    conference.update(first, heard_by=[listener.call_id])
    recorded.run(60)
    conference.update(first, heard_by=[])
    recorded.run(60)
    conference.update(first, heard_by=None)
    recorded.run(60)
    room, mine = recorded.room(), recorded.voice(first.call_id)
    assert levels(cut(room, 12, 58), 8000, A, B) == pytest.approx([0, 3000], rel=0.05, abs=20)
    assert levels(cut(mine, 10, 60), 8000, A)[0] > LOUD
    assert not cut(mine, 71, 59).any(), "whom nobody hears is not recorded"
    assert levels(cut(mine, 130, 60), 8000, A)[0] > LOUD
    coach = [(tick, what) for tick, what in recorded.marks if "coaching" in what or "uncoached" in what]
    assert coach == [(10, {"coaching": first.call_id}), (130, {"uncoached": first.call_id})]


def test_beeps_and_room_announcements_are_in_the_room_and_private_ones_are_not(record: Record) -> None:
    conference, (first, _, listener) = trio()
    for name, frequency in (("beep", BEEP), ("words", WORDS), ("private", MUSIC)):
        lend_tone(conference.mixer.clips, name, frequency, 1.2)
    conference.run(20)
    recorded = record(conference)
    play = conference.mixer.sounds.play
    assert play(PlayClip(1, "b", "beep", except_call_id=first.call_id)) == ""
    assert play(PlayClip(2, "w", "words", to="everyone", duck=True)) == ""
    assert play(PlayClip(3, "p", "private", to="call", call_id=listener.call_id)) == ""
    recorded.run(60)
    room = levels(recorded.room(), 8000, A, BEEP, WORDS, MUSIC)
    assert room[1] > LOUD
    assert room[2] > LOUD
    assert room[3] < QUIET
    assert room[0] == pytest.approx(750, abs=120), "speech is turned down under it, as the room hears it"
    assert levels(recorded.voice(first.call_id), 8000, A, BEEP, WORDS) == pytest.approx([3000, 0, 0], rel=0.05, abs=50)


def test_a_lone_talker_whose_packets_pass_through_is_recorded(record: Record) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(A, 10, 8000))
    listener = conference.add("pcmu")
    conference.run(20)
    recorded = record(conference)
    recorded.run(60)
    assert set(listener.got[-1][12:]) == set(talker.said[-3][12:]) or listener.got[-1][12:] in talker.said
    assert levels(recorded.voice(talker.call_id), 8000, A)[0] > LOUD
    np.testing.assert_array_equal(recorded.voice(talker.call_id), recorded.room())


def test_lost_packets_are_concealed_in_the_track_as_in_the_room(record: Record) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(A, 20, 8000), conditions=Conditions(loss=0.1))
    conference.add("pcmu")
    conference.run(40)
    recorded = record(conference)
    recorded.run(200)
    np.testing.assert_array_equal(recorded.voice(talker.call_id), recorded.room())
    assert levels(recorded.room(), 8000, A)[0] > 2000


def test_a_loud_room_is_limited_and_its_tracks_are_not(record: Record) -> None:
    conference = VirtualConference()
    callers = [conference.add("l16", tone(f, 10, 16000, 20_000), rate=16000) for f in (A, B, C)]
    conference.run(20)
    recorded = record(conference)
    recorded.run(60)
    room = recorded.room(16000)
    assert 20_000 < np.abs(room).max() <= 32767
    assert np.abs(recorded.voice(callers[0].call_id, 16000)).max() == pytest.approx(20_000, abs=1)


def test_the_room_has_the_highest_rate_and_every_track_its_own(record: Record) -> None:
    conference = VirtualConference()
    narrow = conference.add("pcmu", tone(A, 20, 8000))
    conference.run(20)
    recorded = record(conference)
    recorded.run(20)
    wide = conference.add("l16", tone(6000.0, 20, 16000), rate=16000)
    recorded.run(60)
    conference.mixer.remove(wide.call_id, bye=True)
    wide.sending = False
    recorded.run(20)
    rates = [frame.mix[0] for frame in recorded.frames if frame.mix is not None]
    assert rates == [8000] * 20 + [16000] * 60 + [8000] * 20
    both = np.concatenate([f.mix[1] for f in recorded.frames[20:80] if f.mix is not None]).astype(np.float32)
    assert min(levels(both, 16000, A, 6000.0)) > LOUD
    assert levels(cut(recorded.voice(narrow.call_id), 0, 100), 8000, A)[0] > LOUD
    assert levels(cut(recorded.voice(wide.call_id, 16000), 20, 60, 16000), 16000, 6000.0)[0] > LOUD


@pytest.mark.parametrize("codec", ["g722", "opus", "pcma"])
def test_other_formats_are_recorded_at_their_rate(record: Record, codec: str) -> None:
    conference = VirtualConference()
    rate = RATES[codec]
    first = conference.add(codec, tone(A, 10, rate))  # type: ignore[arg-type]
    second = conference.add(codec, tone(B, 10, rate))  # type: ignore[arg-type]
    conference.add(codec)  # type: ignore[arg-type]
    conference.run(30)
    recorded = record(conference)
    recorded.run(60)
    assert levels(recorded.room(rate), rate, A, B) == pytest.approx([3000, 3000], rel=0.1)
    for caller, mine, other in ((first, A, B), (second, B, A)):
        voice = recorded.voice(caller.call_id, rate)
        assert levels(voice, rate, mine, other) == pytest.approx([3000, 0], rel=0.1, abs=40)


def test_silence_is_sparse_and_has_no_track(record: Record) -> None:
    conference = VirtualConference()
    for codec in ("pcmu", "pcma", "opus", "g722"):
        conference.add(codec, np.zeros(48000, np.int16))  # type: ignore[arg-type]
    conference.run(30)
    recorded = record(conference)
    recorded.run(30)
    assert recorded.ticks == list(range(30))
    assert all(frame.mix is None and frame.tracks == [] for frame in recorded.frames)


def test_an_opus_leg_that_is_not_decoded_for_its_silence_is_silence(record: Record) -> None:
    conference = VirtualConference(MixerConfig("test", skip_silent_above=0))
    speech = tone(A, 1, 48000)
    said = np.concatenate([speech, np.zeros(48000 * 3, np.int16)])
    caller = conference.add("opus", said, opus_sender=OpusSender(bitrate=16000, application="voip", dtx=True))
    conference.add("opus")
    recorded = record(conference)
    recorded.run(190)
    voice = recorded.voice(caller.call_id, 48000)
    assert np.abs(cut(voice, 10, 40, 48000)).max() > 1000
    assert not cut(voice, 120, 70, 48000).any()
    table = next(iter(conference.mixer.tables.values()))
    assert table.hang[0] == 0, "it was in fact not decoded"  # type: ignore[attr-defined]


def test_frames_have_the_numbers_of_the_conferences_clock(record: Record) -> None:
    conference, _ = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(10)
    conference.mixer.skip(30)
    conference.now_ns += 30 * TICK_NS
    recorded.run(10)
    assert recorded.ticks == [*range(10), *range(40, 50)]
    assert [frame.lost for frame in recorded.frames] == [0] * 10 + [30] * 10
    assert recorded.reader.ticks == 50
    assert not cut(recorded.room(), 10, 30).any()


def test_time_without_legs_is_silence_of_the_same_length(record: Record) -> None:
    conference, callers = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(10)
    for caller in callers:
        conference.mixer.remove(caller.call_id, bye=True)
        caller.sending = False
    conference.now_ns += 25 * TICK_NS
    conference.mixer.pass_time(conference.now_ns + TICK_NS)
    back = conference.add("pcmu", tone(C, 10, 8000))
    recorded.run(10)
    assert recorded.ticks == [*range(10), *range(35, 45)]
    assert recorded.frames[-1].lost == 0, "nothing was lost"
    assert (35, {"joined": back.call_id}) in recorded.marks
    assert (10, {"left": callers[0].call_id}) in recorded.marks


def test_a_recording_that_begins_before_anybody_is_there_begins_at_once(record: Record) -> None:
    conference = VirtualConference()
    recorded = record(conference)
    conference.now_ns += 99 * TICK_NS
    conference.mixer.pass_time(conference.now_ns + TICK_NS)
    conference.add("pcmu", tone(A, 10, 8000))
    recorded.run(5)
    assert recorded.ticks == [100, 101, 102, 103, 104]


def test_a_call_that_comes_back_has_the_same_track(record: Record) -> None:
    conference, (first, _, _) = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(10)
    index = {call_id: index for index, call_id in recorded.call_of.items()}
    row = conference.mixer.legs.row_of[first.call_id]
    conference.mixer.remove(first.call_id, bye=False)
    first.sending = False
    stranger = conference.add("pcmu", tone(C, 60, 8000))
    assert conference.mixer.legs.row_of[stranger.call_id] == row, "the row is somebody else's by now"
    recorded.run(30)
    assert recorded.call_of[2] == stranger.call_id
    assert levels(cut(recorded.voice(stranger.call_id), 20, 20), 8000, A)[0] < QUIET
    conference.mixer.remove(stranger.call_id, bye=False)
    stranger.sending = False
    _rejoin(conference, first)
    recorded.run(50)
    assert {call_id: index for index, call_id in recorded.call_of.items()} == {**index, stranger.call_id: 2}
    assert levels(cut(recorded.voice(first.call_id), 50, 40), 8000, A)[0] > 2000
    assert [what for _, what in recorded.marks if first.call_id in (what.get("joined"), what.get("left"))] == [
        {"joined": first.call_id},
        {"left": first.call_id},
        {"joined": first.call_id},
    ]


def _rejoin(conference: VirtualConference, caller: Caller) -> None:
    """Let a caller who left come again with the same call id."""
    number = int(caller.call_id.split("-")[1])
    kept = dict(conference.callers)
    conference.callers = {f"call-{n}": kept[f"call-{n}"] for n in range(number)}
    again = conference.add(caller.codec, caller.pcm)
    again.ticks = 100
    conference.callers = {**kept, caller.call_id: again}


def test_many_legs_that_join_while_it_runs_each_get_their_track(record: Record) -> None:
    conference = VirtualConference()
    recorded = record(conference)
    tones = {}
    for number in range(40):
        frequency = 300.0 + 70 * number
        tones[conference.add("pcmu", tone(frequency, 10, 8000, 700)).call_id] = frequency
        recorded.run(1)
    recorded.run(60)
    for call_id, frequency in tones.items():
        assert levels(cut(recorded.voice(call_id), 50, 50), 8000, frequency)[0] == pytest.approx(700, rel=0.1)
    assert min(levels(cut(recorded.room(), 50, 50), 8000, *tones.values())) > 500


def test_a_reader_who_does_not_keep_up_loses_ticks_that_are_counted(record: Record) -> None:
    conference, _ = trio()
    conference.run(20)
    recorded = record(conference, capacity=64 << 10)
    conference.run(100)
    recorded.run(20)
    kept = [tick for tick in recorded.ticks if tick < 100]
    assert kept == list(range(len(kept)))
    assert 0 < len(kept) < 100
    assert recorded.ticks[len(kept) :] == list(range(101, 120)) or recorded.ticks[len(kept) :] == list(range(100, 120))
    assert recorded.frames[-1].dropped == 120 - len(recorded.ticks)
    assert recorded.reader.ticks == 120


def test_another_mixer_goes_on_with_the_recording_of_one_that_died(record: Record) -> None:
    conference, _ = trio()
    conference.run(20)
    recorded = record(conference)
    recorded.run(10)
    after = VirtualConference(start_ns=conference.now_ns + 50 * TICK_NS)
    callers = [after.add("pcmu", tone(f, 10, 8000)) for f in (A, B)]
    after.mixer.record("rec", recorded.fd, True, after.now_ns)
    after.run(5)
    recorded.take()
    after.mixer.stop_recording()
    late = [tick for tick in recorded.ticks if tick >= 10]
    assert late == list(range(late[0], late[0] + 5))
    assert 58 <= late[0] <= 60
    assert recorded.frames[-1].lost == late[0] - 10
    assert recorded.call_of == {0: callers[0].call_id, 1: callers[1].call_id}
    recorded.take()


def test_the_mixer_makes_no_other_sound_when_it_is_recorded() -> None:
    def heard(recorded: bool) -> list[list[bytes]]:
        conference = VirtualConference()
        callers = [conference.add(codec, tone(f, 5, RATES[codec])) for codec, f in (("pcmu", A), ("opus", B))]  # type: ignore[arg-type]
        callers.append(conference.add("g722"))
        feed = Recorded(conference) if recorded else None
        conference.run(60)
        if feed is not None:
            feed.close()
        return [caller.got for caller in callers]

    assert heard(True) == heard(False)
