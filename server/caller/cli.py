"""`python -m server call NAME`: one caller for the shell, which talks from a file and saves what it hears.

Decides what the options mean and what is printed; the call itself is `session`, the HTTP side `client`.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import numpy as np
import typer

from server import clock
from server.caller.client import DEFAULT_URL, Joined, ParleyClient, local_ip
from server.caller.codecs import CODEC_NAMES, Pcm
from server.caller.errors import CallerError
from server.caller.files import WavWriter, read_sound
from server.caller.session import RtpCaller

_TURN_S: Final = 0.2
_TURNS_PER_LINE: Final = 5
_AHEAD_S: Final = 2.0
"""Sound is decoded this far ahead of its time."""
_TAIL_S: Final = 1.0
"""Listening goes on for this long after the file is over, so that what others say to it is not cut off."""
_DTMF_PAYLOAD_TYPE: Final = 101
_FULL_SCALE: Final = 32768.0


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What the command line asked for."""

    name: str
    play: Path | None = None
    save: Path | None = None
    server: str = DEFAULT_URL
    key: str | None = None
    codec: str = "opus"
    seconds: float | None = None
    loop: bool = False
    muted: bool = False
    digits: str = ""

    @property
    def ends_by_itself(self) -> bool:
        """Whether the call is over at some time without anyone interrupting it."""
        return self.seconds is not None or (self.play is not None and not self.loop)


def call(
    name: Annotated[str, typer.Argument(help="The conference to join; whoever joins first makes it.")],
    play: Annotated[Path | None, typer.Option(help="Say this: a WAV, MP3, Ogg, FLAC, … file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save what is heard as a WAV file.")] = None,
    server: Annotated[str, typer.Option(help="The server's address.")] = DEFAULT_URL,
    key: Annotated[
        str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")
    ] = None,
    codec: Annotated[str, typer.Option(help=f"One of {', '.join(CODEC_NAMES)}.")] = "opus",
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Leave after this long, not when the file is over.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop/--no-loop", help="Play the file again and again.")] = False,
    muted: Annotated[bool, typer.Option("--muted", help="Join muted: others do not hear the file.")] = False,
    digits: Annotated[str, typer.Option(help="Press these telephone keys after joining.")] = "",
) -> None:
    """Join a conference over RTP: play a file into it, save what is heard. Ctrl-C leaves."""
    try:
        Call(CallOptions(name, play, save, server, key, codec, seconds, loop, muted, digits)).run()
    except CallerError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None


class Call:
    """One run of the command, from join to leave.

    Raises:
        CallerError: an option that cannot be used.
    """

    def __init__(self, options: CallOptions) -> None:
        self._options = options
        self._client = ParleyClient(options.server, options.key)
        try:
            self._caller = RtpCaller(
                options.codec,
                ip=local_ip(options.server),
                dtmf_payload_type=_DTMF_PAYLOAD_TYPE if options.digits else None,
            )
        except ValueError as error:
            raise CallerError(f"--codec: {error}.") from error
        self._rate = self._caller.codec.sample_rate
        self._leave = threading.Event()
        self._level_dbfs = float("-inf")

    def run(self) -> None:
        """Join, talk and listen, leave.

        Raises:
            CallerError: it did not work, and why.
        """
        save = self._options.save
        with self._client, self._caller, _interrupts_set(self._leave):
            speech = self._speech()
            if save is None:
                self._join(speech, None)
                return
            with WavWriter(save, self._rate) as wav:
                self._join(speech, wav)
            typer.echo(f"Saved {wav.samples / self._rate:.1f} s to {save}.")

    def _join(self, speech: Iterator[Pcm] | None, wav: WavWriter | None) -> None:
        options = self._options
        joined = self._client.join(options.name, self._caller.media(), muted=options.muted or None)
        try:
            self._start(joined)
            how = "" if options.ends_by_itself else " Ctrl-C leaves."
            where = f"conference {options.name} ({joined.conference_id})"
            typer.echo(f"In {where} as call {joined.call_id}, {self._caller.codec.name}.{how}")
            self._press_digits()
            reason = self._talk(speech, wav)
        finally:
            try:
                self._hang_up(joined.call_id)
            finally:
                self._listen(wav)
        counts = self._caller.counts()
        typer.echo(f"Left {options.name}: {reason}.")
        typer.echo(f"Packets: {counts.sent} sent, {counts.received} received, {counts.lost} lost.")

    def _start(self, joined: Joined) -> None:
        try:
            self._caller.start(joined.answer)
        except ValueError as error:
            raise CallerError(f"The server's answer makes no sense: {error}.") from error

    def _talk(self, speech: Iterator[Pcm] | None, wav: WavWriter | None) -> str:
        """Feed speech and drain what is heard until it is time to leave; say why it is."""
        options = self._options
        started_s = clock.monotonic()
        turns = 0
        while True:
            now = clock.monotonic()
            if self._leave.is_set():
                return "interrupted"
            if self._caller.ended.is_set():
                return "the server hung up (the conference ended, or the call was kicked)"
            if options.seconds is not None and now - started_s >= options.seconds:
                return f"{options.seconds:g} s are over"
            speech = self._feed(speech, now)
            if options.ends_by_itself and options.seconds is None and self._all_said(speech, now):
                return "the file is over"
            self._leave.wait(_TURN_S)
            self._listen(wav)
            turns += 1
            if turns % _TURNS_PER_LINE == 0:
                self._show(now - started_s)

    def _hang_up(self, call_id: str) -> None:
        """Leave for certain: over HTTP, or, when that fails, by RTCP BYE."""
        told = self._caller.ended.is_set()
        try:
            if not told:
                self._client.hang_up(call_id)
                told = True
        finally:
            # A BYE to a port that may serve someone else by now would be noise.
            self._caller.close(bye=not told)

    def _speech(self) -> Iterator[Pcm] | None:
        return None if self._options.play is None else read_sound(self._options.play, self._rate)

    def _feed(self, speech: Iterator[Pcm] | None, now: float) -> Iterator[Pcm] | None:
        """Queue speech up to `_AHEAD_S`; None when there is no more."""
        while speech is not None and self._caller.said_until_s < now + _AHEAD_S:
            block = next(speech, None)
            if block is not None:
                self._caller.play(block, self._rate)
            elif self._options.loop and self._caller.said_until_s > now:
                speech = self._speech()
            else:
                speech = None  # also when a file to loop holds not one sample: it would loop here for ever
        return speech

    def _all_said(self, speech: Iterator[Pcm] | None, now: float) -> bool:
        over = speech is None and not self._caller.digits_waiting
        return over and now >= self._caller.said_until_s + _TAIL_S

    def _press_digits(self) -> None:
        try:
            for digit in self._options.digits:
                self._caller.send_digit(digit)
        except ValueError as error:
            raise CallerError(f"--digits: {error}.") from error

    def _listen(self, wav: WavWriter | None) -> None:
        if not self._caller.started:
            return
        heard = self._caller.take_heard()
        if len(heard.pcm):
            power = float(np.mean(np.square(heard.pcm, dtype=np.float64))) / _FULL_SCALE**2
            self._level_dbfs = 10 * float(np.log10(power)) if power else float("-inf")
        if wav is not None:
            wav.write(heard.pcm)

    def _show(self, elapsed_s: float) -> None:
        """Print the live line, for people only: a pipe gets none."""
        if not sys.stdout.isatty():
            return
        counts = self._caller.counts()
        level = "silence" if self._level_dbfs < -80 else f"{self._level_dbfs:.0f} dBFS"
        minutes, seconds = divmod(int(elapsed_s), 60)
        packets = f"sent {counts.sent}  received {counts.received}  lost {counts.lost}"
        typer.echo(f"\r{minutes:02}:{seconds:02}  heard {level:>8}  {packets} \r", nl=False)


@contextmanager
def _interrupts_set(event: threading.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set `event`; a second acts as usual, should leaving take too long."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def leave(_number: int, _frame: FrameType | None) -> None:
        event.set()
        restore()

    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        restore()
