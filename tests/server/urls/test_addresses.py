"""What an address is, by the table and at its edges."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.urls.addresses import concerns, unwrap
from tests.server.urls.table import PUBLIC, REFUSED


def test_the_table_is_as_long_as_promised() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_what_is_not_public_has_a_kind(address: str, kind: str) -> None:
    assert concerns(ip_address(address))[0][1] == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_raise_no_concern(address: str) -> None:
    assert concerns(ip_address(address)) == []


@pytest.mark.parametrize(
    ("address", "inner", "kind"),
    [
        ("64:ff9b::127.0.0.1", "127.0.0.1", "loopback"),
        ("64:ff9b::169.254.169.254", "169.254.169.254", "cloud metadata"),
        ("2002:a00:1::1", "10.0.0.1", "private"),
        ("2001:0:5ef5:79fd:0:0:80ff:fffe", "127.0.0.1", "loopback"),
        ("::10.0.0.1", "10.0.0.1", "private"),
    ],
)
def test_the_ipv4_address_behind_an_ipv6_one_is_judged_too(address: str, inner: str, kind: str) -> None:
    assert concerns(ip_address(address))[1:] == [(IPv4Address(inner), kind)]


def test_a_public_address_behind_an_ipv6_one_adds_nothing() -> None:
    assert [kind for _, kind in concerns(ip_address("64:ff9b::8.8.8.8"))] == ["NAT64"]


def test_a_mapped_address_is_the_ipv4_one_and_a_zone_is_no_part_of_an_address() -> None:
    assert unwrap(ip_address("::ffff:8.8.8.8")) == IPv4Address("8.8.8.8")
    assert unwrap(ip_address("fe80::1%7")) == IPv6Address("fe80::1")
    assert concerns(ip_address("fe80::a9fe:a9fe%eth0"))[0][1] == "cloud metadata"


@given(st.ip_addresses())
def test_what_python_knows_not_to_be_global_is_never_public(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast:
        assert concerns(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_maps(address: IPv4Address) -> None:
    assert concerns(IPv6Address(f"::ffff:{address}")) == concerns(address)
