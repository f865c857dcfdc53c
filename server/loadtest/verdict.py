"""Whether a load test passed: each check looks at the figures and gives a line that says what was seen. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.loadtest.load import Load

GENERATOR_CPU_BELOW: Final = 0.95
GENERATOR_LATE_BELOW_MS: Final = 20.0
"""A load that is sent a packet's time late is another load."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a server."""

    delivered: float = 0.999
    """Share of the packets that callers should get, at least."""
    delay_p95_ms: float = 100.0
    late_ticks: float = 0.001
    """Share of the mixers' ticks, at most."""
    join_p95_ms: float = 1000.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict."""

    name: str
    held: bool
    text: str


def verdict(load: Load, figures: Mapping[str, Any], limits: Limits) -> list[Check]:
    """Judge a test's figures (`run.Outcome.figures`); it passed if every check held."""
    checks = [
        _joins(load, figures, limits),
        _delivered(figures, limits),
        _ticks(figures, limits),
        _generator(figures),
    ]
    if load.probes:
        checks.insert(2, _delay(figures["delay"], limits))
    return checks


def _joins(load: Load, figures: Mapping[str, Any], limits: Limits) -> Check:
    spread = figures["join_ms"]
    text = f"{load.participants} callers, p50 {spread['p50']:.0f} ms, p95 {spread['p95']:.0f} ms"
    return Check("joins", spread["p95"] <= limits.join_p95_ms, f"{text} (at most {limits.join_p95_ms:g})")


def _delivered(figures: Mapping[str, Any], limits: Limits) -> Check:
    unserved = figures["participants_unserved"]
    got, wanted = figures["packets_received"], figures["packets_expected"]
    text = f"{100 * figures['delivered']:.3f} % of {wanted} packets (at least {100 * limits.delivered:g} %)"
    if unserved:
        text += f"; {unserved} callers got nothing at all"
    return Check("delivered", not unserved and got >= limits.delivered * wanted, text)


def _delay(delay: Mapping[str, Any], limits: Limits) -> Check:
    if delay["p95_ms"] is None:
        return Check("added delay", False, f"none of {delay['sent']} bursts was heard")
    text = f"p50 {delay['p50_ms']:.1f} ms, p95 {delay['p95_ms']:.1f} ms (at most {limits.delay_p95_ms:g})"
    text += f"; {delay['heard']} of {delay['sent']} bursts heard"
    # The last burst may still be on its way when the window closes.
    heard = delay["heard"] >= 0.9 * (delay["sent"] - 1)
    return Check("added delay", heard and delay["p95_ms"] <= limits.delay_p95_ms, text)


def _ticks(figures: Mapping[str, Any], limits: Limits) -> Check:
    mixer = figures["mixer"]
    ticks, late, work = mixer["ticks"], mixer["late_ticks"], mixer["work_ms"]
    text = f"{late} of {ticks} late (at most {100 * limits.late_ticks:g} %), work p99 {work['p99']:.1f} of 20 ms"
    return Check("mixer's ticks", ticks > 0 and late <= limits.late_ticks * ticks, text)


def _generator(figures: Mapping[str, Any]) -> Check:
    """A load that was not made as it should be measures nothing."""
    cpu, late_ms = figures["generator_cpu"], figures["generator_late_ms"]
    missed = figures["packets_refused"] + figures["packets_dropped_here"]
    text = f"{100 * cpu:.0f} % of a core, packets sent {late_ms:.1f} ms late at p99"
    if missed:
        text += f"; {missed} packets lost on this side"
    held = cpu < GENERATOR_CPU_BELOW and late_ms < GENERATOR_LATE_BELOW_MS and not missed
    return Check("load generator", held, text)
