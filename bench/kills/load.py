"""Clients that have conferences, one after the other, whatever happens to the server meanwhile."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx2

from bench.kills.account import Fact
from server.loadtest.sockets import address_of

TOKENS: Final = "start end join leave mute hold modify"
_DISCARD_PORT: Final = 9
_MOST_PARTICIPANTS: Final = 4
_STARTING: Final = "not_ready"
_FORGOTTEN: Final = "not_found"
"""What a client hears of a conference that an earlier life of the server knew."""
_PAUSE_S: Final = 0.02


class _InterruptedError(Exception):
    """The server is gone, or does not know the conference any more."""


class Client(threading.Thread):
    """Has conferences until it is told to stop; what it got good answers for is in `accepted`."""

    def __init__(self, number: int, url: str, callback_url: str, seed: int, life: Callable[[], int]) -> None:
        """`life` is the number of the server's life that goes on now."""
        super().__init__(name=f"client-{number}", daemon=True)
        self.accepted: list[Fact] = []
        self.surprises: list[str] = []
        """Answers that nothing explains."""
        self.conferences = 0
        self._life = life
        self._begun_in = 0
        self._number = number
        self._callback_url = callback_url
        self._random = random.Random(f"{seed}-{number}")
        self._stopping = threading.Event()
        self._http = httpx2.Client(base_url=url, timeout=10, trust_env=False)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        with self._http:
            while not self._stopping.is_set():
                with suppress(_InterruptedError):
                    self._conference()
                self._stopping.wait(_PAUSE_S)

    def _conference(self) -> None:
        self.conferences += 1
        self._begun_in = self._life()
        name = f"kills-{self._number}-{self.conferences}"
        joined = [self._join(name, seat) for seat in range(self._random.randint(2, _MOST_PARTICIPANTS))]
        conference_id = joined[0][0]
        present = {call_id: {"muted": False, "hold": False} for _, call_id in joined}
        for _ in range(self._random.randint(3, 12)):
            if self._stopping.is_set():
                return
            call_id = self._random.choice(list(present))
            self._change(conference_id, call_id, present[call_id])
            self._stopping.wait(self._random.random() * _PAUSE_S)
        if self._random.random() < 0.5:
            self._ask("POST", f"/v1/conferences/{conference_id}/end")
            self.accepted.append((conference_id, "conference-end", ""))
            return
        for call_id in present:
            self._ask("DELETE", f"/v1/conferences/{conference_id}/participants/{call_id}")
            self.accepted.append((conference_id, "participant-leave", call_id))

    def _join(self, name: str, seat: int) -> tuple[str, str]:
        media = {"rtp": {"codec": "pcmu", "ip": address_of(self._number * 64 + seat), "port": _DISCARD_PORT}}
        body = {"media": media, "status_callback": self._callback_url, "status_callback_event": TOKENS}
        joined = self._ask("POST", f"/v1/conferences/{name}/participants", body)
        self.accepted.append((joined["conference_id"], "participant-join", joined["call_id"]))
        return joined["conference_id"], joined["call_id"]

    def _change(self, conference_id: str, call_id: str, flags: dict[str, bool]) -> None:
        """Mute or hold a participant, or the reverse; what it is already makes no event."""
        what, done, undone = self._random.choice([("muted", "mute", "unmute"), ("hold", "hold", "unhold")])
        to = self._random.random() < 0.5
        self._ask("PATCH", f"/v1/conferences/{conference_id}/participants/{call_id}", {what: to})
        if flags[what] != to:
            self.accepted.append((conference_id, f"participant-{done if to else undone}", call_id))
            flags[what] = to

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
        except httpx2.TransportError:
            raise _InterruptedError from None
        if response.is_success:
            return response.json() if response.content else None
        code = response.json().get("code")
        if code != _STARTING and not (code == _FORGOTTEN and self._begun_in != self._life()):
            self.surprises.append(f"{method} {path}: {response.status_code} {response.text}")
        raise _InterruptedError
