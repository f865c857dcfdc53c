from hypothesis import given
from hypothesis import strategies as st

from server.webhooks.turns import MOST_PER_HANGING_HOST, MOST_PER_HOST, Due, Turns


def taken(turns: Turns) -> list[int]:
    return list(iter(turns.next, None))


def test_a_host_gets_its_share_and_the_others_theirs() -> None:
    turns = Turns(most_at_once=MOST_PER_HOST + 4)
    for lane_id in range(100):
        turns.wait(lane_id, "hangs:80")
    turns.wait(200, "well:80")
    assert sorted(taken(turns)) == [*range(MOST_PER_HOST), 200]
    assert turns.waiting == 100 - MOST_PER_HOST


def test_hosts_take_turns() -> None:
    turns = Turns(most_at_once=4)
    for lane_id in range(10):
        turns.wait(lane_id, "a:80")
    turns.wait(20, "b:80")
    turns.wait(30, "c:80")
    assert taken(turns) == [0, 20, 30, 1]


def test_lanes_of_a_host_go_in_the_order_they_came() -> None:
    turns = Turns(most_at_once=1)
    for lane_id in (3, 1, 2):
        turns.wait(lane_id, "a:80")
    order = []
    while (lane_id := turns.next()) is not None:
        order.append(lane_id)
        turns.leave("a:80")
    assert order == [3, 1, 2]


def test_a_host_that_hangs_loses_its_places_until_it_answers() -> None:
    turns = Turns()
    for lane_id in range(100):
        turns.wait(lane_id, "a:80")
    assert len(taken(turns)) == MOST_PER_HOST
    for _ in range(MOST_PER_HOST):
        turns.answers("a:80", in_time=False)
        turns.leave("a:80")
    assert len(taken(turns)) == MOST_PER_HANGING_HOST
    turns.answers("a:80", in_time=True)
    assert len(taken(turns)) == MOST_PER_HOST - MOST_PER_HANGING_HOST


def test_that_a_host_hangs_is_remembered_while_nobody_asks() -> None:
    turns = Turns()
    turns.wait(1, "a:80")
    taken(turns)
    turns.answers("a:80", in_time=False)
    turns.leave("a:80")
    for lane_id in range(10):
        turns.wait(lane_id, "a:80")
    assert len(taken(turns)) == MOST_PER_HANGING_HOST


@given(st.lists(st.tuples(st.sampled_from(["wait", "next", "leave", "slow", "well"]), st.integers(0, 3)), max_size=200))
def test_no_place_is_lost_or_given_twice(steps: list[tuple[str, int]]) -> None:
    turns = Turns(most_at_once=20)
    waiting: dict[int, str] = {}
    placed: dict[int, str] = {}
    for number, (step, which) in enumerate(steps):
        host = f"host-{which}:80"
        there = [lane_id for lane_id, its in placed.items() if its == host]
        if step == "wait":
            turns.wait(number, host)
            waiting[number] = host
        elif step == "next" and (lane_id := turns.next()) is not None:
            placed[lane_id] = waiting.pop(lane_id)
        elif step == "leave" and there:
            turns.leave(placed.pop(there[0]))
        elif step in ("slow", "well") and there:
            turns.answers(host, in_time=step == "well")
        assert len(placed) <= 20
        assert turns.waiting == len(waiting)
    while waiting or placed:
        for host in set(placed.values()):
            turns.answers(host, in_time=True)
        for lane_id in taken(turns):
            placed[lane_id] = waiting.pop(lane_id)
        assert placed
        while placed:
            turns.leave(placed.popitem()[1])
    assert turns.next() is None


def test_due_lanes_come_in_the_order_of_their_times() -> None:
    due = Due()
    due.update([(1, 30.0), (2, 10.0)])
    due.set(3, 20.0)
    due.set(4, 40.0)
    assert due.next_at() == 10.0
    assert due.take(30.0) == [2, 3, 1]
    assert (due.next_at(), len(due)) == (40.0, 1)


def test_a_lane_is_due_once_at_the_time_last_set() -> None:
    due = Due()
    due.set(1, 10.0)
    due.set(1, 50.0)
    due.set(1, 20.0)
    due.set(2, 5.0)
    due.drop(2)
    assert due.next_at() == 20.0
    assert due.take(15.0) == []
    assert due.take(100.0) == [1]
    assert due.next_at() is None


def test_what_is_moved_again_and_again_takes_no_room() -> None:
    due = Due()
    for at in range(10_000):
        due.set(1, float(at))
    assert len(due._heap) < 100
    assert due.take(10_000) == [1]
