"""Addresses for media: which may be called, and which of ours is told."""

import pytest

from mixer.protocol import Address
from server.calls.addresses import answer_ip, check_remote, facing
from server.errors import ParleyError


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "203.0.113.9", "100.64.0.1", "8.8.8.8"])
def test_unicast_addresses_are_accepted(ip: str) -> None:
    assert check_remote(ip, 40000, "rtp") == Address(ip, 40000)


@pytest.mark.parametrize(
    "ip",
    ["0.0.0.0", "0.9.9.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::1", "::ffff:1.2.3.4",
     "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x7f.1", "2130706433", "example.org", "", " 1.2.3.4", "1.2.3.4 ", "1.2.3.256"],
)  # fmt: skip
def test_everything_else_is_refused(ip: str) -> None:
    with pytest.raises(ParleyError, match=r"rtp\.ip"):
        check_remote(ip, 40000, "rtp")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_out_of_range_are_refused(port: int) -> None:
    with pytest.raises(ParleyError, match=r"rtp\.port"):
        check_remote("127.0.0.1", port, "rtp")


def test_the_media_ip_is_told_whoever_calls() -> None:
    for remote in (None, Address("127.0.0.1", 1), Address("203.0.113.9", 1)):
        for loopback in (False, True):
            assert answer_ip(remote, "198.51.100.1", loopback_media=loopback) == "198.51.100.1"


def test_on_loopback_only_loopback_can_call() -> None:
    assert answer_ip(None, None, loopback_media=True) == "127.0.0.1"
    assert answer_ip(Address("127.0.0.9", 1), None, loopback_media=True) == "127.0.0.1"
    with pytest.raises(ParleyError, match="PARLEY_MEDIA_IP"):
        answer_ip(Address("10.0.0.1", 1), None, loopback_media=True)


def test_otherwise_the_address_facing_the_far_end_is_told() -> None:
    assert answer_ip(Address("127.0.0.1", 1), None, loopback_media=False) == "127.0.0.1"
    assert facing("127.0.0.5") == "127.0.0.1"
    assert answer_ip(None, None, loopback_media=False).count(".") == 3
