"""`python -m server demo`: runs the demo and prints what came of it; exit code 0 only if all of it held."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from server import clock
from server.caller.errors import CallerError
from server.caller.files import read_wav, write_wav
from server.caller.timeline import Sound
from server.demo.analysis import FLOOR_DB, Hearing, who_heard_whom
from server.demo.checks import (
    RECORDING,
    Line,
    cell_holds,
    check_delay,
    check_events,
    check_exit,
    check_hearing,
    check_packets,
    check_recording,
    check_ticks,
    check_webhooks,
)
from server.demo.receiver import receiver
from server.demo.server_process import ServerProcess, ServerStartError
from server.demo.talk import CODECS, SPEECH_S, Talk, talk

_LOG_NAME: Final = "server.log"
_CLOCKS_APART_S: Final = 0.2


def demo(
    folder: Annotated[Path, typer.Option(help="Where the WAV files and the server's log go.")] = Path("demo"),
) -> None:
    """Let three voices talk with each other through a real server, and print who heard whom."""
    console = Console(highlight=False, soft_wrap=True)
    begun_s = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="parley-demo-") as data:
        server = ServerProcess(Path(data), folder / _LOG_NAME)
        try:
            lines = _run(console, server, folder)
        except (CallerError, ServerStartError) as error:
            lines = [Line("demo", False, str(error))]
        finally:
            server.stop()
    failed = [line for line in lines if not line.held]
    _print_lines(console, lines)
    if failed:
        console.print(f"\n[bold red]Failed: {', '.join(line.name for line in failed)}.[/] The server's last lines:")
        console.print(server.log_tail(), markup=False, style="dim")
        raise typer.Exit(1)
    console.print(f"\n[bold green]All of it held[/] ({clock.monotonic() - begun_s:.0f} s).")


def _run(console: Console, server: ServerProcess, folder: Path) -> list[Line]:
    ready_s = server.start()
    console.print(f"Server ready at {server.url} after {ready_s:.1f} s.")
    who = ", ".join(f"{name} ({codec})" for name, codec in CODECS.items())
    console.print(f"Three callers join over RTP and talk for {SPEECH_S:.0f} s: {who} …")
    with receiver(server.signing_secret) as told:
        happened = talk(server.url, told)
        stopped = check_exit(server.stop())
    hearing = who_heard_whom(happened.said, happened.heard)
    console.print(_table(hearing, list(CODECS)))
    _save(console, happened, folder)
    in_recording = _recorded_hearing(happened, folder)
    return [
        check_hearing(hearing, list(CODECS)),
        check_delay(hearing),
        check_packets(happened.counts, happened.stats),
        check_ticks(happened.stats),
        check_events(happened.events, happened.call_ids),
        check_webhooks(happened.events, happened.told),
        check_recording(in_recording, happened.recording, happened.call_ids),
        stopped,
    ]


def _table(hearing: Hearing, names: list[str]) -> Table:
    table = Table(title="\nWho heard whom (0 dB: as loud as it was said)", box=box.SIMPLE, title_justify="left")
    table.add_column("listener")
    for name in names:
        table.add_column(f"hears {name}", justify="right")
    for listener in names:
        row = []
        for talker in names:
            cell = hearing.get((listener, talker))
            mark = "✓" if cell_holds(listener, talker, cell) else "✗ wrong"
            gain_db = FLOOR_DB if cell is None else cell.gain_db
            level = f"silence, {gain_db:.0f} dB" if listener == talker and mark == "✓" else f"{gain_db:+.1f} dB"
            row.append(f"{level} {mark}")
        table.add_row(f"{listener} ({CODECS[listener]})", *row)
    return table


def _save(console: Console, happened: Talk, folder: Path) -> None:
    for name, sound in happened.heard.items():
        write_wav(folder / f"heard-by-{name}.wav", sound.pcm, sound.rate)
    console.print(f"What each heard: {folder / 'heard-by-*.wav'}")
    recorded = happened.recording
    if recorded.audio:
        who = {call_id: name for name, call_id in happened.call_ids.items()}
        (folder / "recording.wav").write_bytes(recorded.audio)
        for call_id, track in recorded.tracks.items():
            (folder / f"track-{who.get(call_id, call_id)}.flac").write_bytes(track)
        console.print(f"The recording:   {folder / 'recording.wav'}, its tracks {folder / 'track-*.flac'}")
    console.print()


def _recorded_hearing(happened: Talk, folder: Path) -> Hearing:
    """Look for the voices in the recording, as if it had listened."""
    recorded = happened.recording
    if not recorded.audio:
        return {}
    pcm, rate = read_wav(folder / "recording.wav")
    began_at = datetime.fromisoformat(recorded.recording["started_at"]).timestamp()
    # Voices are looked for after they were said; by the clocks of two processes they may be found a little before.
    starts_at_s = began_at + recorded.trimmed_s - clock.now() + clock.monotonic() + _CLOCKS_APART_S
    return who_heard_whom(happened.said, {RECORDING: Sound(pcm, rate, starts_at_s)})


def _print_lines(console: Console, lines: list[Line]) -> None:
    width = max(len(line.name) for line in lines)
    for line in lines:
        mark = "[green]✓[/]" if line.held else "[red]✗[/]"
        console.print(f"{mark} {line.name:<{width}}  ", end="")
        console.print(line.text, markup=False)
