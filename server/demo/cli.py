"""`python -m server demo`: runs the demo and prints what came of it; exit code 0 only if all of it held."""

import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from server import clock
from server.caller.errors import CallerError
from server.caller.files import write_wav
from server.demo.analysis import FLOOR_DB, Hearing, who_heard_whom
from server.demo.checks import (
    Line,
    cell_holds,
    check_delay,
    check_events,
    check_exit,
    check_hearing,
    check_packets,
    check_ticks,
)
from server.demo.server_process import ServerProcess, ServerStartError
from server.demo.talk import CODECS, SPEECH_S, Talk, talk

_LOG_NAME: Final = "server.log"


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
    happened = talk(server.url)
    stopped = check_exit(server.stop())
    hearing = who_heard_whom(happened.said, happened.heard)
    console.print(_table(hearing, list(CODECS)))
    _save(console, happened, folder)
    return [
        check_hearing(hearing, list(CODECS)),
        check_delay(hearing),
        check_packets(happened.counts, happened.stats),
        check_ticks(happened.stats),
        check_events(happened.events, happened.call_ids),
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
    console.print(f"What each heard: {folder / 'heard-by-*.wav'}\n")


def _print_lines(console: Console, lines: list[Line]) -> None:
    width = max(len(line.name) for line in lines)
    for line in lines:
        mark = "[green]✓[/]" if line.held else "[red]✗[/]"
        console.print(f"{mark} {line.name:<{width}}  ", end="")
        console.print(line.text, markup=False)
