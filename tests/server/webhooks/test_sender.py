"""The sender in virtual time, with a store and a network that do as they are told."""

import asyncio
import json
import random
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from server.urls.errors import FetchError
from server.webhooks.model import DeliveryState
from server.webhooks.schedule import DEFAULT_SCHEDULE_S
from server.webhooks.turns import MOST_AT_ONCE, MOST_UNPROVEN_PER_HOST
from tests.server.webhooks.examples import AT, delivery, event
from tests.server.webhooks.virtual import FakeAnswer, FakeClient, FakeOutbox, Sent, sender, virtually

HOST = "https://hooks.example/"


def fill(
    outbox: FakeOutbox, lane_id: int, count: int, *, first: int = 1, url: str | None = None, **options
) -> list[str]:
    """Put deliveries into a lane; return their events' ids."""
    ids = [f"lane-{lane_id}-event-{number}" for number in range(first, first + count)]
    for number, event_id in enumerate(ids, first):
        outbox.put(
            delivery(
                event(sequence=number, event_id=event_id),
                delivery_id=1000 * lane_id + number,
                lane_id=lane_id,
                url=url or f"{HOST}{lane_id}",
                **options,
            )
        )
    return ids


def run(
    outbox: FakeOutbox,
    client: FakeClient,
    for_s: float = 1e6,
    **options,
) -> None:
    """Let a sender work for a while."""

    async def main() -> None:
        its = sender(outbox, client, **options)
        its.start()
        await asyncio.sleep(for_s)
        await its.stop()

    virtually(main())


def hang(_: Sent) -> Awaitable[FakeAnswer]:
    async def never() -> FakeAnswer:
        await asyncio.sleep(15)
        raise FetchError("timeout", "", phase="read")

    return never()


def test_what_waits_is_sent_in_order() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    ids = fill(outbox, 1, 50)
    run(outbox, client, for_s=1)
    assert client.ids() == ids
    assert not outbox.pending


def test_the_next_goes_out_after_the_outcome_is_committed() -> None:
    outbox, client = FakeOutbox(commit_s=2), FakeClient()
    fill(outbox, 1, 3)
    run(outbox, client, for_s=100)
    assert client.times() == [0, 2, 4]


def test_lanes_go_at_the_same_time() -> None:
    outbox = FakeOutbox()

    async def slow(_: Sent) -> FakeAnswer:
        await asyncio.sleep(1)
        return FakeAnswer()

    client = FakeClient(slow)
    for lane_id in range(1, 11):
        fill(outbox, lane_id, 1)
    run(outbox, client, for_s=100)
    assert client.times() == [0] * 10


def test_schedule_from_the_first_attempt_to_the_last() -> None:
    outbox, client = FakeOutbox(), FakeClient(lambda sent: FakeAnswer(500))
    fill(outbox, 1, 1)
    run(outbox, client)
    expected = [sum(DEFAULT_SCHEDULE_S[:n]) for n in range(len(DEFAULT_SCHEDULE_S) + 1)]
    assert client.times() == expected
    assert outbox.states() == [(1001, "pending", "http_5xx")] * 8 + [(1001, "dead", "http_5xx")]
    assert [one.attempts for one in outbox.settled] == list(range(1, 10))
    assert {one.last_status for one in outbox.settled} == {500}


def test_what_follows_on_a_dead_delivery_says_that_there_is_a_gap() -> None:
    outbox = FakeOutbox()
    ids = fill(outbox, 1, 4)
    client = FakeClient(lambda sent: FakeAnswer(500 if sent.headers["webhook-id"] == ids[1] else 200))
    run(outbox, client, waits_s=(1.0,))
    assert client.ids() == [ids[0], ids[1], ids[1], ids[2], ids[3]]
    gaps = [json.loads(sent.content or b"").get("gap") for sent in client.sent]
    assert gaps == [None, None, None, True, True]


def test_nothing_overtakes_a_delivery_that_fails() -> None:
    outbox = FakeOutbox()
    ids = fill(outbox, 1, 3)
    answers = iter([503, 503, 200, 200, 200])
    client = FakeClient(lambda sent: FakeAnswer(next(answers)))
    run(outbox, client)
    assert client.ids() == [ids[0], ids[0], ids[0], ids[1], ids[2]]
    assert client.times() == [0, 5, 35, 35, 35]


def test_a_notice_does_not_hurry_a_delivery_that_failed() -> None:
    outbox = FakeOutbox()
    answers = iter([503, 200, 200])
    client = FakeClient(lambda sent: FakeAnswer(next(answers)))
    ids = fill(outbox, 1, 1)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(1)
        ids.extend(fill(outbox, 1, 1, first=2))
        its.notify([1])
        await asyncio.sleep(100)
        await its.stop()

    virtually(main())
    assert client.ids() == [ids[0], ids[0], ids[1]]
    assert client.times() == [0, 5, 5]


def test_what_was_made_due_is_sent_at_the_next_notice() -> None:
    outbox = FakeOutbox()
    answers = iter([503, 200])
    client = FakeClient(lambda sent: FakeAnswer(next(answers)))
    fill(outbox, 1, 1)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(1)
        outbox.lanes[1][0] = replace(outbox.lanes[1][0], next_at=AT)
        its.notify([1])
        await asyncio.sleep(100)
        await its.stop()

    virtually(main())
    assert client.times() == [0, 1]


def test_a_notice_that_comes_while_its_lane_sends_is_not_lost() -> None:
    outbox = FakeOutbox()
    ids = fill(outbox, 1, 1)

    async def main() -> None:
        its = sender(outbox, client)

        def adds_another(_: Sent) -> FakeAnswer:
            if len(ids) < 5:
                ids.extend(fill(outbox, 1, 1, first=len(ids) + 1))
                its.notify([1])
            return FakeAnswer()

        client.script = adds_another
        its.start()
        await asyncio.sleep(1)
        await its.stop()

    client = FakeClient()
    virtually(main())
    assert client.ids() == ids
    assert len(ids) == 5


def test_nothing_is_asked_of_the_store_while_nothing_happens() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    fill(outbox, 1, 1)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(1)
        reads = outbox.reads
        await asyncio.sleep(100_000)
        assert outbox.reads == reads
        await its.stop()

    virtually(main())
    assert len(client.sent) == 1


@pytest.mark.parametrize(("asked", "times"), [("60", [0, 60]), ("2", [0, 5]), ("999999999", [0, 86_400])])
def test_retry_after(asked: str, times: list[float]) -> None:
    outbox = FakeOutbox()
    fill(outbox, 1, 1)
    answers = iter([FakeAnswer(429, {"retry-after": asked}), FakeAnswer()])
    client = FakeClient(lambda sent: next(answers))
    run(outbox, client)
    assert client.times() == times


def test_gone_closes_the_lane_and_no_other() -> None:
    outbox = FakeOutbox()
    fill(outbox, 1, 20)
    others = fill(outbox, 2, 3)
    client = FakeClient(lambda sent: FakeAnswer(410 if sent.url.endswith("1") else 200))
    run(outbox, client)
    assert client.ids().count("lane-1-event-1") == 1
    assert [one for one in client.ids() if one.startswith("lane-1")] == ["lane-1-event-1"]
    assert [one for one in client.ids() if one.startswith("lane-2")] == others
    assert outbox.states().count((1001, "dead", "http_4xx")) == 1
    assert [one.closes_lane for one in outbox.settled].count(True) == 1


def test_redirects_are_failures() -> None:
    outbox = FakeOutbox()
    fill(outbox, 1, 1)
    client = FakeClient(lambda sent: FakeAnswer(302, {"location": "https://elsewhere.example/"}))
    run(outbox, client, for_s=1)
    assert outbox.states() == [(1001, "pending", "redirect")]
    assert {sent.url for sent in client.sent} == {f"{HOST}1"}


@pytest.mark.parametrize(
    ("fragment", "status", "attempts"),
    [("#rc=0", 500, 1), ("#rc=2", 500, 3), ("#rp=4xx", 500, 1), ("#rp=5xx", 500, 9), ("#rc=1&rp=4xx", 404, 2)],
)
def test_overrides_of_the_url(fragment: str, status: int, attempts: int) -> None:
    outbox, client = FakeOutbox(), FakeClient(lambda sent: FakeAnswer(status))
    fill(outbox, 1, 1, url=HOST + fragment)
    run(outbox, client)
    assert len(client.sent) == attempts
    assert {sent.url for sent in client.sent} == {HOST}
    assert outbox.states()[-1][1] == "dead"


def test_timeouts_of_the_url() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    fill(outbox, 1, 1, url=f"{HOST}#ct=300&rt=400&tt=500")
    fill(outbox, 2, 1, url=f"{HOST}two")
    run(outbox, client, for_s=1)
    limits = {sent.url: (sent.limits.connect_s, sent.limits.read_s, sent.limits.total_s) for sent in client.sent}
    assert limits == {HOST: (0.3, 0.4, 0.5), f"{HOST}two": (5, 15, 15)}


def test_a_refused_url_is_a_failure_like_any_other() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    fill(outbox, 1, 1, url="http://hooks.example:22/")
    fill(outbox, 2, 1, url=f"{HOST}#rc=99")
    run(outbox, client, waits_s=(1.0,))
    assert client.sent == []
    assert sorted(outbox.states()) == sorted(
        [
            (1001, "pending", "url_forbidden"),
            (1001, "dead", "url_forbidden"),
            (2001, "pending", "url_invalid"),
            (2001, "dead", "url_invalid"),
        ]
    )


def test_an_event_that_cannot_be_sent_does_not_hold_up_its_lane_for_ever() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    outbox.put(delivery({"id": "broken"}, delivery_id=1, lane_id=1, encoding="form"))
    fill(outbox, 1, 1)
    run(outbox, client, waits_s=(1.0,))
    assert outbox.states() == [
        (1, "pending", "internal_error"),
        (1, "dead", "internal_error"),
        (1001, "delivered", None),
    ]


def tried_while_well_is_told(hangs: str, well: str) -> int:
    """Let 300 lanes lead to what hangs; ten others are told at once. Returns how many of the first were tried."""
    outbox = FakeOutbox()
    for lane_id in range(1, 301):
        fill(outbox, lane_id, 1, url=f"{hangs}{lane_id}")
    for lane_id in range(401, 411):
        fill(outbox, lane_id, 5, url=f"{well}{lane_id}")
    client = FakeClient(lambda sent: hang(sent) if "hangs" in sent.url else FakeAnswer())
    run(outbox, client, for_s=1)
    told = [sent for sent in client.sent if "well" in sent.url]
    assert len(told) == 50
    assert max(sent.at for sent in told) < 0.1
    return len(client.sent) - len(told)


def test_a_hanging_host_takes_its_share_of_places_and_no_more() -> None:
    assert tried_while_well_is_told("https://hangs.example/", "https://well.example/") == MOST_UNPROVEN_PER_HOST


def test_an_endpoint_that_hangs_holds_up_no_other_of_the_same_host() -> None:
    tried = tried_while_well_is_told("https://one.example/hangs?conference=", "https://one.example/well/")
    assert 0 < tried < MOST_UNPROVEN_PER_HOST


def test_a_host_that_hung_gets_few_places_until_it_answers() -> None:
    outbox = FakeOutbox()
    for lane_id in range(1, 101):
        fill(outbox, lane_id, 1)
    client = FakeClient(hang)
    run(outbox, client, for_s=16)
    assert client.times() == [0] * 16 + [15] * 2


def test_requests_under_way_are_limited_in_all() -> None:
    outbox = FakeOutbox()
    for lane_id in range(1, 201):
        fill(outbox, lane_id, 1, url=f"https://host-{lane_id}.example/")
    client = FakeClient(hang)
    run(outbox, client, for_s=1)
    assert client.most_under_way == MOST_AT_ONCE


def test_what_waits_stays_in_the_store() -> None:
    outbox, client = FakeOutbox(), FakeClient(hang)
    for lane_id in range(1, 301):
        fill(outbox, lane_id, 40)
    run(outbox, client, for_s=100)
    assert outbox.most_loaded <= MOST_AT_ONCE * 16


def test_a_lane_with_much_to_say_lets_others_of_its_host_speak() -> None:
    outbox = FakeOutbox()

    async def slow(_: Sent) -> FakeAnswer:
        await asyncio.sleep(1)
        return FakeAnswer()

    client = FakeClient(slow)
    for lane_id in range(1, MOST_UNPROVEN_PER_HOST + 1):
        fill(outbox, lane_id, 1000)
    late = fill(outbox, 99, 1)
    run(outbox, client, for_s=100)
    assert client.sent[client.ids().index(late[0])].at <= 20


def test_an_outage_of_the_store_loses_nothing() -> None:
    outbox, client = FakeOutbox(broken=True), FakeClient()
    ids = fill(outbox, 1, 5)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(20)
        assert client.sent == []
        outbox.broken = False
        await asyncio.sleep(6)
        assert client.ids() == ids
        await its.stop()

    virtually(main())


def test_an_outcome_is_kept_until_the_store_takes_it() -> None:
    outbox, client = FakeOutbox(), FakeClient()
    fill(outbox, 1, 2)

    def breaks(_: Sent) -> FakeAnswer:
        outbox.broken = len(client.sent) == 1
        return FakeAnswer()

    client.script = breaks

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(60)
        assert len(client.sent) == 1
        outbox.broken = False
        await asyncio.sleep(6)
        await its.stop()

    virtually(main())
    assert client.ids() == ["lane-1-event-1", "lane-1-event-2"]
    assert not outbox.pending


def test_stop_lets_what_is_due_go_out() -> None:
    outbox = FakeOutbox()

    async def slow(_: Sent) -> FakeAnswer:
        await asyncio.sleep(0.5)
        return FakeAnswer()

    client = FakeClient(slow)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(1)
        ids = fill(outbox, 1, 2)
        its.notify([1])
        await its.stop()
        assert client.ids() == ids
        assert asyncio.get_running_loop().time() == pytest.approx(2)

    virtually(main())
    assert not outbox.pending


def test_stop_cuts_what_hangs_and_a_restart_repeats_it() -> None:
    outbox, client = FakeOutbox(), FakeClient(hang)
    fill(outbox, 1, 2)

    async def main() -> None:
        its = sender(outbox, client)
        its.start()
        await asyncio.sleep(1)
        await its.stop()
        assert asyncio.get_running_loop().time() == pytest.approx(4)
        assert client.under_way == 0
        its.notify([1])
        await asyncio.sleep(100)

    virtually(main())
    assert (outbox.settled, len(client.sent)) == ([], 1)
    again = FakeClient()
    run(outbox, again, for_s=1)
    assert again.ids() == ["lane-1-event-1", "lane-1-event-2"]


def test_after_a_restart_a_failed_delivery_keeps_its_time_and_its_attempts() -> None:
    outbox, client = FakeOutbox(), FakeClient(lambda sent: FakeAnswer(500))
    fill(outbox, 1, 1, attempts=2, next_at=AT + 40)
    run(outbox, client, for_s=100)
    assert client.times() == [40]
    assert outbox.settled[0].attempts == 3
    assert outbox.settled[0].next_at == pytest.approx(AT + 40 + 120, abs=0.01)


def test_stop_before_start_and_twice() -> None:
    async def main() -> None:
        its = sender(FakeOutbox(), FakeClient())
        await its.stop()
        its.start()
        await its.stop()
        await its.stop()

    virtually(main())


@pytest.mark.parametrize("seed", range(10))
def test_restarts_outages_and_failures_lose_nothing_and_change_no_order(seed: int) -> None:
    dice = random.Random(seed)
    outbox = FakeOutbox(commit_s=0.01)
    ids = {lane_id: fill(outbox, lane_id, 15) for lane_id in range(1, 9)}
    taken: dict[str, int] = {}

    async def sometimes(sent: Sent) -> FakeAnswer:
        outbox.broken = dice.random() < 0.1
        await asyncio.sleep(dice.random())
        outbox.broken = False
        if dice.random() < 0.15:
            return FakeAnswer(503)
        taken[sent.headers["webhook-id"]] = taken.get(sent.headers["webhook-id"], 0) + 1
        if dice.random() < 0.05:
            raise FetchError("connection_lost", "the answer did not come")
        return FakeAnswer()

    lives = 0
    while outbox.pending:
        # A life that is cut has no grace: what was under way is done again.
        client, outbox.broken = FakeClient(sometimes), False

        async def life(client: FakeClient) -> None:
            its = sender(outbox, client, waits_s=(0.1,) * 100)
            its.start()
            await asyncio.sleep(dice.random() * 10)
            await its.stop(grace_s=0)

        virtually(life(client))
        outbox.lanes = {lane_id: [replace(one, next_at=AT) for one in lane] for lane_id, lane in outbox.lanes.items()}
        lives += 1
    assert lives > 1
    assert {one.state for one in outbox.settled if one.state is not DeliveryState.PENDING} == {DeliveryState.DELIVERED}
    for lane_id, expected in ids.items():
        assert [event_id for event_id in taken if event_id.startswith(f"lane-{lane_id}-")] == expected


def test_counters_tell_what_was_done() -> None:
    outbox = FakeOutbox()
    fill(outbox, 1, 2)
    fill(outbox, 2, 1)
    client = FakeClient(lambda sent: FakeAnswer(500 if sent.url.endswith("2") else 200))

    async def main() -> None:
        its = sender(outbox, client, waits_s=(60.0,))
        its.start()
        await asyncio.sleep(1)
        assert (its.counters.delivered, its.counters.failed, its.counters.dead, its.failing) == (2, 1, 0, 1)
        await asyncio.sleep(100)
        assert (its.counters.delivered, its.counters.failed, its.counters.dead, its.failing) == (2, 2, 1, 0)
        assert its.sent_bytes == sum(len(sent.content or b"") for sent in client.sent) > 0
        assert its.backlog == 0
        await its.stop()

    virtually(main())


def test_a_body_that_never_ends_is_not_waited_for() -> None:
    outbox = FakeOutbox()
    fill(outbox, 1, 2)

    async def endless() -> bytes:
        await asyncio.sleep(1000)
        return b""

    async def broken() -> bytes:
        raise FetchError("too_large", "")

    bodies = iter([endless, broken])
    client = FakeClient(lambda sent: FakeAnswer(200, body=next(bodies)))
    run(outbox, client, for_s=10)
    assert client.times() == [0, 1]
    assert [state for _, state, _ in outbox.states()] == ["delivered", "delivered"]


def test_logs_tell_failures_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    outbox, client = FakeOutbox(), FakeClient(lambda sent: FakeAnswer(500))
    fill(outbox, 1, 1, url="https://anna:hunter2@hooks.example/path?token=hunter2")
    run(outbox, client, waits_s=(1.0,))
    printed = capsys.readouterr().out
    assert printed.count("webhook failed") == 1
    assert printed.count("webhook given up") == 1
    assert "https://hooks.example/path" in printed
    assert "hunter2" not in printed
