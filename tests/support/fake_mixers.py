"""Mixers without processes: they keep the contract's rules, remember what they were told, and fail when asked to.

Tests of the service and the API use them, so that they test no process, no clock and no sound.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, cast

from mixer.protocol import (
    MOST_ASKED,
    Address,
    ClipEnded,
    LegConnected,
    LegPart,
    LegRemoved,
    LegStats,
    MediaFormat,
    MixerConfig,
    MixerStats,
    OutgoingStream,
    ProgramEnded,
    Spread,
)
from recording.catalog import RecorderConfig
from server.mixers.errors import LaunchFailed, MixerGone, MixerRefused
from server.mixers.handle import MixerHandle, News
from server.mixers.ports import MediaSocket
from server.mixers.recorder import RecorderHandle, RecorderNews
from server.mixers.supervisor import Mixers
from tests.support.fake_recorders import FakeRecorder, as_handle

OnReport = Callable[[MixerHandle, News], None]
OnExit = Callable[[MixerHandle, int | None], None]


def rate_of(leg: dict[str, Any]) -> int:
    """Return the rate at which a leg hears."""
    return cast(MediaFormat, leg["format"]).sample_rate


def figures(call_id: str) -> LegStats:
    """Return what a fake mixer says of every leg."""
    return LegStats(call_id, 100, 101, 1, 2, 3, 4, 5.5, 20.0, 25.0, -30.0, 40.0, 2.5, 0.125)


class FakeMixer:
    """One mixer. `legs` holds the arguments of `add_leg`, with later updates in place."""

    def __init__(self, config: MixerConfig, on_report: OnReport, on_exit: OnExit) -> None:
        self.config = config
        self.name = config.name
        self.alive = True
        self.sockets: dict[int, MediaSocket] = {}
        self.legs: dict[str, dict[str, Any]] = {}
        self.updates: list[tuple[str, dict[str, Any]]] = []
        self.messages: list[list[LegPart]] = []
        """The parts of each `update_legs`."""
        self.clips: dict[str, set[int]] = {}
        """Rates at which clips are lent, by id."""
        self.lent = 0
        self.programs: dict[str, tuple[str | None, bool]] = {}
        """What each leg is played: the clip's id and whether it loops."""
        self.plays: dict[str, dict[str, Any]] = {}
        """What plays now beside the mix, by play_id."""
        self.played: list[dict[str, Any]] = []
        """All that ever played, in order."""
        self.log: list[tuple[str, Any]] = []
        """Commands about sound, and updates of legs, in the order they came."""
        self.byes: list[str] = []
        self.refuse_legs = False
        self.refuse_plays = False
        self.refuse_programs = False
        self.refuse_recordings = False
        self.die_on_add = False
        self.keeps_figures = False
        """It is not to answer when it is asked for the figures of some legs."""
        self.recording: str | None = None
        self.records_tracks = False
        self._on_report = on_report
        self._on_exit = on_exit

    async def lend_socket(self, media: MediaSocket) -> None:
        self._check_alive()
        assert media.fileno() >= 0, "a closed socket was lent"
        assert media.socket_id not in self.sockets, "a socket was lent twice"
        self.sockets[media.socket_id] = media

    async def return_socket(self, socket_id: int) -> None:
        self._check_alive()
        if any(leg["socket_id"] == socket_id for leg in self.legs.values()):
            raise MixerRefused("legs are on it")
        del self.sockets[socket_id]

    async def add_leg(self, call_id: str, socket_id: int, **fields: Any) -> None:
        if self.die_on_add:
            self.die()
        self._check_alive()
        if self.refuse_legs or call_id in self.legs or socket_id not in self.sockets:
            raise MixerRefused("no such socket, or the leg is there, or the test wants it so")
        if self.sockets[socket_id].shared:
            remotes = [leg["remote"] for leg in self.legs.values() if leg["socket_id"] == socket_id]
            assert fields["remote"] is not None, "a leg of unknown address on a shared socket"
            assert fields["remote"] not in remotes, "two legs of one address on a shared socket"
        self.legs[call_id] = {"socket_id": socket_id, **fields}

    async def update_legs(self, parts: Sequence[LegPart]) -> None:
        self._check_alive()
        if any(part.call_id not in self.legs for part in parts):
            raise MixerRefused("no such leg")
        self.messages.append(list(parts))
        self.log.append(("update_legs", [part.call_id for part in parts]))
        for part in parts:
            if part.hears:
                self.programs.pop(part.call_id, None)
            fields = {"heard": part.heard, "hears": part.hears, "gain": part.gain, "heard_by": part.heard_by}
            self.legs[part.call_id].update(fields)
            self.updates.append((part.call_id, fields))

    async def remove_leg(self, call_id: str, bye: bool = False) -> LegRemoved:
        self._check_alive()
        if call_id not in self.legs:
            raise MixerRefused("no such leg")
        leg = self.legs.pop(call_id)
        self.programs.pop(call_id, None)
        if bye:
            self.byes.append(call_id)
        stream: OutgoingStream = leg["outgoing"]
        # As if 50 packets of 160 ticks had been sent.
        moved = OutgoingStream(stream.ssrc, (stream.sequence + 50) % 65536, (stream.timestamp + 8000) % 2**32, 1)
        return LegRemoved(0, call_id, moved, leg["remote"])

    async def lend_clip(self, clip_id: str, sample_rate: int, samples: int, fd: int) -> None:
        self._check_alive()
        assert os.fstat(fd).st_size == samples * 2, "the descriptor is not that of the clip"
        assert sample_rate not in self.clips.get(clip_id, set()), "a clip was lent twice at a rate"
        self.clips.setdefault(clip_id, set()).add(sample_rate)
        self.lent += 1
        self.log.append(("lend_clip", (clip_id, sample_rate)))

    async def return_clip(self, clip_id: str) -> None:
        self._check_alive()
        if clip_id not in self.clips:
            raise MixerRefused("no such clip")
        del self.clips[clip_id]
        self.log.append(("return_clip", clip_id))
        self.programs = {call_id: program for call_id, program in self.programs.items() if program[0] != clip_id}
        for play_id in [play_id for play_id, play in self.plays.items() if play["clip_id"] == clip_id]:
            self.end_clip(play_id)

    async def play_program(self, call_id: str, clip_id: str | None, *, loop: bool = False) -> None:
        self._check_alive()
        self.log.append(("play_program", (call_id, clip_id)))
        if call_id not in self.legs or self.legs[call_id]["hears"] or self.refuse_programs:
            raise MixerRefused("no such leg, or it hears the mix")
        if clip_id is not None and rate_of(self.legs[call_id]) not in self.clips.get(clip_id, set()):
            raise MixerRefused("the clip is not lent at the leg's rate")
        self.programs[call_id] = (clip_id, loop)

    async def play_clip(self, play_id: str, clip_id: str, **fields: Any) -> None:
        self._check_alive()
        if clip_id not in self.clips or play_id in self.plays or self.refuse_plays:
            raise MixerRefused("no such clip, or it plays already, or the test wants it so")
        self.plays[play_id] = {"clip_id": clip_id, "rates": set(self.clips[clip_id]), **fields}
        self.played.append(self.plays[play_id])
        self.log.append(("play_clip", clip_id))

    async def stop_clip(self, play_id: str) -> None:
        self._check_alive()
        if play_id in self.plays:
            self.end_clip(play_id)

    def end_clip(self, play_id: str) -> None:
        """Let a clip have been played to its end, or have been stopped."""
        del self.plays[play_id]
        self.report(ClipEnded(play_id))

    def end_program(self, call_id: str) -> None:
        """Let what a leg is played have come to its end."""
        clip_id, loop = self.programs.pop(call_id)
        assert clip_id is not None and not loop
        self.report(ProgramEnded(call_id, clip_id))

    async def start_recording(self, recording_id: str, feed_fd: int, tracks: bool) -> None:
        self._check_alive()
        if self.recording is not None or self.refuse_recordings:
            raise MixerRefused("it records already, or the test wants it so")
        assert os.fstat(feed_fd).st_size > 0, "the descriptor is not that of a feed"
        self.recording, self.records_tracks = recording_id, tracks
        self.log.append(("start_recording", recording_id))

    async def pause_recording(self, recording_id: str, behavior: str = "silence") -> None:
        self._recording("pause_recording", recording_id)

    async def resume_recording(self, recording_id: str) -> None:
        self._recording("resume_recording", recording_id)

    async def stop_recording(self, recording_id: str) -> None:
        self._recording("stop_recording", recording_id)
        self.recording = None

    def _recording(self, command: str, recording_id: str) -> None:
        self._check_alive()
        if self.recording != recording_id:
            raise MixerRefused("it does not record that")
        self.log.append((command, recording_id))

    async def stats(self) -> tuple[list[LegStats], MixerStats]:
        self._check_alive()
        return [figures(call_id) for call_id in self.legs], MixerStats(
            500, 0, Spread(0.1, 0.2, 0.3), Spread(1.0, 2.0, 3.0), 0.75
        )

    async def leg_stats(self, call_ids: Sequence[str]) -> list[LegStats]:
        self._check_alive()
        assert 0 < len(call_ids) <= MOST_ASKED
        if self.keeps_figures:
            await asyncio.sleep(3600)
        return [figures(call_id) for call_id in call_ids if call_id in self.legs]

    async def stop(self, grace_s: float = 2.0) -> None:
        self.byes += self.legs
        self.alive = False
        self._on_exit(cast(MixerHandle, self), 0)

    def report(self, news: News) -> None:
        """Let the mixer report something."""
        self._on_report(cast(MixerHandle, self), news)

    def connect(self, call_id: str, remote: Address) -> None:
        """Let a leg's first packet have come; a learnt address is the leg's from then on."""
        self.legs[call_id]["remote"] = remote
        self.report(LegConnected(call_id, remote))

    def die(self, status: int = -9) -> None:
        """Let the process die."""
        self.alive = False
        self._on_exit(cast(MixerHandle, self), status)

    def _check_alive(self) -> None:
        if not self.alive:
            raise MixerGone("the mixer has died")


class FakeMixers:
    """A supervisor of fake mixers. `running` are those alive, by name."""

    def __init__(self) -> None:
        self.launched: list[FakeMixer] = []
        self.recorders: list[FakeRecorder] = []
        """All that were ever launched."""
        self.fail_launches = False
        self.fail_recorders = False
        self.prepare: Callable[[FakeMixer], None] = lambda _mixer: None
        self.started = False

    @property
    def running(self) -> dict[str, FakeMixer]:
        return {mixer.name: mixer for mixer in self.launched if mixer.alive}

    @property
    def lobby(self) -> FakeMixer:
        return self.running["lobby"]

    def as_mixers(self) -> Mixers:
        return cast(Mixers, self)

    async def start(self) -> None:
        self.started = True

    async def launch(self, config: MixerConfig, on_report: OnReport, on_exit: OnExit) -> MixerHandle:
        if self.fail_launches:
            raise LaunchFailed("the test wants it so")
        mixer = FakeMixer(config, on_report, on_exit)
        self.prepare(mixer)
        self.launched.append(mixer)
        return cast(MixerHandle, mixer)

    async def launch_recorder(
        self,
        config: RecorderConfig,
        feed_fd: int,
        on_report: Callable[[RecorderHandle, RecorderNews], None],
        on_exit: Callable[[RecorderHandle, int | None], None],
    ) -> RecorderHandle:
        if self.fail_recorders:
            raise LaunchFailed("the test wants it so")
        assert os.fstat(feed_fd).st_size > 0, "the descriptor is not that of a feed"
        self.recorders.append(FakeRecorder(config, on_report, on_exit))
        return as_handle(self.recorders[-1])

    async def stop(self) -> None:
        self.started = False
