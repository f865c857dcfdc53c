"""The mixer's end of its control socket: commands in, reports out, and never a wait.

A tick must not stall because the server is slow to read, so what the socket won't take is queued here. News
and answers are always kept. What the server can do without - log lines, heartbeats, and all parts but the
last of a `Stats` run - is dropped when the queue is long, and the drops are reported once there is room. This
file carries out no command; it only tells a wrong message from a right one.
"""

import errno
import json
import socket
from collections import deque
from typing import Any, Final

from pydantic import ValidationError

from mixer import packets
from mixer.protocol import COMMANDS, REPORTS, Command, Heartbeat, Levels, LogLine, Refused, Report, Stats

MAX_COMMANDS: Final = 64
"""How many packets one `receive` takes at most, so that a burst of commands is spread over ticks."""

QUEUE_LIMIT: Final = 1_000
"""Reports waiting for the server beyond which those it can do without are dropped."""

_CANNOT_TAKE_NOW: Final = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}


class Control:
    """Non-blocking messages over `sock`, which this object owns from now on."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        packets.enlarge_send_buffer(sock)
        self._sock = sock
        self._buffer = bytearray(packets.MAX_MESSAGE_BYTES)
        self._queue: deque[tuple[bytes, bool]] = deque()
        """Encoded reports in order, each with whether it may be dropped."""
        self._dropped = 0
        self.closed = False
        """The server is gone: nothing will be received any more, and nothing can be sent."""

    def fileno(self) -> int:
        """The socket's descriptor, readable when a command or the end is there; -1 after `close`."""
        return self._sock.fileno()

    def receive(self) -> list[tuple[Command, list[int]]]:
        """Take what has arrived, at most MAX_COMMANDS; each with its descriptors, which the caller owns now.

        A wrong message is refused and reported, its descriptors closed.
        """
        commands: list[tuple[Command, list[int]]] = []
        for _ in range(MAX_COMMANDS):
            if self.closed:
                break
            try:
                packet = packets.receive(self._sock, self._buffer)
            except BlockingIOError:
                break
            if packet is None:
                self.closed = True
                break
            try:
                if not packet.whole:
                    raise ValueError("the message or its descriptors were cut off")
                commands.append((COMMANDS.validate_json(packet.data), packet.fds))
            except ValueError as error:  # pydantic's ValidationError is one
                packets.close_all(packet.fds)
                self._refuse(packet.data, error)
        return commands

    @property
    def behind(self) -> bool:
        """Something is still to be flushed."""
        return bool(self._queue or self._dropped)

    def send(self, report: Report) -> None:
        """Send `report`, or queue it. After `closed` it goes nowhere."""
        self.flush()
        if self.closed:
            return
        data = REPORTS.dump_json(report)
        if not self._queue and self._sent(data):
            return
        droppable = isinstance(report, LogLine | Heartbeat | Levels) or (isinstance(report, Stats) and not report.last)
        if len(self._queue) >= QUEUE_LIMIT and not self._make_room(droppable):
            return
        self._queue.append((data, droppable))

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it."""
        while self._queue and not self.closed:
            if not self._sent(self._queue[0][0]):
                return
            self._queue.popleft()
        if self._dropped and not self.closed:
            dropped, self._dropped = self._dropped, 0
            line = LogLine("warning", "reports dropped: the server did not read them", {"reports": dropped})
            if not self._sent(REPORTS.dump_json(line)):
                self._dropped = dropped

    def close(self) -> None:
        """Flush as far as possible and close the socket."""
        self.flush()
        self.closed = True
        self._queue.clear()
        self._sock.close()

    def _sent(self, data: bytes) -> bool:
        """Whether `data` is dealt with: taken by the socket, or nobody is left to read it."""
        try:
            self._sock.send(data)
        except ConnectionError:
            # Commands and lent descriptors not yet received are dropped by the kernel with the socket.
            self.closed = True
            self._queue.clear()
        except OSError as error:
            if error.errno in _CANNOT_TAKE_NOW:
                return False
            raise
        return True

    def _make_room(self, droppable: bool) -> bool:
        """Drop one report that may be dropped; False if that is the new one. News is kept above the limit."""
        if droppable:
            self._dropped += 1
            return False
        for index, (_, may_go) in enumerate(self._queue):
            if may_go:
                del self._queue[index]
                self._dropped += 1
                break
        return True

    def _refuse(self, data: bytes, error: ValueError) -> None:
        reason = _first_line(error)
        self.send(LogLine("error", "wrong command", {"reason": reason, "message": repr(data[:200])}))
        request_id = _request_id(data)
        if request_id is not None:
            # Unanswered, it would make the server wait and then take this mixer for hung.
            self.send(Refused(request_id, f"wrong command: {reason}"))


def _first_line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)


def _request_id(data: bytes) -> int | None:
    try:
        message: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    request_id = message.get("request_id") if isinstance(message, dict) else None
    return request_id if isinstance(request_id, int) else None
