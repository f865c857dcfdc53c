"""A stand-in for a mixer on a real socket: whoever sends a packet has it passed on to the next one who is known."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ring(lose_every: int = 0, echo: bool = False) -> Iterator[tuple[str, int]]:
    """Pass packets round a ring of senders, or, with `echo`, back to them; forget every `lose_every`th."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.05)
    stop = threading.Event()

    def pass_on() -> None:
        known: list[tuple[str, int]] = []
        count = 0
        while not stop.is_set():
            try:
                packet, source = sock.recvfrom(4096)
            except TimeoutError:
                continue
            if source not in known:
                known.append(source)
            count += 1
            if not lose_every or count % lose_every:
                sock.sendto(packet, source if echo else known[(known.index(source) + 1) % len(known)])

    thread = threading.Thread(target=pass_on)
    thread.start()
    try:
        yield sock.getsockname()
    finally:
        stop.set()
        thread.join()
        sock.close()
