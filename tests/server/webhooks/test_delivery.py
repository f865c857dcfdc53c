"""The sender with the guarded client and real receivers on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from server import clock
from server.urls.allowance import PUBLIC_ONLY, Allowance
from server.webhooks.sender import Sender
from server.webhooks.sign import whsec
from tests.server.urls.world import Asked, Site, guarded, redirect, response, site
from tests.server.webhooks.examples import delivery, event
from tests.server.webhooks.virtual import FakeOutbox

SECRET = "a secret of the tests"
LOCAL = Allowance(everything=True)
FINE = response(b"thanks")


class Outbox(FakeOutbox):
    """Says when it has heard of so many outcomes."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Condition()

    async def settle(self, settled) -> None:
        await super().settle(settled)
        async with self.heard:
            self.heard.notify_all()

    async def outcomes(self, count: int) -> list[tuple[int, str, str | None]]:
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(lambda: len(self.settled) >= count)
        return self.states()


@asynccontextmanager
async def sending(outbox: FakeOutbox, allowance: Allowance = LOCAL, **options) -> AsyncIterator[Sender]:
    async with guarded(allowance, names={"nowhere.example": [[]]}) as client:
        its = Sender(outbox, client, clock, secret=SECRET, **{"waits_s": (0.01, 0.01), **options})
        its.start()
        try:
            yield its
        finally:
            await its.stop(grace_s=0)


def put(outbox: FakeOutbox, there: Site | int, count: int = 1, *, path: str = "/", lane_id: int = 1, **options) -> None:
    port = there if isinstance(there, int) else there.port
    for number in range(1, count + 1):
        of = event(sequence=number, event_id=f"{lane_id}-{number}")
        url = f"http://127.0.0.1:{port}{path}"
        outbox.put(delivery(of, delivery_id=1000 * lane_id + number, lane_id=lane_id, url=url, next_at=0, **options))


def ids(there: Site) -> list[str]:
    return [asked.headers["webhook-id"] for asked in there.asked]


@pytest.mark.parametrize("encoding", ["relay", "form"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_receiver_gets_what_it_can_verify(encoding, method) -> None:
    outbox = Outbox()
    async with site(FINE) as there:
        put(outbox, there, path="/hook?a=b#rc=1", encoding=encoding, method=method)
        async with sending(outbox):
            assert await outbox.outcomes(1) == [(1001, "delivered", None)]
    [asked] = there.asked
    assert asked.method == method
    Webhook(whsec(SECRET)).verify(asked.body, asked.headers, json_parse=False)
    if encoding == "relay":
        url = f"http://{asked.headers['Host']}{asked.target}"
        assert RequestValidator(SECRET).validate(url, asked.body.decode(), asked.headers["X-Twilio-Signature"])
    if (encoding, method) == ("relay", "POST"):
        assert json.loads(asked.body) == event(sequence=1, event_id="1-1")


async def test_a_lane_uses_one_connection_for_everything_in_order() -> None:
    outbox = Outbox()
    async with site(FINE) as there:
        put(outbox, there, 100)
        async with sending(outbox):
            await outbox.outcomes(100)
    assert ids(there) == [f"1-{number}" for number in range(1, 101)]
    assert there.connections == 1


async def test_a_connection_that_broke_while_idle_costs_no_attempt() -> None:
    kept: set[asyncio.StreamWriter] = set()

    def once(_: Asked, writer: asyncio.StreamWriter) -> None:
        if writer in kept:
            writer.close()
        else:
            kept.add(writer)
            writer.write(FINE)

    outbox = Outbox()
    async with site(once) as there:
        put(outbox, there, 3)
        async with sending(outbox):
            assert {state for _, state, _ in await outbox.outcomes(3)} == {"delivered"}
    assert [one.attempts for one in outbox.settled] == [1, 1, 1]


def garbage(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xffgarbage\r\n\r\n")
    writer.close()


def closes(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def endless_headers(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.transport.is_closing():
        writer.write(b"X-More: " + b"x" * 8000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (garbage, "protocol_error"),
        (closes, "connection_lost"),
        (lambda asked, writer: None, "total_timeout"),
        (endless_headers, "protocol_error"),
        (response(status="404 Not Found"), "http_4xx"),
        (response(status="500 Oh"), "http_5xx"),
        (redirect("/elsewhere"), "redirect"),
    ],
)
async def test_what_is_no_good_answer(
    answer: bytes | Callable[[Asked, asyncio.StreamWriter], None], error: str
) -> None:
    outbox = Outbox()
    async with site(answer) as there:
        put(outbox, there, path="/hook#tt=300")
        async with sending(outbox, waits_s=()):
            assert await outbox.outcomes(1) == [(1001, "dead", error)]
    assert {asked.target.partition("?")[0] for asked in there.asked} == {"/hook"}


async def test_a_gigabyte_is_not_read() -> None:
    written_bytes = 0

    async def a_lot(_: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal written_bytes
        writer.write(response(length=1 << 30))
        for _ in range(1 << 14):
            writer.write(bytes(1 << 16))
            await writer.drain()
            written_bytes += 1 << 16

    outbox = Outbox()
    async with site(a_lot) as there:
        put(outbox, there)
        async with sending(outbox):
            assert await outbox.outcomes(1) == [(1001, "delivered", None)]
    assert written_bytes < 64 << 20


async def test_nobody_there() -> None:
    outbox = Outbox()
    async with site(FINE) as there:
        gone = there.port
    put(outbox, gone)
    outbox.put(delivery(delivery_id=2001, lane_id=2, url="http://nowhere.example/", next_at=0))
    async with sending(outbox, waits_s=()):
        found = await outbox.outcomes(2)
    assert sorted(found) == [(1001, "dead", "connection_refused"), (2001, "dead", "dns_failed")]


async def test_where_we_may_not_go_nobody_is_asked() -> None:
    outbox = Outbox()
    async with site(FINE) as there:
        put(outbox, there)
        async with sending(outbox, PUBLIC_ONLY, waits_s=()):
            assert await outbox.outcomes(1) == [(1001, "dead", "url_forbidden")]
    assert there.connections == 0


async def test_an_endpoint_that_hangs_holds_up_nobody_else() -> None:
    outbox = Outbox()
    async with site(lambda asked, writer: None) as hangs, site(FINE) as well:
        for lane_id in range(1, 41):
            put(outbox, hangs, lane_id=lane_id)
        for lane_id in range(101, 110):
            put(outbox, well, 10, lane_id=lane_id)
        async with sending(outbox):
            assert {state for _, state, _ in await outbox.outcomes(90)} == {"delivered"}
    assert len(well.asked) == 90
    assert len(outbox.settled) == 90


async def test_what_a_receiver_did_not_acknowledge_comes_again_under_the_same_id() -> None:
    outbox = Outbox()
    answers = iter([b"", response(status="503 Busy"), FINE])

    def loses_one(_: Asked, writer: asyncio.StreamWriter) -> None:
        answer = next(answers)
        writer.write(answer) if answer else writer.close()

    async with site(loses_one) as there:
        put(outbox, there)
        async with sending(outbox):
            await outbox.outcomes(3)
    assert ids(there) == ["1-1"] * 3
    assert len({asked.body for asked in there.asked}) == 1
    assert outbox.states() == [
        (1001, "pending", "connection_lost"),
        (1001, "pending", "http_5xx"),
        (1001, "delivered", None),
    ]
