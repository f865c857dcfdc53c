"""A recorded conference of a real server in which one counts seconds and one listens, and who may be killed under it.

`Talk` is one such conference; `verdict` says what became of its recording: whether all of it is there, and true.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import httpx2
import numpy as np

from bench.machine import descendants
from recording.catalog import Manifest, folder_name
from recording.catalog.manifest import PublishedTrack
from server import clock
from server.caller.session import RtpCaller
from tests.support.counting import FRAME_MS, Count, Pcm, count, counting
from tests.support.hooks import Hooks
from tests.support.live_server import LiveServer

Victim = Literal["recorder", "mixer"]
LONGEST_S = 20
_DONE_WITHIN_S = 30.0
_COMM_LETTERS = {"recorder": 6, "mixer": 9}
"""How much of an id's end the kernel shows in the names of processes."""


class Talk:
    """One conference, from two joins to whatever ends it."""

    def __init__(self, server: LiveServer, hooks: Hooks, name: str, **options: Any) -> None:
        self.server, self.hooks, self.name = server, hooks, name
        self.talker, self.listener = RtpCaller("pcmu"), RtpCaller("opus", keep_packets=True)
        asked = {
            "record": "record-from-start",
            "tracks": True,
            "beep": False,
            "status_callback": hooks.url,
            "recording_status_callback": hooks.url,
            "recording_status_callback_event": "in-progress completed absent failed",
        }
        self.calls = [self._join(caller, asked | options) for caller in (self.talker, self.listener)]
        self.talker.play(counting(LONGEST_S, 8000), 8000)
        [recording] = server.get(f"/v1/recordings?conference_id={self.conference_id}")["recordings"]
        self.recording_id = str(recording["recording_id"])

    def _join(self, caller: RtpCaller, asked: dict[str, Any]) -> str:
        answer = self.server.post(f"/v1/conferences/{self.name}/participants", {"media": caller.media(), **asked})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        caller.start(body["media"])
        self.conference_id = str(body["conference_id"])
        return str(body["call_id"])

    def process(self, kind: Victim) -> int | None:
        """The pid of its mixer or recorder; None if there is none."""
        whole = {"recorder": self.recording_id, "mixer": self.conference_id}[kind]
        comm = f"{kind} {whole[-_COMM_LETTERS[kind] :]}"
        return next((pid for pid in descendants(self.server.pid) if _comm(pid) == comm), None)

    def kill(self, kind: Victim) -> bool:
        """SIGKILL; False if there was nobody to kill."""
        pid = self.process(kind)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def leave(self) -> None:
        """Both hang up. Who is last waits a moment for the recording, and for nothing if the server dies meanwhile."""
        with suppress(httpx2.TransportError):
            for call_id in self.calls:
                answer = self.server.http.delete(f"/v1/calls/{call_id}")
                assert answer.status_code in (204, 404), answer.text

    def close(self) -> None:
        """Free the callers' ports."""
        for caller in (self.talker, self.listener):
            caller.close(bye=False)

    def heard(self) -> Count:
        """What of the counting the listener heard: as much was there to be recorded."""
        sound = self.listener.heard()
        return count(sound.pcm, sound.rate)


def kill_server(server: LiveServer, everything: bool) -> list[int]:
    """SIGKILL the server, or it and every process it has, at one moment; returns all pids."""
    below = list(descendants(server.pid))
    for pid in [server.pid, *(below if everything else [])]:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    return below


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a talk's recording. `faults`: everything that is not as promised."""

    faults: tuple[str, ...]
    heard_ms: int
    """How much of the counting the conference heard."""
    lost_ms: int
    """Most that any of its sounds lacks of that."""
    said_lost_ms: int
    """What the manifest says of that."""
    recovered: bool


def verdict(talk: Talk, most_lost_ms: int = 1000) -> Verdict:
    """Wait until its recording is done, then look at everything there is of it."""
    recording, manifest = wait_done(talk)
    faults = [] if recording["status"] == "completed" else [f"it is {recording}"]
    folder = talk.server.data / "recordings" / folder_name(talk.recording_id)
    heard_ms, lost_ms = talk.heard().heard_ms, 0
    shifts = []
    for file in manifest.all_files():
        content = (folder / file.name).read_bytes()
        if (len(content), hashlib.sha256(content).hexdigest()) != (file.byte_size, file.sha256):
            faults.append(f"{file.name} is not what the manifest says")
        rate, sound = decoded(folder / file.name)
        if (rate, len(sound)) != (manifest.sample_rate, file.samples):
            faults.append(f"{file.name}: {len(sound)} samples at {rate} Hz")
        if isinstance(file, PublishedTrack) and file.call_id == talk.calls[1]:
            faults += [f"{file.name}: who listens is heard"] if sound.any() else []
            continue
        found = count(sound, rate)
        missing_ms = heard_ms - found.heard_ms
        lost_ms = max(lost_ms, missing_ms)
        shifts.append(found.shifts_ms)
        if missing_ms > most_lost_ms or not found.in_place:
            faults.append(f"{file.name}: {missing_ms} ms lost, {found}, {manifest.gaps}")
    # What waits in the jitter buffer may grow and shrink, but for the room as for the track.
    if not all(_alike(one, shifts[0]) for one in shifts):
        faults.append(f"the room and the track do not go together: {shifts}")
    # Of who listens there may be no track: a crash may come before it was noted that he is there.
    if manifest.files.audio is None or [track.call_id for track in manifest.files.tracks] not in (
        talk.calls[:1],
        talk.calls,
    ):
        faults.append(f"files: {manifest.files}")
    if manifest.files.audio is not None and recording["sha256"] != manifest.files.audio.sha256:
        faults.append(f"the API says {recording}")
    faults += _untold(talk)
    return Verdict(tuple(faults), heard_ms, lost_ms, manifest.lost_ms, manifest.recovered)


def _alike(one: Mapping[int, int], other: Mapping[int, int]) -> bool:
    both = one.keys() & other.keys()
    apart = [one[second] - other[second] for second in both]
    return max(apart, default=0) - min(apart, default=0) <= FRAME_MS


def wait_done(talk: Talk) -> tuple[dict[str, Any], Manifest]:
    """Wait until it is known what came of the recording; returns what the API says of it, and the manifest."""
    path = f"/v1/recordings/{talk.recording_id}"
    deadline_s = clock.monotonic() + _DONE_WITHIN_S
    while (recording := talk.server.get(path))["status"] in ("in-progress", "processing", "paused"):
        assert clock.monotonic() < deadline_s, recording
        time.sleep(0.05)
    answer = talk.server.http.get(f"{path}/manifest")
    assert answer.status_code == 200, (recording, answer.text)
    return recording, Manifest.parse(answer.content)


def _untold(talk: Talk) -> list[str]:
    """What of the recording was not logged, or not told to the callbacks, once each."""
    wanted = Counter(["conference-start", "conference-end", "record-start", "record-stop"])
    logged: Counter[str] = Counter()
    told: Counter[str] = Counter()
    deadline_s = clock.monotonic() + _DONE_WITHIN_S
    while clock.monotonic() < deadline_s:
        events = talk.server.get(f"/v1/conferences/{talk.conference_id}/events")["events"]
        logged = Counter(event["params"]["status"] for event in events if event["params"]["status"] in wanted)
        told = Counter(params["status"] for params in talk.hooks.about(talk.conference_id))
        if logged == told == wanted:
            return []
        time.sleep(0.05)
    return [f"logged: {dict(logged)}, told: {dict(told)}"]


def decoded(path: Path) -> tuple[int, Pcm]:
    """All of a file by FFmpeg's library, and by its prober where there is one: rate and samples of its one channel."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono")
        rate = container.streams.audio[0].rate
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    if shutil.which("ffprobe"):
        command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream", str(path)]
        probed = subprocess.run(command, capture_output=True, text=True, check=True)
        assert probed.stderr == "", probed.stderr
    return rate, np.concatenate([frame.to_ndarray()[0] for frame in frames])


def left_behind(server: LiveServer) -> list[str]:
    """Unfinished recordings and the processes of any."""
    parts = [path.name for path in (server.data / "recordings").iterdir() if path.suffix]
    return parts + [f"{pid}: {name}" for pid in descendants(server.pid) if (name := _comm(pid)).startswith("recorder")]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
