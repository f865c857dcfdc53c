"""How lists are printed: as a table for people, or as JSON as the API gives it."""

import json
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.watch.listing import Json

_UNBROKEN: Final = 4096
"""Columns when the output is no terminal: ids and URLs must not be cut for the program that reads them."""


def show(table: Table, noun: str, found: list[Json], *, as_json: bool) -> None:
    """Print what was found, or that nothing was."""
    if as_json:
        typer.echo(json.dumps({noun: found}, indent=2, ensure_ascii=False))
    elif not found:
        typer.echo(f"No {noun}.")
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _UNBROKEN
        console.print(table)


def make(*columns: str) -> Table:
    """Return an empty table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def add(table: Table, *cells: object) -> None:
    """Add a row. What stands in a name is no markup."""
    table.add_row(*(Text(str(cell)) for cell in cells))
