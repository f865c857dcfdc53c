"""Whose packets are taken: an exact address, or a learnt one; what strangers send is counted and dropped."""

import numpy as np
import pytest

from mixer.protocol import LegConnected
from mixer.transports.libc import address_key
from tests.support.conference import Caller, VirtualConference, amplitude_at, tone

STRANGERS = {
    "same address, other port": lambda caller: address_key(caller.address.ip, caller.address.port + 2),
    "other address, same port": lambda caller: address_key("10.9.9.9", caller.address.port),
    "all different": lambda caller: address_key("10.9.9.8", 9),
    "port 0": lambda caller: address_key(caller.address.ip, 0),
}
ATTACK_HZ = 1000.0


def attack_packets(count: int, ssrc: int = 0xBAD, first: int = 0) -> list[bytes]:
    sender = VirtualConference().add("pcmu", tone(ATTACK_HZ, count / 50 + 1, 8000, 8000))
    sender.ssrc, sender.sequence = ssrc, first
    return [sender.packet() or b"" for _ in range(count)]


def level_dbfs(listener: Caller, skip_s: float = 0.0) -> float:
    sound = listener.heard()[int(skip_s * listener.rate) :]
    return float(20 * np.log10(max(amplitude_at(sound, ATTACK_HZ, listener.rate), 1e-9) / 32_768))


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_packets_of_strangers_are_never_heard_even_with_the_right_ssrc(stranger: str, single: bool) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 2, 8000), single=single)
    listener = conference.add("l16", rate=8000)
    source = STRANGERS[stranger](talker)
    for datagram in attack_packets(90, ssrc=talker.ssrc, first=talker.sequence):
        conference.inject(talker, datagram, source)
        conference.run(1)
    assert level_dbfs(listener) < -60
    assert amplitude_at(listener.heard()[4000:], 400, 8000) == pytest.approx(3000, rel=0.02)
    dropped = conference.mixer.intake.dropped
    assert dropped["wrong_source" if single else "unknown_source"] == 90
    assert conference.transport.locked == {}
    (line,) = [line for line in conference.mixer.stats() if line.call_id == talker.call_id]
    assert (line.lost, line.duplicates, line.concealed) == (0, 0, 0)


def test_address_is_learnt_from_four_packets_and_the_socket_locked_to_it() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 2, 8000), known=False, phase_ms=1)
    conference.add("pcmu")
    for tick in range(1, 4):
        conference.run(1)
        assert conference.transport.locked == {}
        assert talker.got == []
        assert not conference.reports, tick
    conference.run(1)
    assert conference.transport.locked == {talker.socket: (talker.address.ip, talker.address.port)}
    assert len(talker.got) == 1
    conference.run(1)
    assert conference.reports == [LegConnected(talker.call_id, talker.address)]
    assert conference.mixer.intake.dropped["unconfirmed_source"] == 4


def spray(conference: VirtualConference, victim: Caller, per_tick: int, ticks: int, stranger: str) -> set[int]:
    """An attacker's sequence, `per_tick` packets spread over each tick among what the victim sends."""
    source = STRANGERS[stranger](victim)
    packets = iter(attack_packets(per_tick * ticks))
    for _ in range(ticks):
        for number in range(per_tick):
            at_ns = conference.now_ns + (number + 1) * 20_000_000 // (per_tick + 1)
            conference.transport.arriving.append((victim.socket, source, next(packets), at_ns))
        conference.run(1)
    return {source}


@pytest.mark.parametrize("per_tick", [1, 3, 14])
@pytest.mark.parametrize("stranger", list(STRANGERS)[:3])
def test_attackers_beside_the_caller_are_sent_nothing_and_not_heard(stranger: str, per_tick: int) -> None:
    conference = VirtualConference()
    victim = conference.add("pcmu", tone(400, 6, 8000), known=False, phase_ms=1)
    listener = conference.add("l16", rate=8000)
    sent: list[int] = []
    send = conference.transport.send

    def watched() -> int:
        count = send()
        sent.extend(packet.destination for packet in conference.transport.sent)
        return count

    conference.transport.send = watched  # type: ignore[method-assign]
    attackers = spray(conference, victim, per_tick, 50, stranger)  # before: while they compete
    conference.run(25)  # they stop, the caller is learnt
    attackers |= spray(conference, victim, per_tick, 50, stranger)  # after
    conference.run(10)
    assert attackers.isdisjoint(sent)
    assert conference.transport.locked == {victim.socket: (victim.address.ip, victim.address.port)}
    assert level_dbfs(listener) < -60
    assert amplitude_at(listener.heard()[-4000:], 400, 8000) == pytest.approx(3000, rel=0.02)


def test_flood_that_is_not_looked_at_wins_nothing() -> None:
    """More than a tick looks at: the caller's packets may be among those left out, so nobody may qualify."""
    conference = VirtualConference()
    victim = conference.add("pcmu", tone(400, 3, 8000), known=False, phase_ms=19)
    attacker = address_key("10.9.9.8", 9)
    packets = iter(attack_packets(100 * 20))
    for _ in range(20):
        for _ in range(100):
            conference.transport.arriving.append((victim.socket, attacker, next(packets), conference.now_ns + 1000))
        conference.run(1)
    assert conference.transport.locked == {}
    conference.run(10)
    assert conference.transport.locked == {victim.socket: (victim.address.ip, victim.address.port)}


def test_learning_minds_payload_type_and_agreed_ssrc() -> None:
    conference = VirtualConference()
    victim = conference.add("pcmu", known=False, ssrc=7)
    source = address_key("10.9.9.8", 9)
    for datagram in attack_packets(20, ssrc=8):
        conference.inject(victim, datagram, source)
        conference.run(1)
    for datagram in attack_packets(20, ssrc=7):
        conference.inject(victim, datagram[:1] + b"\x08" + datagram[2:], source)
        conference.run(1)
    assert conference.transport.locked == {}
    for datagram in attack_packets(5, ssrc=7):
        conference.inject(victim, datagram, source)
        conference.run(1)
    assert conference.transport.locked == {victim.socket: ("10.9.9.8", 9)}


def test_datagrams_on_a_socket_without_a_leg_are_counted() -> None:
    conference = VirtualConference()
    conference.add("pcmu", single=True)
    for socket in (1, 9, 40):
        conference.transport.arriving.append((socket, 1, b"\x80" + bytes(171), conference.now_ns))
    conference.run(1)
    assert conference.mixer.intake.dropped["unknown_source"] == 3


def test_every_datagram_is_accounted_for() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", dtmf=101, phase_ms=1)
    learning = conference.add("pcmu", known=False)
    header = talker.header
    sent = [
        (talker, header() + bytes(160), None),
        (talker, header(101) + b"\x05\x0a\x00\xa0", None),
        (talker, header(13) + b"\x40", None),
        (talker, header(77) + bytes(160), None),
        (talker, header(), None),
        (talker, b"\x00" * 40, None),
        (talker, b"\x80\xc8\x00\x01", None),
        (talker, b"\x80\xc8\x00\x09" + bytes(8), None),
        (talker, b"", None),
        (talker, bytes(5000), None),
        (talker, header() + bytes(160), 5),
        (learning, header() + bytes(160), None),
        (learning, b"\x80\xc9\x00\x01\x00\x00\x00\x01", None),
    ]
    for caller, datagram, source in sent:
        conference.inject(caller, datagram, source)
    conference.run(1)
    intake = conference.mixer.intake
    assert intake.packets + sum(intake.dropped.values()) == len(sent)
    assert intake.packets == 2
    assert intake.dropped["unconfirmed_source"] == 2
    assert intake.dropped["unknown_source"] == 1
