"""`python -m server load-test NAME`: many callers at once, to see what a server stands; exit code 0 only if it did.

Decides what the options mean and what is printed; the test itself is `run`, the verdict `verdict`.
"""

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console

from server.caller.client import DEFAULT_URL
from server.caller.codecs import CODEC_NAMES
from server.caller.errors import CallerError
from server.loadtest.load import MOST_CALLERS, MOST_SECONDS, Load
from server.loadtest.run import Plan, run
from server.loadtest.screen import Screen, print_verdict
from server.loadtest.verdict import Limits, verdict

_DEFAULT_TALKERS: Final = 3
_INTERRUPTED: Final = 130
_LIMITS: Final = Limits()


def load_test(
    name: Annotated[str, typer.Option(help="The conference to fill; with --conferences, numbered.")] = "load-test",
    callers: Annotated[int, typer.Option("--callers", "-n", help=f"How many call, up to {MOST_CALLERS}.")] = 10,
    conferences: Annotated[int, typer.Option(help="Share the callers out to so many conferences.")] = 1,
    codec: Annotated[str, typer.Option(help=f"One of {', '.join(CODEC_NAMES)}.")] = "opus",
    talkers: Annotated[
        int | None,
        typer.Option(min=0, help="How many of each conference talk; the rest is silent. [at most 3]"),
    ] = None,
    loss: Annotated[float, typer.Option(min=0, max=90, help="Percent of our packets that get lost.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=1, max=MOST_SECONDS, help="How long to measure.")] = 30.0,
    server: Annotated[str, typer.Option(help="The server's address.")] = DEFAULT_URL,
    key: Annotated[
        str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")
    ] = None,
    min_delivered: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of packets that callers must get.")
    ] = 100 * _LIMITS.delivered,
    max_delay: Annotated[float, typer.Option(min=0, help="Most ms that the server may add, p95.")] = (
        _LIMITS.delay_p95_ms
    ),
    max_late: Annotated[float, typer.Option(min=0, max=100, help="Most percent of late ticks.")] = (
        100 * _LIMITS.late_ticks
    ),
    max_join: Annotated[float, typer.Option(min=0, help="Most ms that a join may take, p95.")] = _LIMITS.join_p95_ms,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures and the verdict as JSON.")] = False,
) -> None:
    """Fill a conference with callers, measure what they get, hang up. Exit code 1 if it was not good enough."""
    limits = Limits(round(min_delivered / 100, 6), max_delay, round(max_late / 100, 6), max_join)
    try:
        load = _load(codec, callers, talkers, conferences, loss / 100)
        passed = _run(Plan(server, key, name, load, seconds), limits, as_json)
    except CallerError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.secho("Interrupted; all calls were hung up.", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if not passed:
        raise typer.Exit(1)


def _load(codec: str, callers: int, talkers: int | None, conferences: int, loss: float) -> Load:
    if talkers is None:
        talkers = min(_DEFAULT_TALKERS, callers // max(conferences, 1))
    try:
        return Load(codec, callers, talkers, conferences, loss)
    except ValueError as error:
        raise CallerError(f"{error}.") from error


def _run(plan: Plan, limits: Limits, as_json: bool) -> bool:
    """Run the test and print what came of it; whether it passed."""
    console = Console(highlight=False, soft_wrap=True, stderr=as_json)
    with Screen(console, plan.load, plan.seconds) as screen:
        figures = run(plan, screen)
    checks = verdict(plan.load, figures, limits)
    passed = all(check.held for check in checks)
    if as_json:
        report = {**figures, "limits": asdict(limits), "checks": [asdict(check) for check in checks], "passed": passed}
        typer.echo(json.dumps(report, indent=2))
    else:
        print_verdict(console, checks, passed)
    return passed
