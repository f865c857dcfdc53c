"""Legs that come and go while others talk: nobody hears it, and the tables stay what they say they are."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mixer.codecs import opus
from mixer.protocol import Codec, LegPart
from tests.support.conference import VirtualConference, tone
from tests.support.opus_sender import OpusSender

FORMATS: list[tuple[Codec, int]] = [("pcmu", 8000), ("pcma", 8000), ("g722", 16000), ("opus", 48000), ("l16", 24000)]


def check_tables(conference: VirtualConference) -> None:
    """Every leg has a row of its own in a table of its format; every live row is a leg's; columns are long enough."""
    mixer = conference.mixer
    legs = mixer.legs
    assert sorted(legs.row_of.values()) == np.flatnonzero(legs.live[: legs.n]).tolist()
    assert legs.n == 0 or legs.live[legs.n - 1]
    assert not legs.live[legs.n :].any()
    seen = set()
    for call_id, row in legs.row_of.items():
        assert legs.call_ids[row] == call_id
        table, local = mixer.tables[int(legs.table[row])], int(legs.local[row])
        assert table.live[local]
        assert table.leg_rows[local] == row
        assert (int(legs.table[row]), local) not in seen
        seen.add((int(legs.table[row]), local))
    for number, table in mixer.tables.items():
        live = np.flatnonzero(table.live)
        assert len(live)
        assert table.n == live[-1] + 1
        assert {(number, int(local)) for local in live} <= seen
        assert len(table.ring.key) == len(table.playout.play) == len(table.live) == table.capacity
        assert not table.history[:, ~table.live].any()
    assert set(mixer.mix.sums) == {table.sample_rate for table in mixer.tables.values()}


def test_growing_to_two_hundred_is_not_heard() -> None:
    conference = VirtualConference()
    talkers = [conference.add(codec, tone(400, 3, rate, 4000), rate=rate) for codec, rate in FORMATS[:1]]
    listeners = [conference.add(codec, rate=rate) for codec, rate in FORMATS]
    conference.run(25)
    for number in range(200):
        codec, rate = FORMATS[number % len(FORMATS)]
        conference.add(codec, rate=rate)
        if number % 4 == 3:
            conference.run(1)
    conference.run(10)
    check_tables(conference)
    assert len(conference.mixer.legs) == 206
    for listener in listeners:
        assert len(listener.got) == 85
        size = listener.rate // 50
        turn = np.exp(-2j * np.pi * 400 * np.arange(size) / listener.rate)
        levels = 2 * np.abs(listener.heard().reshape(-1, size) @ turn) / size
        assert np.abs(levels[10:] - 4000).max() < 400
    assert talkers


@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**6)), min_size=80, max_size=180))
def test_any_coming_and_going_keeps_the_tables_whole(steps: list[tuple[int, int]]) -> None:
    conference = VirtualConference()
    present: list[str] = []
    for action, choice in steps:
        if action < 5:
            codec, rate = FORMATS[choice % len(FORMATS)]
            present.append(conference.add(codec, tone(400, 0.1, rate), rate=rate, gain=choice % 3).call_id)
        elif action < 8 and present:
            gone = present.pop(choice % len(present))
            conference.mixer.remove(gone, bye=choice % 2 == 0)
            conference.callers[gone].pcm = None
        elif present and action == 8:
            conference.mixer.update(
                LegPart(present[choice % len(present)], choice % 2 == 0, choice % 3 == 0, float(choice % 4))
            )
        before = {call_id: len(conference.callers[call_id].got) for call_id in present}
        conference.run(1)
        assert all(len(conference.callers[call_id].got) == count + 1 for call_id, count in before.items())
        check_tables(conference)


def test_new_leg_in_an_old_row_begins_with_silence() -> None:
    for codec, rate in FORMATS:
        conference = VirtualConference()
        listener = conference.add("l16", rate=8000)
        loud = conference.add(codec, tone(400, 2, rate, 20_000), rate=rate)
        conference.run(30)
        conference.mixer.remove(loud.call_id, bye=False)
        loud.pcm = None
        conference.add(codec, rate=rate)
        conference.run(10)
        assert np.abs(listener.heard()[-160 * 7 :]).max() <= 1, codec


def test_listeners_of_one_mix_share_one_encode_and_talkers_get_their_own(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    calls = 0
    encode = opus.Encoder.encode

    def counted(self: opus.Encoder, *arguments: object) -> int:
        nonlocal calls
        calls += 1
        return int(encode(self, *arguments))  # type: ignore[arg-type]

    conference = VirtualConference()
    talker = conference.add("opus", opus_sender=OpusSender(application="audio", bitrate=64_000))
    talker.pcm = tone(400, 3, 48000)
    listeners = [conference.add("opus") for _ in range(20)]
    conference.run(30)
    monkeypatch.setattr(opus.Encoder, "encode", counted)
    conference.run(50)
    assert calls == 2 * 50  # the mix, and the talker's own
    for packets in zip(*(listener.got for listener in listeners), strict=True):
        assert len({packet[12:] for packet in packets}) == 1
