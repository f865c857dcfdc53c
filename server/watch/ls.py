"""`python -m server ls [NAME]`: the conferences of a server, or the participants of one, as a table or as JSON."""

from typing import Annotated, Final

import typer
from rich.table import Table

from server.caller.client import DEFAULT_URL, ParleyClient
from server.caller.errors import CallerError
from server.watch import listing, tables
from server.watch.listing import Json

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
                tables.show(_conference_table(found), "conferences", found, as_json=as_json)
            else:
                found = _participants(client, name, everything=everything)
                tables.show(_participant_table(found), "participants", found, as_json=as_json)
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


def _conference_table(found: list[Json]) -> Table:
    table = tables.make("NAME", "STATUS", "SIZE", "CREATED", "ID")
    for conference in found:
        status = conference["status"]
        if conference["reason_ended"]:
            status += f" ({conference['reason_ended']})"
        tables.add(
            table, conference["name"], status, conference["size"], conference["created_at"], conference["conference_id"]
        )
    return table


def _participant_table(found: list[Json]) -> Table:
    table = tables.make("CALL", "LABEL", "STATE", "FLAGS", "JOINED")
    for participant in found:
        flags = [flag for flag in _FLAGS if participant[flag]]
        state = participant["state"]
        if participant["reason_left"]:
            state += f" ({participant['reason_left']})"
        label = participant["label"] or ""
        tables.add(table, participant["call_id"], label, state, " ".join(flags), participant["joined_at"])
    return table
