"""Certificates are checked against the name in the URL, though an address is dialled."""

import ssl
from pathlib import Path

import pytest

from server.urls.allowance import Allowance
from server.urls.errors import FetchError
from tests.server.urls.world import PUBLIC_IP, guarded, response, site

PEM = Path(__file__).with_name("hooks.example.pem")
"""A certificate that signs itself, for hooks.example and 127.0.0.1, and its key, which guards nothing."""


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=PEM)


def serving() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


async def test_the_name_is_what_server_and_certificate_are_asked_for() -> None:
    async with site(response(b"hello"), tls=serving()) as there:
        names = {"hooks.example": [[PUBLIC_IP]]}
        async with (
            guarded(names=names, routes={PUBLIC_IP: there.port}, trust=trusting()) as client,
            client.fetch("GET", "https://hooks.example/x") as answer,
        ):
            assert await answer.read() == b"hello"
    assert there.server_names == ["hooks.example"]
    assert there.asked[0].headers["Host"] == "hooks.example"


async def test_an_address_in_the_url_is_checked_against_the_addresses_in_the_certificate() -> None:
    async with (
        site(response(b"hello"), tls=serving()) as there,
        guarded(Allowance(everything=True), trust=trusting()) as client,
        client.fetch("GET", f"https://127.0.0.1:{there.port}/") as answer,
    ):
        assert await answer.read() == b"hello"


@pytest.mark.parametrize(
    ("host", "trust"),
    [("other.example", trusting()), ("hooks.example", ssl.create_default_context()), (PUBLIC_IP, trusting())],
    ids=["another name", "a stranger", "another address"],
)
async def test_other_certificates_are_refused_and_nothing_is_sent(host: str, trust: ssl.SSLContext) -> None:
    async with (
        site(response(b"hello"), tls=serving()) as there,
        guarded(names={host: [[PUBLIC_IP]]}, routes={PUBLIC_IP: there.port}, trust=trust) as client,
    ):
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", f"https://{host}/"):
                pass
    assert failed.value.code == "tls_failed"
    assert "certificate is not good" in failed.value.detail
    assert there.asked == []


async def test_a_server_without_tls_is_a_tls_error() -> None:
    async with (
        site(b"", greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as there,
        guarded(Allowance(everything=True)) as client,
    ):
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", f"https://127.0.0.1:{there.port}/"):
                pass
    assert failed.value.code == "tls_failed"
