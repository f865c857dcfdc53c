"""Captures into a published recording: the one way that every end takes, orderly or found after a crash.

Decides what is published: the mix as one WAV file, trimmed if that was asked for and then the whole of it as
FLAC too, each participant's track as FLAC, or nothing where nothing was to be heard. Where the disk has no room for
that, the captures themselves are published, as they play already. Order and durability are `part`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from recording.attendance import Attendance, attendances
from recording.catalog.manifest import Files, Manifest, PublishedFile, PublishedTrack, Status, Trim
from recording.catalog.messages import RecorderConfig
from recording.disk import reason_of
from recording.encoding import Piece, encode, write_wav
from recording.part import PartFolder
from recording.silence import heard_span_ms, trimmed_span_ms
from recording.story import Story
from recording.summary import Summary
from recording.timeline import TICK_MS, TICKS_PER_S
from recording.voices import Capture, Voice

AUDIO: Final = "audio.wav"
ROOM: Final = "room.flac"
SHORTEST_MS: Final = 100
"""What is shorter is no recording."""
_PIECE_MS: Final = 1000
SERVER_LOST: Final = "server_lost"
_CONFERENCE_OVER: Final = {"conference_ended", "shutdown", SERVER_LOST}
"""Reasons of recordings with whose end everybody left: without its server a conference ends."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a recording ended. `failure`: a FailureReason if it could not be written to its end."""

    reason: str
    length_ms: int
    end_tick: int
    failure: str | None = None
    recovered: bool = False
    lost_ms: int = 0

    @property
    def all_left(self) -> bool:
        """Whether the conference was over with it."""
        return self.reason in _CONFERENCE_OVER and self.failure is None


def publish(part: PartFolder, config: RecorderConfig, story: Story, ending: Ending) -> Manifest:
    """Publish what is in a part folder. Returns the manifest that is in it then; raises OSError if it can't."""
    part.clear_unfinished()
    captures = [Capture(name, part.fd) for name in part.capture_names()]
    try:
        manifest = _Publication(part, config, story, ending, captures).run()
    finally:
        for capture in captures:
            capture.close()
    part.conclude(manifest)
    return manifest


def manifest_without_files(config: RecorderConfig, story: Story, ending: Ending, status: Status) -> Manifest:
    """Of a recording of which there is nothing to be heard, or nothing that could be published."""
    summary = Summary(story, ending.length_ms, ending.end_tick)
    return Manifest(
        recording_id=config.recording_id,
        conference_id=config.conference_id,
        project_id=config.project_id,
        name=config.conference_name,
        source=config.source,
        status=status,
        reason=ending.failure or ending.reason,
        started_at=config.started_unix_s,
        ended_at=config.started_unix_s + ending.end_tick / TICKS_PER_S,
        sample_rate=0,
        channels=1,
        samples=0,
        duration_s=0.0,
        trim=Trim(config.trim),
        pauses=summary.pauses(),
        gaps=summary.gaps(),
        participants=summary.participants(_attendances(story, ending)),
        files=Files(),
        recovered=ending.recovered,
        lost_ms=ending.lost_ms,
    )


def _attendances(story: Story, ending: Ending) -> list[Attendance]:
    return attendances(story.happenings, ending.end_tick, all_left=ending.all_left)


class _Publication:
    def __init__(
        self, part: PartFolder, config: RecorderConfig, story: Story, ending: Ending, captures: list[Capture]
    ) -> None:
        self._part, self._config, self._story, self._ending = part, config, story, ending
        self._length_ms = ending.length_ms
        self._summary = Summary(story, ending.length_ms, ending.end_tick)
        self._calls = {call.call_id: call for call in _attendances(story, ending)}
        self._captures = captures
        mixes = [capture for capture in captures if capture.name.track is None]
        self._rate = max((capture.name.sample_rate for capture in mixes if capture.samples), default=0)
        self._mix = Voice(mixes, self._rate)
        self._trim = Trim(config.trim)
        self._failure = ending.failure

    def run(self) -> Manifest:
        """Make all files, and the manifest that lists them."""
        bare = manifest_without_files(self._config, self._story, self._ending, "absent")
        heard = heard_span_ms(self._mix, self._length_ms) if self._rate else None
        if heard is None or self._length_ms < SHORTEST_MS:
            return replace(bare, status="absent" if self._failure is None else "failed")
        files = self._mix_files(heard)
        tracks, leftover = self._track_files()
        files = replace(files, tracks=tracks, captures=files.captures + leftover)
        assert files.audio is not None
        return replace(
            bare,
            status="completed" if self._failure is None else "failed",
            reason=self._failure or bare.reason,
            sample_rate=self._rate,
            samples=files.audio.samples,
            duration_s=files.audio.samples / self._rate,
            trim=self._trim,
            files=files,
        )

    def _mix_files(self, heard: tuple[int, int]) -> Files:
        whole = (0, self._length_ms)
        span = trimmed_span_ms(heard, self._length_ms) if self._config.trim else whole
        try:
            if span == whole and len(self._mix.captures) == 1:
                return Files(audio=self._capture_as_audio(self._mix.captures[0]))
            room = None if span == whole else self._flac(ROOM, self._mix, whole)
            audio = self._wav(span)
        except OSError as error:
            self._failure = reason_of(error)
            return self._captures_as_mix()
        per_ms = self._rate // 1000
        self._trim = Trim(self._config.trim, span[0] * per_ms, (self._length_ms - span[1]) * per_ms)
        return Files(audio=audio, room=room)

    def _captures_as_mix(self) -> Files:
        """Without taking space: the mix's captures, of which the one with most sound counts as the recording."""
        audio, *others = sorted(self._mix.captures, key=lambda capture: capture.data_bytes, reverse=True)
        self._rate = audio.name.sample_rate
        return Files(audio=self._capture_as_audio(audio), captures=tuple(map(self._as_it_is, others)))

    def _capture_as_audio(self, capture: Capture) -> PublishedFile:
        """A second name for a capture: until `conclude` has dropped the first, it is a capture like others."""
        samples = capture.finish(self._length_ms * capture.name.sample_rate // 1000)
        return self._part.measured(self._part.linked(str(capture.name), AUDIO), samples)

    def _as_it_is(self, capture: Capture) -> PublishedFile:
        return self._part.measured(str(capture.name), capture.finish(capture.samples))

    def _wav(self, span: tuple[int, int]) -> PublishedFile:
        samples = (span[1] - span[0]) * self._rate // 1000
        with self._part.new_file(AUDIO) as name:
            write_wav(name, self._part.fd, self._rate, 1, samples, pieces(self._mix, span))
        return self._part.measured(AUDIO, samples)

    def _flac(self, name: str, voice: Voice, span: tuple[int, int]) -> PublishedFile:
        with self._part.new_file(name) as unfinished:
            encode(unfinished, self._part.fd, "flac", voice.sample_rate, 1, pieces(voice, span))
        return self._part.measured(name, (span[1] - span[0]) * voice.sample_rate // 1000)

    def _track_files(self) -> tuple[tuple[PublishedTrack, ...], tuple[PublishedFile, ...]]:
        """The tracks, and the captures of those for which there was no room."""
        tracks: list[PublishedTrack] = []
        leftover: list[PublishedFile] = []
        for number in sorted({capture.name.track for capture in self._captures if capture.name.track is not None}):
            captures = [capture for capture in self._captures if capture.name.track == number]
            voice = Voice(captures, self._rate)
            call_id = self._story.call_ids[number] if number < len(self._story.call_ids) else None
            try:
                if voice.captures:
                    span = self._track_span_ms(number, voice, self._calls.get(call_id or ""))
                    tracks.append(self._track(number, call_id, voice, span))
            except OSError as error:
                self._failure = reason_of(error)
                leftover.extend(self._as_it_is(capture) for capture in captures)
        tracks += self._silent_tracks({track.call_id for track in tracks})
        return tuple(tracks), tuple(leftover)

    def _silent_tracks(self, there: set[str]) -> Iterator[PublishedTrack]:
        """Of those who were there and never heard: muted all the time, or with nothing to say. None once the disk
        takes no more.
        """
        known = self._story.call_ids
        used = [capture.name.track for capture in self._captures if capture.name.track is not None]
        voice, unused = Voice([], self._rate), count(max([len(known), *(number + 1 for number in used)]))
        for call_id, call in self._calls.items():
            number = known.index(call_id) if call_id in known else next(unused)
            start_ms, end_ms = self._track_span_ms(number, voice, call)
            if not self._config.tracks or call_id in there or start_ms == end_ms or self._failure is not None:
                continue
            try:
                yield self._track(number, call_id, voice, (start_ms, end_ms))
            except OSError as error:
                self._failure = reason_of(error)

    def _track(self, number: int, call_id: str | None, voice: Voice, span: tuple[int, int]) -> PublishedTrack:
        file = self._flac(f"track-{number}.flac", voice, span)
        return PublishedTrack(
            call_id or "",
            file.name,
            span[0] / 1000,
            (span[1] - span[0]) / 1000,
            file.samples,
            file.byte_size,
            file.sha256,
        )

    def _track_span_ms(self, number: int, voice: Voice, call: Attendance | None) -> tuple[int, int]:
        """From the call's first join to its last leave, and never less than what was heard of it."""
        starts, ends = [], [voice.length_ms]
        if (first_ms := voice.first_sound_ms()) is not None:
            starts.append(first_ms)
        if call is not None and call.joins:
            starts.append(self._summary.place_ms(call.joins[0]))
            ends.append(self._length_ms if call.present else self._summary.place_ms(call.leaves[-1]))
        elif number < len(self._story.track_ticks):
            starts.append(self._summary.place_ms(self._story.track_ticks[number]))
        start_ms = min(starts, default=0) // TICK_MS * TICK_MS
        return start_ms, max(start_ms, min(max(ends), self._length_ms))


def pieces(voice: Voice, span: tuple[int, int]) -> Iterator[Piece | int]:
    """A voice from and to a millisecond, piece by piece; a number is that many samples of silence."""
    for at_ms in range(*span, _PIECE_MS):
        count_ms = min(_PIECE_MS, span[1] - at_ms)
        sound = voice.read(at_ms, count_ms)
        yield count_ms * voice.sample_rate // 1000 if sound is None else sound
