"""Carrying out the server's commands on a mixer, between two ticks. Every command gets one answer."""

import os
from collections.abc import Callable

from mixer.checks import fault_in_leg, is_gain
from mixer.clips import ClipError
from mixer.formats.making import UnknownCodecError
from mixer.protocol import (
    MOST_ASKED,
    AddLeg,
    Address,
    Command,
    Done,
    GetStats,
    LegRemoved,
    LendClip,
    LendSocket,
    PauseRecording,
    PlayClip,
    PlayProgram,
    Refused,
    RemoveLeg,
    Report,
    ResumeRecording,
    ReturnClip,
    ReturnSocket,
    StartRecording,
    Stats,
    Stop,
    StopClip,
    StopRecording,
    UpdateLegs,
)
from mixer.stats import leg_stats
from mixer.tick import Mixer
from mixer.transports.base import Transport
from mixer.transports.libc import address_key, address_of
from recording.feed import FeedError


class Commands:
    """Applies commands; knows which socket of the server's is which of the transport's."""

    def __init__(self, mixer: Mixer, transport: Transport, send: Callable[[Report], None]) -> None:
        self._mixer, self._transport, self._send = mixer, transport, send
        self._sockets: dict[int, int] = {}
        self._stats_for: list[int] = []
        self.stopped_by: int | None = None
        """Request id of a `Stop` that was carried out."""

    def apply(self, command: Command, fds: list[int], now_ns: int) -> None:
        """Carry out one command and answer it; descriptors that are not kept are closed."""
        if isinstance(command, LendSocket) and len(fds) == 1 and command.socket_id not in self._sockets:
            self._lend(command, fds[0])
            return
        if isinstance(command, LendClip) and len(fds) == 1:
            self._lend_clip(command, fds[0])
            return
        if isinstance(command, StartRecording) and len(fds) == 1:
            self._record(command, fds[0], now_ns)
            return
        for fd in fds:
            os.close(fd)
        refusal = self._apply(command, now_ns)
        if refusal:
            self._send(Refused(command.request_id, refusal))

    def _lend(self, command: LendSocket, fd: int) -> None:
        try:
            index = self._transport.lend(command.socket_id, fd, command.shared)
        except (OSError, ValueError) as error:
            os.close(fd)
            self._send(Refused(command.request_id, str(error)))
            return
        self._sockets[command.socket_id] = index
        if command.shared:
            self._mixer.shared_sockets.add(index)
        self._send(Done(command.request_id))

    def _apply(self, command: Command, now_ns: int) -> str:
        """Returns why the command was refused, or an empty string; answers it in the latter case."""
        match command:
            case LendSocket():
                return "one descriptor and a new socket id are needed"
            case ReturnSocket():
                return self._return(command)
            case AddLeg():
                return self._add(command, now_ns)
            case UpdateLegs():
                return self._update(command)
            case LendClip():
                return "one descriptor is needed"
            case ReturnClip():
                return self._done(command) if self._mixer.forget_clip(command.clip_id) else "no such clip"
            case PlayProgram() | PlayClip():
                return self._play(command)
            case StopClip():
                self._mixer.sounds.stop(command.play_id)
                return self._done(command)
            case StartRecording():
                return "one descriptor is needed"
            case PauseRecording() | ResumeRecording() | StopRecording():
                return self._change_recording(command)
            case RemoveLeg():
                return self._remove(command, now_ns)
            case GetStats():
                return self._ask(command)
            case Stop():
                self._mixer.stop_recording()
                for call_id in list(self._mixer.legs.row_of):
                    self._mixer.remove(call_id, bye=True)
                self.stopped_by = command.request_id
        return ""

    def _return(self, command: ReturnSocket) -> str:
        index = self._sockets.get(command.socket_id)
        if index is None:
            return "no such socket"
        if self._in_use(index):
            return "legs are on this socket"
        del self._sockets[command.socket_id]
        self._mixer.shared_sockets.discard(index)
        self._transport.release(index)
        self._send(Done(command.request_id))
        return ""

    def _in_use(self, index: int) -> bool:
        legs = self._mixer.legs
        return any(int(legs.socket[row]) == index for row in legs.row_of.values())

    def _add(self, command: AddLeg, now_ns: int) -> str:
        index = self._sockets.get(command.socket_id)
        if index is None:
            return "no such socket"
        fault = fault_in_leg(command)
        if fault:
            return fault
        legs = self._mixer.legs
        if command.call_id in legs.row_of:
            return "the call has a leg already"
        shared = index in self._mixer.shared_sockets
        if not shared and self._in_use(index):
            return "the socket has a leg already"
        if shared and command.remote is None:
            return "on a shared socket the far end's address must be known"
        if shared and self._is_taken(index, command.remote):
            return "a leg on this socket has that address already"
        try:
            self._mixer.add(command, index, now_ns)
        except UnknownCodecError as error:
            return str(error)
        self._send(Done(command.request_id))
        return ""

    def _is_taken(self, index: int, remote: Address | None) -> bool:
        legs = self._mixer.legs
        key = address_key(remote.ip, remote.port) if remote else 0
        return any(int(legs.socket[row]) == index and int(legs.source[row]) == key for row in legs.row_of.values())

    def _update(self, command: UpdateLegs) -> str:
        if any(part.call_id not in self._mixer.legs.row_of for part in command.legs):
            return "no such leg"
        if not all(is_gain(part.gain) for part in command.legs):
            return "bad gain"
        for part in command.legs:
            self._mixer.update(part)
        return self._done(command)

    def _done(self, command: Command) -> str:
        self._send(Done(command.request_id))
        return ""

    def _lend_clip(self, command: LendClip, fd: int) -> None:
        try:
            self._mixer.clips.lend(command.clip_id, command.sample_rate, command.samples, fd)
        except ClipError as error:
            self._send(Refused(command.request_id, str(error)))
            return
        self._done(command)

    def _record(self, command: StartRecording, fd: int, now_ns: int) -> None:
        refusal = "something is recorded already"
        try:
            if self._mixer.recording is None:
                self._mixer.record(command.recording_id, fd, command.tracks, now_ns)
                refusal = ""
        except FeedError as error:
            refusal = str(error)
        finally:
            os.close(fd)
        self._send(Refused(command.request_id, refusal) if refusal else Done(command.request_id))

    def _change_recording(self, command: PauseRecording | ResumeRecording | StopRecording) -> str:
        recording = self._mixer.recording
        if recording is None or recording.recording_id != command.recording_id:
            return "no such recording"
        match command:
            case PauseRecording() if recording.paused:
                return "the recording is paused already"
            case PauseRecording():
                recording.pause(command.behavior)
            case ResumeRecording() if not recording.paused:
                return "the recording is not paused"
            case ResumeRecording():
                recording.resume()
            case StopRecording():
                self._mixer.stop_recording()
        return self._done(command)

    def _play(self, command: PlayProgram | PlayClip) -> str:
        if isinstance(command, PlayClip):
            refusal = self._mixer.sounds.play(command)
        else:
            refusal = self._mixer.play_program(command.call_id, command.clip_id, command.loop)
        return refusal or self._done(command)

    def _remove(self, command: RemoveLeg, now_ns: int) -> str:
        legs = self._mixer.legs
        if command.call_id not in legs.row_of:
            return "no such leg"
        row = legs.row_of[command.call_id]
        remote = Address(*address_of(int(legs.source[row]))) if legs.located[row] else None
        self._mixer.remove(command.call_id, command.bye)
        outgoing = self._mixer.outgoing(row, now_ns)
        self._send(LegRemoved(command.request_id, command.call_id, outgoing, remote))
        return ""

    def _ask(self, command: GetStats) -> str:
        if command.call_ids is None:
            self._stats_for.append(command.request_id)
            return ""
        if len(command.call_ids) > MOST_ASKED:
            return f"the figures of {MOST_ASKED} legs can be had at once"
        legs, tables, work_ms = self._mixer.legs, self._mixer.tables, self._mixer.times.work_p50_ms()
        rows = [legs.row_of[call_id] for call_id in command.call_ids if call_id in legs.row_of]
        calls = [leg_stats(legs, row, tables[int(legs.table[row])], work_ms) for row in rows]
        self._send(Stats(command.request_id, calls, last=True))
        return ""

    def take_stats_requests(self) -> list[int]:
        """Ids of `GetStats` about all legs that came since the last call."""
        asked, self._stats_for = self._stats_for, []
        return asked
