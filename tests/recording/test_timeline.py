import itertools

from hypothesis import given
from hypothesis import strategies as st

from recording.timeline import Timeline


def test_time_goes_on_in_silence_and_stands_still_in_a_skip() -> None:
    timeline = Timeline()
    timeline.pause(10, "silence")
    assert timeline.paused
    timeline.resume(20)
    assert not timeline.paused
    timeline.pause(30, "skip")
    assert timeline.place(35) == 30
    timeline.resume(40)
    assert [timeline.place(tick) for tick in (5, 15, 25, 30, 35, 40, 50)] == [5, 15, 25, 30, 30, 30, 40]
    assert [timeline.tick_at(place) for place in (5, 29, 30, 31, 40)] == [5, 29, 40, 41, 50]


def test_pauses_that_take_their_time_are_counted_within_bounds() -> None:
    timeline = Timeline()
    timeline.pause(10, "silence")
    timeline.resume(20)
    timeline.pause(30, "skip")
    timeline.resume(40)
    timeline.pause(50, "silence")
    spans = [(0, 60), (15, 17), (19, 55), (20, 50), (60, 70), (55, 52)]
    assert [timeline.silent_ticks(*span) for span in spans] == [20, 2, 6, 0, 10, 0]


def test_a_pause_within_a_pause_takes_its_place() -> None:
    timeline = Timeline()
    timeline.pause(10, "skip")
    timeline.pause(15, "skip")
    timeline.pause(20, "silence")
    timeline.resume(30)
    timeline.resume(35)
    assert [(pause.from_tick, pause.until_tick, pause.behavior) for pause in timeline.pauses] == [
        (10, 20, "skip"),
        (20, 30, "silence"),
    ]
    assert timeline.place(40) == 30


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["silence", "skip", "resume"])), max_size=12))
def test_places_rise_with_ticks_and_lead_back_to_them(told: list[tuple[int, str]]) -> None:
    """In whatever order marks come, and whatever ticks they bear."""
    timeline = Timeline()
    for tick, what in told:
        if what == "resume":
            timeline.resume(tick)
        else:
            timeline.pause(tick, "skip" if what == "skip" else "silence")
    places = [timeline.place(tick) for tick in range(400)]
    assert all(0 <= after - before <= 1 for before, after in itertools.pairwise(places))
    skipped = {
        tick
        for pause in timeline.pauses
        if pause.behavior == "skip"
        for tick in range(pause.from_tick, 400 if pause.until_tick is None else pause.until_tick)
    }
    for tick in set(range(400)) - skipped:
        assert timeline.tick_at(places[tick]) == tick
