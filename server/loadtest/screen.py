"""What a load test looks like on a terminal: a table that follows it, and the verdict."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from server.loadtest.load import Load
from server.loadtest.verdict import Check
from server.loadtest.voices import TICKS_PER_S


class Screen:
    """A live table, for as long as the context; on what is no terminal, a line at the end."""

    def __init__(self, console: Console, load: Load, seconds: float) -> None:
        self._load = load
        self._seconds = seconds
        self._stage = "starting"
        self._joined = self._tick = self._sent = self._received = 0
        self._live = Live(self.table(), console=console, auto_refresh=False, transient=False)
        self._shown = console.is_terminal

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._live.stop()

    def joined(self, callers: int) -> None:
        """So many are in."""
        self._joined = callers
        self._show("joining")

    def settling(self) -> None:
        """All are in."""
        self._show("settling")

    def progress(self, tick: int, sent: int, received: int) -> None:
        """Packets since the window opened."""
        self._tick, self._sent, self._received = tick, sent, received
        self._show("measuring")

    def hanging_up(self) -> None:
        """The calls are being ended."""
        self._show("hanging up")

    def table(self) -> Table:
        """How it stands now."""
        load = self._load
        due = self._tick * load.participants
        table = Table(box=box.SIMPLE, title_justify="left")
        for heading in ("stage", "callers", "talking", "second", "sent", "received", "delivered"):
            table.add_column(heading, justify="left" if heading == "stage" else "right")
        table.add_row(
            self._stage,
            f"{self._joined} of {load.participants}",
            f"{load.talkers * load.conferences}",
            f"{self._tick // TICKS_PER_S} of {self._seconds:g}",
            f"{self._sent}",
            f"{self._received}",
            f"{100 * min(self._received / due, 1):.2f} %" if due else "-",
        )
        return table

    def _show(self, stage: str) -> None:
        self._stage = stage
        if self._shown:
            self._live.update(self.table(), refresh=True)


def print_verdict(console: Console, checks: Sequence[Check], passed: bool) -> None:
    """The checks, a line each, and what they come to."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "[green]✓[/]" if check.held else "[red]✗[/]"
        console.print(f"{mark} {check.name:<{width}}  ", end="")
        console.print(check.text, markup=False)
    console.print("[bold green]Passed.[/]" if passed else "[bold red]Failed.[/]")
