"""What the operator's allowance opens, and what it never does."""

from ipaddress import ip_address

import pytest

from server.settings import load_settings
from server.urls.allowance import NOBODY, PUBLIC_ONLY, Allowance, parse_allowance
from tests.server.urls.table import PUBLIC, REFUSED

EVERYTHING = Allowance(everything=True)


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_nothing_but_the_public_is_allowed_by_default(address: str, kind: str) -> None:
    assert PUBLIC_ONLY.refusal(ip_address(address)) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_is_allowed_always(address: str) -> None:
    assert PUBLIC_ONLY.refusal(ip_address(address)) is None
    assert parse_allowance("10.0.0.0/8").refusal(ip_address(address)) is None


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_true_allows_all_that_somebody_can_be_at_except_metadata(address: str, kind: str) -> None:
    refused = kind in NOBODY or kind == "cloud metadata"
    assert EVERYTHING.refusal(ip_address(address)) == (kind if refused else None)


@pytest.mark.parametrize("address", ["64:ff9b::224.0.0.1", "2002:a9fe:a9fe::1", "::255.255.255.255"])
def test_true_does_not_open_a_way_around(address: str) -> None:
    assert EVERYTHING.refusal(ip_address(address)) is not None


def test_networks_allow_what_is_inside_of_them_and_nothing_else() -> None:
    allowance = parse_allowance("10.1.2.0/24, fd00::/8 ,127.0.0.1")
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "127.0.0.1"]:
        assert allowance.refusal(ip_address(address)) is None, address
    for address in ["10.1.3.1", "127.0.0.2", "::1", "fe80::1", "192.168.1.1", "::ffff:10.1.3.1"]:
        assert allowance.refusal(ip_address(address)) is not None, address


def test_who_allows_a_way_does_not_allow_every_end_of_it() -> None:
    allowance = parse_allowance("64:ff9b::/96")
    assert allowance.refusal(ip_address("64:ff9b::8.8.8.8")) is None
    assert allowance.refusal(ip_address("64:ff9b::127.0.0.1")) == "loopback"
    both = parse_allowance("64:ff9b::/96,127.0.0.0/8")
    assert both.refusal(ip_address("64:ff9b::127.0.0.1")) is None


def test_metadata_is_allowed_only_by_its_very_address() -> None:
    metadata = ip_address("169.254.169.254")
    assert parse_allowance("169.254.0.0/16").refusal(metadata) == "cloud metadata"
    assert parse_allowance("169.254.0.0/16").refusal(ip_address("169.254.1.1")) is None
    assert parse_allowance("169.254.169.254").refusal(metadata) is None


@pytest.mark.parametrize("address", ["224.0.0.1", "0.0.0.0", "255.255.255.255", "ff02::1", "::"])
def test_no_network_allows_what_nobody_is_at(address: str) -> None:
    assert parse_allowance("0.0.0.0/0,::/0").refusal(ip_address(address)) is not None


def test_the_servers_own_address_is_refused_unless_allowed() -> None:
    own = ip_address("93.184.215.14")
    assert PUBLIC_ONLY.refusal(own, own=True) == "server's own"
    assert EVERYTHING.refusal(own, own=True) is None
    assert parse_allowance("93.184.215.14").refusal(own, own=True) is None
    assert parse_allowance("93.184.215.15").refusal(own, own=True) == "server's own"


@pytest.mark.parametrize(
    ("value", "everything", "networks"),
    [
        (True, True, []),
        (False, False, []),
        ("true", True, []),
        (" ON ", True, []),
        ("no", False, []),
        ("", False, []),
        ("10.1.2.0/24", False, ["10.1.2.0/24"]),
        ("10.1.2.3, ::1", False, ["10.1.2.3/32", "::1/128"]),
        (("10.1.2.0/24", "fd00::/8"), False, ["10.1.2.0/24", "fd00::/8"]),
    ],
)
def test_settings_are_read(value: bool | str | tuple[str, ...], everything: bool, networks: list[str]) -> None:
    allowance = parse_allowance(value)
    assert (allowance.everything, list(map(str, allowance.networks))) == (everything, networks)


@pytest.mark.parametrize("value", ["maybe", "10.1.2.3/24", "10.0.0.0/8,,", "example.com"])
def test_what_is_no_network_is_refused_with_a_sentence(value: str) -> None:
    with pytest.raises(ValueError, match="write true, false, or networks"):
        parse_allowance(value)


def test_what_the_settings_hold_can_be_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ["true", "false", "10.1.2.0/24,::1/128"]:
        monkeypatch.setenv("PARLEY_ALLOW_PRIVATE_URLS", text)
        assert parse_allowance(load_settings({"dev": True}).allow_private_urls) == parse_allowance(text)
