"""What an IP address is, as far as it matters to a server that connects wherever its users tell it to.

Decides which addresses are not ordinary public ones, and by which name such a one is called. Whether it may be dialled
all the same is decided in `allowance`. Pure: no name is resolved here.

The tables follow the IANA special-purpose registries (RFC 6890, 8190) and add what is only conventional: the addresses
of cloud metadata services. Where they are silent on an IPv6 address, it is refused unless it is global unicast
(2000::/3, RFC 4291 section 2.4): a range assigned tomorrow should not be open today.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Kind(StrEnum):
    """Why an address is not one that a stranger may send us to; the value is for people."""

    UNSPECIFIED = "unspecified"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link-local"
    SITE_LOCAL = "site-local"
    CGNAT = "carrier-grade NAT"
    METADATA = "cloud metadata"
    THIS_NETWORK = "this-network"
    PROTOCOL = "protocol assignment"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    DISCARD = "discard-only"
    SEGMENT_ROUTING = "segment routing"
    RELAY = "relay anycast"
    TEREDO = "Teredo"
    SIX_TO_FOUR = "6to4"
    NAT64 = "NAT64"
    IPV4_COMPATIBLE = "IPv4-compatible"
    RESERVED = "reserved"
    OWN = "server's own"
    """Any address of this machine: behind it stand services that no firewall keeps from us."""


def _table(*rows: tuple[Kind, str]) -> tuple[tuple[IPNetwork, Kind], ...]:
    return tuple((ip_network(network), kind) for kind, networks in rows for network in networks.split())


# The first row that holds an address names it, so a narrow network stands before the wide one around it.
_V4: Final = _table(
    (Kind.METADATA, "169.254.169.254 169.254.170.2 169.254.170.23 169.254.42.42"),
    (Kind.METADATA, "168.63.129.16 100.100.100.200 192.0.0.192"),
    (Kind.UNSPECIFIED, "0.0.0.0"),
    (Kind.THIS_NETWORK, "0.0.0.0/8"),
    (Kind.PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16"),
    (Kind.CGNAT, "100.64.0.0/10"),
    (Kind.LOOPBACK, "127.0.0.0/8"),
    (Kind.LINK_LOCAL, "169.254.0.0/16"),
    (Kind.PROTOCOL, "192.0.0.0/24 192.31.196.0/24 192.52.193.0/24 192.175.48.0/24"),
    (Kind.DOCUMENTATION, "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24"),
    (Kind.RELAY, "192.88.99.0/24"),
    (Kind.BENCHMARKING, "198.18.0.0/15"),
    (Kind.MULTICAST, "224.0.0.0/4"),
    (Kind.BROADCAST, "255.255.255.255"),
    (Kind.RESERVED, "240.0.0.0/4"),
)
_V6: Final = _table(
    (Kind.UNSPECIFIED, "::"),
    (Kind.LOOPBACK, "::1"),
    (Kind.METADATA, "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fe80::a9fe:a9fe"),
    (Kind.IPV4_COMPATIBLE, "::/96"),
    (Kind.NAT64, "64:ff9b::/96 64:ff9b:1::/48"),
    (Kind.DISCARD, "100::/64"),
    (Kind.TEREDO, "2001::/32"),
    (Kind.BENCHMARKING, "2001:2::/48"),
    (Kind.DOCUMENTATION, "2001:db8::/32 3fff::/20"),
    (Kind.PROTOCOL, "2001::/23 2620:4f:8000::/48"),
    (Kind.SIX_TO_FOUR, "2002::/16"),
    (Kind.SEGMENT_ROUTING, "5f00::/16"),
    (Kind.PRIVATE, "fc00::/7"),
    (Kind.LINK_LOCAL, "fe80::/10"),
    (Kind.SITE_LOCAL, "fec0::/10"),
    (Kind.MULTICAST, "ff00::/8"),
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


def unwrap(address: IPAddress) -> IPAddress:
    """Return the IPv4 address inside an IPv4-mapped one (`::ffff:a.b.c.d`), any other without its zone.

    The kernel connects to a mapped address over IPv4, so it is that address, in another spelling.
    """
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def concerns(address: IPAddress) -> list[tuple[IPAddress, Kind]]:
    """Return all that speaks against dialling `address`, each with the address it is said of; empty: a public one.

    An IPv6 address that leads to an IPv4 one (NAT64, 6to4, Teredo, IPv4-compatible) adds what is said of that: who
    allows the way does not thereby allow every end of it.
    """
    address = unwrap(address)
    kind = _kind(address)
    found = [(address, kind)] if kind else []
    inner = _leads_to(address) if isinstance(address, IPv6Address) else None
    return found + concerns(inner) if inner else found


def _kind(address: IPAddress) -> Kind | None:
    table = _V4 if isinstance(address, IPv4Address) else _V6
    for network, kind in table:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Kind.RESERVED
    return None


def _leads_to(address: IPv6Address) -> IPv4Address | None:
    # In the local-use prefix of RFC 8215 only the network's operator knows where the IPv4 address stands.
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return address.teredo[1] if address.teredo is not None else None
