"""`python -m server ls [NAME]`: the conferences of a server, or the participants of one, as a table or as JSON."""

import json
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.caller.client import DEFAULT_URL, ParleyClient
from server.caller.errors import CallerError
from server.watch import listing
from server.watch.listing import Json

_UNBROKEN: Final = 200
"""Columns when the output is no terminal: ids must not be cut for the program that reads them."""
_FLAGS: Final = ("muted", "hold", "coaching", "end_on_exit", "speaking")


def ls(
    name: Annotated[
        str | None, typer.Argument(help="Name or id of a conference: list its participants, not the conferences.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those that ended, or left, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many conferences, the newest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON as the API gives it.")] = False,
    server: Annotated[str, typer.Option(help="The server's address.")] = DEFAULT_URL,
    key: Annotated[
        str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")
    ] = None,
) -> None:
    """List the conferences in progress, or the participants of one."""
    try:
        with ParleyClient(server, key) as client:
            if name is None:
                found = _conferences(client, limit, everything=everything)
                _print(_conference_table(found), "conferences", found, as_json=as_json)
            else:
                found = _participants(client, name, everything=everything)
                _print(_participant_table(found), "participants", found, as_json=as_json)
    except CallerError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None


def _conferences(client: ParleyClient, limit: int, *, everything: bool) -> list[Json]:
    if everything:
        return listing.conferences(client, limit)
    return listing.conferences_in_progress(client)[:limit]


def _participants(client: ParleyClient, name: str, *, everything: bool) -> list[Json]:
    conference = listing.find(client, name)
    if conference is None:
        raise CallerError(f"There is no conference {name!r}. List those that ended with: python -m server ls --all")
    return listing.participants(client, conference["conference_id"], left=everything)


def _print(table: Table, noun: str, found: list[Json], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({noun: found}, indent=2, ensure_ascii=False))
    elif not found:
        typer.echo(f"No {noun}.")
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _UNBROKEN
        console.print(table)


def _conference_table(found: list[Json]) -> Table:
    table = _table("NAME", "STATUS", "SIZE", "CREATED", "ID")
    for conference in found:
        status = conference["status"]
        if conference["reason_ended"]:
            status += f" ({conference['reason_ended']})"
        _row(
            table, conference["name"], status, conference["size"], conference["created_at"], conference["conference_id"]
        )
    return table


def _participant_table(found: list[Json]) -> Table:
    table = _table("CALL", "LABEL", "STATE", "FLAGS", "JOINED")
    for participant in found:
        flags = [flag for flag in _FLAGS if participant[flag]]
        state = participant["state"]
        if participant["reason_left"]:
            state += f" ({participant['reason_left']})"
        label = participant["label"] or ""
        _row(table, participant["call_id"], label, state, " ".join(flags), participant["joined_at"])
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _row(table: Table, *cells: object) -> None:
    # As Text: what stands in a name is no markup.
    table.add_row(*(Text(str(cell)) for cell in cells))
