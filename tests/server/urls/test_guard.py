"""No way leads to an address that is not public: not a literal, not a name, not a redirect, not a change of mind.

Each row of the table is tried in each way, against a canary that would sing.
"""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import structlog

from server.urls.allowance import Allowance, parse_allowance
from server.urls.dial import GuardedNetwork, is_own_address
from server.urls.errors import FetchError, UrlRefused
from server.urls.limits import Limits
from tests.server.urls.table import LOOPBACK_SPELLINGS, PUBLIC, REFUSED
from tests.server.urls.test_check import literal
from tests.server.urls.world import OTHER_PUBLIC_IP, PUBLIC_IP, Canary, Names, Routes, guarded, redirect, response, site

EVERYTHING = Allowance(everything=True)
HOSTS = [*map(literal, REFUSED), *LOOPBACK_SPELLINGS, "localhost"]


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    await canary.start()
    yield canary
    await canary.stop()


async def fetched(client, url: str, limits: Limits | None = None) -> bytes:
    async with client.fetch("GET", url, limits=limits) as answer:
        return await answer.read()


async def assert_forbidden(client, url: str, limits: Limits | None = None) -> None:
    with pytest.raises(UrlRefused) as refused:
        await fetched(client, url, limits)
    assert refused.value.code == "url_forbidden"


@pytest.mark.parametrize("host", HOSTS)
async def test_literals_are_not_dialled(canary: Canary, host: str) -> None:
    routes = Routes()
    async with guarded(routes=routes, names={"localhost": [["127.0.0.1"]]}) as client:
        await assert_forbidden(client, f"http://{host}:{canary.port}/")
    assert (routes.dialled, await canary.visitors()) == ([], 0)


@pytest.mark.parametrize("address", REFUSED)
async def test_names_are_not_dialled_if_any_answer_is_bad(canary: Canary, address: str) -> None:
    for answers in [address], [PUBLIC_IP, address], [address, PUBLIC_IP], [PUBLIC_IP, OTHER_PUBLIC_IP, address]:
        routes = Routes({PUBLIC_IP: canary.port, OTHER_PUBLIC_IP: canary.port})
        async with guarded(routes=routes, names={"evil.example": [answers]}) as client:
            await assert_forbidden(client, f"http://evil.example:{canary.port}/")
        assert routes.dialled == []
    assert await canary.visitors() == 0


@pytest.mark.parametrize("host", HOSTS)
async def test_redirects_are_not_followed_there(canary: Canary, host: str) -> None:
    location = f"http://{host}:{canary.port}/"
    if not host.isascii():
        location = location.encode().decode("latin-1")
    async with site(redirect(location)) as evil:
        routes = Routes({PUBLIC_IP: evil.port})
        names = {"evil.example": [[PUBLIC_IP]], "localhost": [["127.0.0.1"]]}
        async with guarded(routes=routes, names=names) as client:
            await assert_forbidden(client, "http://evil.example/", Limits(max_redirects=3))
    assert (routes.dialled, len(evil.asked), await canary.visitors()) == ([PUBLIC_IP], 1, 0)


@pytest.mark.parametrize("address", REFUSED)
async def test_names_are_judged_by_each_answer_when_they_change_their_mind(canary: Canary, address: str) -> None:
    async with site(response(b"kind", headers={"Connection": "close"})) as evil:
        routes = Routes({PUBLIC_IP: evil.port})
        names = Names({"evil.example": [[PUBLIC_IP], [address]]})
        url = f"http://evil.example:{canary.port}/"
        async with guarded(routes=routes, names=names) as client:
            assert await fetched(client, url) == b"kind"
            await assert_forbidden(client, url)
    assert (routes.dialled, names.asked) == ([PUBLIC_IP], ["evil.example"] * 2)
    assert await canary.visitors() == 0


async def test_a_connection_goes_to_the_answer_that_was_checked(canary: Canary) -> None:
    async with site(response(b"kind")) as evil:
        names = Names({"evil.example": [[PUBLIC_IP], ["127.0.0.1"]]})
        async with guarded(routes={PUBLIC_IP: evil.port}, names=names) as client:
            url = f"http://evil.example:{canary.port}/"
            assert await fetched(client, url) == b"kind"
            # The same connection again, so the name is not asked for what it is now.
            assert await fetched(client, url) == b"kind"
    assert (names.asked, evil.connections, len(evil.asked)) == (["evil.example"], 1, 2)
    assert await canary.visitors() == 0


async def test_a_redirect_to_itself_is_resolved_and_judged_anew(canary: Canary) -> None:
    url = f"http://evil.example:{canary.port}/"
    answer = redirect(url).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with site(answer) as evil:
        names = {"evil.example": [[PUBLIC_IP], ["127.0.0.1"]]}
        async with guarded(routes={PUBLIC_IP: evil.port}, names=names) as client:
            await assert_forbidden(client, url, Limits(max_redirects=3))
    assert await canary.visitors() == 0


@pytest.mark.parametrize("spelling", LOOPBACK_SPELLINGS)
async def test_the_canary_is_reached_if_that_is_allowed(canary: Canary, spelling: str) -> None:
    async with guarded(parse_allowance("127.0.0.1")) as client:
        assert await fetched(client, f"http://{spelling}:{canary.port}/") == b"tweet"
    assert await canary.visitors() == 1


async def test_names_and_redirects_reach_the_canary_if_that_is_allowed(canary: Canary) -> None:
    async with site(redirect(f"http://canary.example:{canary.port}/")) as first:
        routes = Routes({PUBLIC_IP: first.port})
        names = {"first.example": [[PUBLIC_IP]], "canary.example": [["127.0.0.1"]]}
        async with guarded(EVERYTHING, routes=routes, names=names) as client:
            assert await fetched(client, "http://first.example/", Limits(max_redirects=1)) == b"tweet"
    assert (routes.dialled, await canary.visitors()) == ([PUBLIC_IP, "127.0.0.1"], 1)


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_are_dialled_as_they_are(address: str) -> None:
    async with site(response(b"hello")) as there:
        for host in (literal(address), "kind.example"):
            routes = Routes({address: there.port})
            async with guarded(routes=routes, names={"kind.example": [[address]]}) as client:
                assert await fetched(client, f"http://{host}/") == b"hello"
            assert routes.dialled == [address]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with site(response(b"hello")) as there:
        routes = Routes({OTHER_PUBLIC_IP: there.port})
        async with guarded(routes=routes, names={"kind.example": [[PUBLIC_IP, OTHER_PUBLIC_IP]]}) as client:
            assert await fetched(client, "http://kind.example/") == b"hello"
    assert routes.dialled == [PUBLIC_IP, OTHER_PUBLIC_IP]


async def test_not_every_address_of_a_long_answer_is_tried() -> None:
    routes = Routes()
    answers = [f"93.184.215.{last}" for last in range(1, 200)]
    async with guarded(routes=routes, names={"long.example": [answers]}) as client:
        with pytest.raises(FetchError) as failed:
            await fetched(client, "http://long.example/")
    assert failed.value.code == "connect_failed"
    assert routes.dialled == answers[:4]


async def test_an_address_of_this_machine_is_refused_even_if_it_is_public() -> None:
    async def resolver(_host: str) -> list[str]:
        return [PUBLIC_IP]

    routes = Routes()
    network = GuardedNetwork(Allowance(), resolver, network=routes, is_own=lambda address: str(address) == PUBLIC_IP)
    with pytest.raises(UrlRefused, match="server's own"):
        await network.connect_tcp("self.example", 8080)
    assert routes.dialled == []


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("192.0.2.1"))
    assert not is_own_address(ip_address("2001:db8::1"))


async def test_socket_files_are_never_opened() -> None:
    with pytest.raises(UrlRefused):
        await GuardedNetwork(Allowance(), Names({})).connect_unix_socket("/run/docker.sock")


async def test_a_refusal_is_logged_with_its_address_but_users_do_not_learn_it() -> None:
    with structlog.testing.capture_logs() as logs:
        async with guarded(names={"intranet.example": [["10.20.30.40"]]}) as client:
            with pytest.raises(UrlRefused) as refused:
                await fetched(client, "http://anna:SECRET@intranet.example/x?token=SECRET")
    assert "10.20.30.40" not in refused.value.detail
    assert "private" in refused.value.detail
    assert [(line["host"], line["address"]) for line in logs] == [("intranet.example", "10.20.30.40")]
    assert "SECRET" not in repr(logs) + repr(refused.value)
