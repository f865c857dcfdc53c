"""Every spelling of a host is read as what it would be dialled as."""

import socket
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.urls.hosts import parse_host
from tests.server.urls.table import LOOPBACK_SPELLINGS


@pytest.mark.parametrize("text", LOOPBACK_SPELLINGS)
def test_spellings_of_loopback(text: str) -> None:
    assert parse_host(text) == ("127.0.0.1", IPv4Address("127.0.0.1"))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("exa%6dple.com", "example.com"),
        ("b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("web_1", "web_1"),
        ("a-b.c", "a-b.c"),
        ("1e100.net", "1e100.net"),
        ("0x7f.com", "0x7f.com"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
    ],
)
def test_names_have_one_spelling(text: str, host: str) -> None:
    assert parse_host(text) == (host, None)


@pytest.mark.parametrize(
    ("text", "host"),
    [("[::1]", "::1"), ("[2001:DB8:0::0:1]", "2001:db8::1"), ("[::ffff:8.8.8.8]", "8.8.8.8"), ("0", "0.0.0.0")],
)
def test_addresses_have_one_spelling(text: str, host: str) -> None:
    assert parse_host(text) == (host, ip_address(host))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a b",
        "a%00b",
        "a%2fb",
        "a%40b",
        "a%23b",
        "a%",
        "a%zz",
        "exa%256dple.com",
        "%ff%fe",
        "-a.com",
        "a-.com",
        "a" * 64,
        "a." * 127 + "a",
        "a" * 3000,
        "256.1",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.16777216",
        "4294967296",
        "08.8.8.8",
        "0x",
        "0xg.1",
        "example.1",
        "127.0.0.1..",
        "1.2.3.-4.5",
        "9" * 4000,
        "\ud800",
        "\u2603",
        "a\u200b\u200b..b",
        "::1",
        "[]",
        "[::1",
        "::1]",
        "[::1]x",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[v1.x]",
        "[::g]",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host"):
        parse_host(text)


@given(st.lists(st.sampled_from(["0", "1", "127", "255", "256", "0x7f", "0177", "08", "65536", "a"]), max_size=5))
@example(["0x7f000001"])
def test_numbers_mean_what_the_system_reads_in_them(parts: list[str]) -> None:
    text = ".".join(parts)
    try:
        expected = socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        expected = None
    try:
        _, address = parse_host(text)
    except ValueError:
        address = None
    assert (str(address) if address else None) == expected


@given(st.text(max_size=40))
def test_no_text_gets_through_that_is_not_plain(text: str) -> None:
    try:
        host, address = parse_host(text)
    except ValueError:
        return
    assert host.isascii()
    assert not set(host) & set("/@?#[]%\\ \r\n\t")
    assert address is not None or parse_host(host) == (host, None)
