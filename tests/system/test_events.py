"""Following a real server's events to its very end, and on after it has started again."""

import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.support.live_server import LiveServer

CALL = {"media": {"rtp": {"codec": "pcmu"}}}


class Follower(threading.Thread):
    """Reads events in a thread of its own until the server ends the stream."""

    def __init__(self, url: str, last_event_id: str | None = None) -> None:
        super().__init__()
        self._url = url
        self._headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        self.begun = threading.Event()
        self.news = threading.Semaphore(0)
        self.told: list[dict[str, Any]] = []
        self.ended_well = False
        self.start()
        assert self.begun.wait(20)

    def run(self) -> None:
        with (
            suppress(httpx2.TransportError),
            httpx2.Client(trust_env=False, timeout=30) as http,
            http.sse(f"{self._url}/v1/events", headers=self._headers) as source,
        ):
            self.begun.set()
            for sent in source:
                self.told.append(json.loads(sent.data))
                self.news.release()
            self.ended_well = True

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.news.acquire(timeout=20)

    def statuses(self) -> list[str]:
        self.join(20)
        return [event["params"]["status"] for event in self.told]


def test_events_are_followed_to_the_servers_end_and_on_after_its_return(tmp_path: Path) -> None:
    server = LiveServer(tmp_path).start()
    follower = Follower(server.url)
    assert server.post("/v1/conferences/standup/participants", CALL).status_code == 201
    assert server.stop() == 0
    assert follower.statuses() == ["participant-join", "conference-start", "participant-leave", "conference-end"]
    assert follower.ended_well

    killed = LiveServer(tmp_path).start()
    resumed = Follower(killed.url, follower.told[1]["id"])
    assert killed.post("/v1/conferences/retro/participants", CALL).status_code == 201
    resumed.wait_for(4)
    os.kill(killed.pid, signal.SIGKILL)
    killed.stop()
    assert resumed.statuses() == ["participant-leave", "conference-end", "participant-join", "conference-start"]
    assert not resumed.ended_well

    third = LiveServer(tmp_path).start()
    last = Follower(third.url, resumed.told[-1]["id"])
    assert third.stop() == 0
    assert last.statuses() == ["participant-leave", "conference-end"]
