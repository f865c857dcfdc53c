from hypothesis import given
from hypothesis import strategies as st

from server.webhooks.turns import (
    MOST_PER_HANGING_HOST,
    MOST_PER_HOST,
    MOST_UNPROVEN_PER_HOST,
    Due,
    Endpoint,
    Turns,
)

WELL = Endpoint("a:80", "/well")
HANGS = Endpoint("a:80", "/hangs")


def on(host: str, lane_id: int) -> Endpoint:
    """An endpoint that only this lane has."""
    return Endpoint(f"{host}:80", f"/{lane_id}")


def taken(turns: Turns) -> list[int]:
    return list(iter(turns.next, None))


def try_out(turns: Turns, endpoint: Endpoint, in_time: bool) -> None:
    """Let an endpoint be asked once, while nobody else waits."""
    turns.wait(-1, endpoint)
    assert taken(turns) == [-1]
    turns.answers(endpoint, in_time=in_time)
    turns.leave(endpoint)


def test_a_host_gets_its_share_and_the_others_theirs() -> None:
    turns = Turns(most_at_once=MOST_UNPROVEN_PER_HOST + 4)
    for lane_id in range(100):
        turns.wait(lane_id, on("hangs", lane_id))
    turns.wait(200, on("well", 200))
    assert sorted(taken(turns)) == [*range(MOST_UNPROVEN_PER_HOST), 200]
    assert turns.waiting == 100 - MOST_UNPROVEN_PER_HOST


def test_an_endpoint_gets_its_share_and_the_others_of_its_host_theirs() -> None:
    turns = Turns()
    for lane_id in range(100):
        turns.wait(lane_id, HANGS)
    turns.wait(200, WELL)
    assert 200 in taken(turns)


def test_an_endpoint_that_answers_has_room_beside_any_number_that_hang() -> None:
    turns = Turns()
    try_out(turns, WELL, in_time=True)
    for lane_id in range(100):
        turns.wait(lane_id, on("a", lane_id))
    assert len(taken(turns)) == MOST_UNPROVEN_PER_HOST
    for lane_id in range(200, 300):
        turns.wait(lane_id, WELL)
    assert len(taken(turns)) == MOST_PER_HOST - MOST_UNPROVEN_PER_HOST


def test_an_endpoint_nobody_has_asked_has_its_turn_beside_one_that_is_asked_all_the_time() -> None:
    turns = Turns(most_at_once=1)
    try_out(turns, WELL, in_time=True)
    for lane_id in range(100):
        turns.wait(lane_id, WELL)
    for lane_id in range(200, 203):
        turns.wait(lane_id, on("a", lane_id))
    order = []
    for _ in range(6):
        order += taken(turns)
        turns.leave(WELL if order[-1] < 200 else on("a", order[-1]))
    assert order == [0, 200, 1, 201, 2, 202]


def test_hosts_take_turns() -> None:
    turns = Turns(most_at_once=4)
    for lane_id in range(10):
        turns.wait(lane_id, on("a", lane_id))
    turns.wait(20, on("b", 20))
    turns.wait(30, on("c", 30))
    assert taken(turns) == [0, 20, 30, 1]


def test_lanes_of_an_endpoint_go_in_the_order_they_came() -> None:
    turns = Turns(most_at_once=1)
    for lane_id in (3, 1, 2):
        turns.wait(lane_id, WELL)
    order = []
    while (lane_id := turns.next()) is not None:
        order.append(lane_id)
        turns.leave(WELL)
    assert order == [3, 1, 2]


def test_a_host_that_hangs_loses_its_places_until_it_answers() -> None:
    turns = Turns()
    for lane_id in range(100):
        turns.wait(lane_id, on("a", lane_id))
    asked = taken(turns)
    assert len(asked) == MOST_UNPROVEN_PER_HOST
    for lane_id in asked:
        turns.answers(on("a", lane_id), in_time=False)
        turns.leave(on("a", lane_id))
    asked = taken(turns)
    assert len(asked) == MOST_PER_HANGING_HOST
    turns.answers(on("a", asked[0]), in_time=True)
    assert len(taken(turns)) == MOST_UNPROVEN_PER_HOST - MOST_PER_HANGING_HOST + 1


def test_an_endpoint_that_hangs_loses_its_places_until_it_answers() -> None:
    turns = Turns()
    try_out(turns, WELL, in_time=True)
    try_out(turns, HANGS, in_time=False)
    for lane_id in range(100):
        turns.wait(lane_id, HANGS)
    assert len(taken(turns)) == 2
    turns.answers(HANGS, in_time=True)
    assert len(taken(turns)) == 14


def test_that_a_host_hangs_is_remembered_while_nobody_asks() -> None:
    turns = Turns()
    try_out(turns, HANGS, in_time=False)
    for lane_id in range(10):
        turns.wait(lane_id, on("a", lane_id))
    assert len(taken(turns)) == MOST_PER_HANGING_HOST


@given(st.lists(st.tuples(st.sampled_from(["wait", "next", "leave", "slow", "well"]), st.integers(0, 3)), max_size=200))
def test_no_place_is_lost_or_given_twice(steps: list[tuple[str, int]]) -> None:
    turns = Turns(most_at_once=20)
    waiting: dict[int, Endpoint] = {}
    placed: dict[int, Endpoint] = {}
    for number, (step, which) in enumerate(steps):
        endpoint = Endpoint(f"host-{which % 2}:80", f"/{which}")
        there = [lane_id for lane_id, its in placed.items() if its == endpoint]
        if step == "wait":
            turns.wait(number, endpoint)
            waiting[number] = endpoint
        elif step == "next" and (lane_id := turns.next()) is not None:
            placed[lane_id] = waiting.pop(lane_id)
        elif step == "leave" and there:
            turns.leave(placed.pop(there[0]))
        elif step in ("slow", "well") and there:
            turns.answers(endpoint, in_time=step == "well")
        assert len(placed) <= 20
        assert turns.waiting == len(waiting)
    while waiting or placed:
        for endpoint in set(placed.values()):
            turns.answers(endpoint, in_time=True)
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
