"""`python -m server watch [NAME]`: prints events as they happen, one a line, until Ctrl-C.

A server that goes away is waited for. What is new is `follower`'s affair, what a line says `lines`'.
"""

import json
import threading
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from server.caller.client import DEFAULT_URL, ParleyClient
from server.caller.errors import CallerError, NoAnswerError, RefusedError
from server.watch.follower import Audience, Follower
from server.watch.lines import event_line

RETRY_S: Final = 1.0
_UNAVAILABLE: Final = 503


def watch(
    name: Annotated[
        str | None, typer.Argument(help="Name or id of one conference; otherwise all are followed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
    server: Annotated[str, typer.Option(help="The server's address.")] = DEFAULT_URL,
    key: Annotated[
        str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")
    ] = None,
) -> None:
    """Print what happens, one event a line. Ctrl-C ends it; so does the end of a conference given by its id."""
    show: Callable[[dict[str, Any]], str] = json.dumps if as_json else event_line
    try:
        with ParleyClient(server, key) as client:
            follow(Follower(client, name), lambda event: typer.echo(show(event)), threading.Event().wait)
    except CallerError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def follow(follower: Follower, tell: Callable[[dict[str, Any]], object], pause: Callable[[float], object]) -> None:
    """Tell every event until the follower has finished.

    The first connection has to work, or this raises `CallerError`: then it is the address or the key that is wrong.
    Later a server that goes away, or answers 503, is asked again after a pause, with a word on standard error.
    """
    answered = gone = False

    def connected() -> None:
        nonlocal answered, gone
        if gone:
            _say("The server is back.")
        answered, gone = True, False

    audience = Audience(tell, connected, lambda: _say("Some events were missed: the server no longer has them."))
    while True:
        try:
            follower.follow(audience)
        except (NoAnswerError, RefusedError) as error:
            if not answered or getattr(error, "status", _UNAVAILABLE) != _UNAVAILABLE:
                raise
            if not gone:
                _say("The server does not answer; waiting for it.")
            gone = True
        else:
            return
        pause(RETRY_S)


def _say(words: str) -> None:
    typer.secho(words, err=True, dim=True)
