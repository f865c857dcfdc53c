import os
import socket
from pathlib import Path

import pytest

from mixer.protocol import Address
from server.mixers import ports as ports_module
from server.mixers.errors import OutOfPorts, RemoteUnreachable
from server.mixers.ports import OWN_RECEIVE_BYTES, SHARED_RECEIVE_BYTES, MediaPorts, MediaSocket
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")

LOCAL = "127.0.0.1"
FIRST, LAST = 19_300, 19_319


@pytest.fixture
def ports() -> MediaPorts:
    return MediaPorts(FIRST, LAST, LOCAL)


def as_python(media: MediaSocket) -> socket.socket:
    """The same socket, with Python's methods."""
    return socket.socket(fileno=os.dup(media.fileno()))


@pytest.mark.parametrize(
    ("first", "last"), [(0, 10), (10, 9), (1, 65_536), (-2, 10), (20_001, 20_001), (65_535, 65_535)]
)
def test_a_range_without_an_even_port_is_an_error(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="port"):
        MediaPorts(first, last, LOCAL)


@pytest.mark.parametrize(
    ("first", "last", "capacity"), [(20_000, 20_000, 1), (20_001, 20_003, 1), (20_000, 29_999, 5_000)]
)
def test_capacity_counts_even_ports(first: int, last: int, capacity: int) -> None:
    assert MediaPorts(first, last, LOCAL).capacity == capacity


def test_every_even_port_is_given_once_and_then_there_are_none(ports: MediaPorts) -> None:
    before = open_fds()
    opened = [ports.open(shared=bool(number % 2)) for number in range(10)]
    assert sorted(media.port for media in opened) == list(range(FIRST, LAST, 2))
    assert len({media.socket_id for media in opened}) == 10
    assert ports.in_use == 10
    with pytest.raises(OutOfPorts, match="all 10 media ports are in use"):
        ports.open(shared=False)
    opened[3].close()
    opened[3].close()
    assert (ports.in_use, opened[3].fileno()) == (9, -1)
    again = ports.open(shared=False)
    assert again.port == opened[3].port
    assert again.socket_id != opened[3].socket_id
    for media in [*opened, again]:
        media.close()
    assert ports.in_use == 0
    assert open_fds() == before


def test_the_order_can_not_be_guessed() -> None:
    def order() -> list[int]:
        ports = MediaPorts(FIRST, LAST, LOCAL)
        opened = [ports.open(shared=False) for _ in range(10)]
        for media in opened:
            media.close()
        return [media.port for media in opened]

    # Twenty times the same of 10! orders is not chance.
    assert len({tuple(order()) for _ in range(20)}) > 1


def test_ports_of_other_programs_are_passed_over_and_found_again() -> None:
    ports = MediaPorts(FIRST, FIRST + 3, LOCAL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, FIRST))
        media = ports.open(shared=False)
        assert media.port == FIRST + 2
        with pytest.raises(OutOfPorts, match="other programs hold 1"):
            ports.open(shared=False)
        assert ports.in_use == 1
    second = ports.open(shared=False)
    assert second.port == FIRST
    media.close()
    second.close()


def test_a_port_that_a_mixer_still_holds_is_passed_over() -> None:
    ports = MediaPorts(FIRST, FIRST + 1, LOCAL)
    media = ports.open(shared=False)
    with as_python(media):  # as if lent
        media.close()
        with pytest.raises(OutOfPorts):
            ports.open(shared=False)
    ports.open(shared=False).close()


def test_buffers_timestamps_and_blocking_are_set(ports: MediaPorts) -> None:
    # As an unprivileged process the kernel's limit is the most one gets.
    for shared, wanted in [(True, SHARED_RECEIVE_BYTES), (False, OWN_RECEIVE_BYTES)]:
        media = ports.open(shared=shared)
        with as_python(media) as sock:
            # Linux reports twice what was asked for.
            limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 2 * min(wanted, limit)
            assert sock.getsockopt(socket.SOL_SOCKET, ports_module._SO_TIMESTAMPNS) == 1
            assert not os.get_blocking(media.fileno())
            assert not os.get_inheritable(media.fileno())
        media.close()


def test_without_privileges_the_buffer_is_what_the_kernel_allows() -> None:
    class Unprivileged:
        def __init__(self) -> None:
            self.options: list[tuple[int, int]] = []

        def setsockopt(self, _level: int, option: int, value: int) -> None:
            if option == ports_module._SO_RCVBUFFORCE:
                raise PermissionError
            self.options.append((option, value))

    sock = Unprivileged()
    ports_module._set_receive_buffer(sock, 12_345)  # type: ignore[arg-type]
    assert sock.options == [(socket.SO_RCVBUF, 12_345)]


def test_an_own_socket_hears_nobody_but_its_far_end(ports: MediaPorts) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        far_end.bind((LOCAL, 0))
        remote = Address(*far_end.getsockname())
        media = ports.open(shared=False, remote=remote)
        assert media.remote == remote
        to = (media.address.ip, media.address.port)
        stranger.sendto(b"stranger", to)
        far_end.sendto(b"far end", to)
        with as_python(media) as sock:
            assert sock.recv(100) == b"far end"
            with pytest.raises(BlockingIOError):
                sock.recv(100)
        media.close()


def test_a_shared_socket_hears_everybody(ports: MediaPorts) -> None:
    media = ports.open(shared=True, remote=Address(LOCAL, 9))
    assert media.remote is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anybody, as_python(media) as sock:
        anybody.sendto(b"hello", (LOCAL, media.port))
        assert sock.recv(100) == b"hello"
    media.close()


def test_an_unreachable_far_end_costs_no_port(ports: MediaPorts) -> None:
    before = open_fds()
    with pytest.raises(RemoteUnreachable):
        ports.open(shared=False, remote=Address("255.255.255.255", 5004))
    assert ports.in_use == 0
    assert open_fds() == before


def test_an_address_that_is_not_ours_costs_no_port() -> None:
    ports = MediaPorts(FIRST, LAST, "192.0.2.1")
    with pytest.raises(OSError, match="assign requested address"):
        ports.open(shared=False)
    assert ports.in_use == 0


def test_out_of_descriptors_is_out_of_ports(ports: MediaPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", no_more)
    with pytest.raises(OutOfPorts, match="ulimit"):
        ports.open(shared=False)
    assert ports.in_use == 0


def test_all_addresses_can_be_bound() -> None:
    ports = MediaPorts(FIRST, LAST, "0.0.0.0")
    media = ports.open(shared=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anybody, as_python(media) as sock:
        anybody.sendto(b"hello", (LOCAL, media.port))
        assert sock.recv(100) == b"hello"
    media.close()
