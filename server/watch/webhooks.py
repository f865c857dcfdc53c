"""`python -m server webhooks ls|replay`: what became of webhook deliveries, and having events sent again."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from server.caller.client import DEFAULT_URL, ParleyClient
from server.caller.errors import CallerError
from server.watch import listing, tables
from server.watch.listing import Json

webhooks = typer.Typer(no_args_is_help=True, help="See what became of webhook deliveries; have events sent again.")

Server = Annotated[str, typer.Option(help="The server's address.")]
Key = Annotated[str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")]


class State(StrEnum):
    """States of a delivery, as the API names them."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@webhooks.command("ls")
def ls(
    conference: Annotated[
        str | None, typer.Option(help="Of one conference only: its id, or its name while it is in progress.")
    ] = None,
    state: Annotated[State | None, typer.Option(help="In this state only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON as the API gives it.")] = False,
    server: Server = DEFAULT_URL,
    key: Key = None,
) -> None:
    """List webhook deliveries, the newest first."""
    try:
        with ParleyClient(server, key) as client:
            wanted = {} if state is None else {"state": state.value}
            if conference is not None:
                wanted["conference_id"] = _conference_id(client, conference)
            found = listing.deliveries(client, limit, **wanted)
    except CallerError as error:
        raise _failed(error) from None
    tables.show(_table(found), "deliveries", found, as_json=as_json)


@webhooks.command("replay")
def replay(
    conference: Annotated[str, typer.Argument(help="Id of a conference, or its name while it is in progress.")],
    after: Annotated[int, typer.Option(min=0, help="Only events with a higher sequence number.")] = 0,
    until: Annotated[int | None, typer.Option(min=1, help="Only events up to this sequence number.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Send all of them here, not what the callbacks asked for to these.")
    ] = None,
    server: Server = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Have the logged events of a conference sent again, to its callbacks or to a URL."""
    optional: dict[str, Any] = {"until": until, "url": url}
    body = {"after": after, **{name: value for name, value in optional.items() if value is not None}}
    try:
        with ParleyClient(server, key) as client:
            made = listing.replay(client, _conference_id(client, conference), body)
    except CallerError as error:
        raise _failed(error) from None
    typer.echo(f"{made} {'delivery' if made == 1 else 'deliveries'} queued.")


def _conference_id(client: ParleyClient, reference: str) -> str:
    conference = listing.find(client, reference)
    if conference is None:
        raise CallerError(
            f"There is no conference {reference!r}. List those that ended with: python -m server ls --all"
        )
    conference_id: str = conference["conference_id"]
    return conference_id


def _failed(error: CallerError) -> typer.Exit:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    return typer.Exit(1)


def _table(found: list[Json]) -> Table:
    table = tables.make("CREATED", "STATE", "TRIES", "ANSWER", "EVENT", "CONFERENCE", "URL")
    for delivery in found:
        state = delivery["state"]
        if delivery["next_attempt_at"] is not None:
            state += f", due {delivery['next_attempt_at']}"
        answer = " ".join(str(part) for part in (delivery["last_status"], delivery["last_error"]) if part is not None)
        event = f"#{delivery['sequence']} {delivery['status']}"
        place = f"{delivery['method']} {delivery['url']}"
        tables.add(
            table,
            delivery["created_at"],
            state,
            delivery["attempts"],
            answer,
            event,
            delivery["conference_id"],
            place,
        )
    return table
