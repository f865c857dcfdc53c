"""Which addresses the operator lets user-supplied URLs lead to, beyond the public ones.

Decides what `PARLEY_ALLOW_PRIVATE_URLS` means: `false`, `true`, or networks. What an address is, is decided in
`addresses`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from server.urls.addresses import IPAddress, IPNetwork, Kind, concerns, unwrap

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off", ""})

NOBODY: Final = frozenset({Kind.UNSPECIFIED, Kind.BROADCAST, Kind.MULTICAST})
"""Kinds that no allowance covers: nobody who could be meant is reached there over TCP."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be dialled although it is not public. The default is nothing."""

    everything: bool = False
    networks: tuple[IPNetwork, ...] = ()

    def admits(self, address: IPAddress, kind: Kind) -> bool:
        """Return whether `address` may be dialled although it is a `kind` address."""
        if kind in NOBODY:
            return False
        if kind is Kind.METADATA:
            # These hand out the machine's own credentials, and hide inside of networks that people do list.
            return any(network.num_addresses == 1 and address in network for network in self.networks)
        return self.everything or any(address in network for network in self.networks)

    def refusal(self, address: IPAddress, *, own: bool = False) -> Kind | None:
        """Return why `address` may not be dialled, or None if it may; `own` says it belongs to this machine."""
        found = concerns(address)
        if own:
            found.append((unwrap(address), Kind.OWN))
        return next((kind for concerned, kind in found if not self.admits(concerned, kind)), None)


PUBLIC_ONLY: Final = Allowance()


def parse_allowance(value: bool | str | Iterable[str]) -> Allowance:
    """Return the allowance that a setting means: a bool, or `true`, `false` or networks, comma-separated or listed.

    Raises ValueError with a sentence for the operator.
    """
    if isinstance(value, bool):
        return Allowance(everything=value)
    if isinstance(value, str):
        if value.strip().lower() in _TRUE | _FALSE:
            return Allowance(everything=value.strip().lower() in _TRUE)
        value = value.split(",")
    try:
        return Allowance(networks=tuple(ip_network(text.strip()) for text in value))
    except ValueError as error:
        raise ValueError(f"write true, false, or networks such as 10.1.2.0/24 ({error})") from error
