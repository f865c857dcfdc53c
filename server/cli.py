"""The command line: `python -m server`, installed as `parley`. `run` is the default command.

Commands that need heavy libraries (audio, HTTP clients) are imported only when they are the one that was asked for.
What the commands do is decided in their own modules.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from server import logs
from server.settings import Settings, SettingsError, load_settings

EXIT_BAD_SETTINGS: Final = 2
HELP: Final = """\
Parley, a self-hosted audio conference server.

Without a command, `run` is meant: `python -m server --dev` starts the server on this machine only, no key needed.
See `python -m server run --help` for its options. All settings can be given as PARLEY_* in the environment.
"""

LAZY: Final = {
    "call": ("server.caller.cli", "Join a conference over RTP: play a file into it, save what is heard."),
    "ls": ("server.watch.ls", "List the conferences in progress, or the participants of one."),
    "webhooks": ("server.watch.webhooks", "See what became of webhook deliveries; have events sent again."),
    "watch": ("server.watch.watch", "Print what happens, one event a line."),
    "recordings": ("server.watch.recordings", "List recordings, download them, repair what crashes left."),
    "demo": ("server.demo", "Three voices talk with each other through a real server; prints who heard whom."),
    "load-test": ("server.loadtest.cli", "Fill a conference with callers, measure what they get, hang up."),
}
"""Commands of other modules: each module has a function of the command's name, _ for -, or an application of more."""

_GROUP_OPTIONS: Final = frozenset({"--help", "--version", "--install-completion", "--show-completion"})

Dev = Annotated[bool | None, typer.Option("--dev", help="Dev mode: loopback only, no key needed, readable logs.")]
Host = Annotated[str | None, typer.Option(help="Address the HTTP API listens on. [PARLEY_HOST, 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="TCP port of the HTTP API. [PARLEY_PORT, 8080]")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the database. [PARLEY_DATA_DIR, ./data]")]
MediaIp = Annotated[str | None, typer.Option(help="Address put in media answers. [PARLEY_MEDIA_IP]")]
RtpPorts = Annotated[str | None, typer.Option(help="UDP ports for media. [PARLEY_RTP_PORTS, 20000-21999]")]
LogFormat = Annotated[str | None, typer.Option(help="auto, json or console. [PARLEY_LOG_FORMAT, auto]")]
Config = Annotated[Path | None, typer.Option(help="TOML file with settings. [PARLEY_CONFIG]")]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends with SystemExit."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in _GROUP_OPTIONS):
        arguments.insert(0, "run")
    application(arguments[0])(arguments, prog_name="python -m server")


def application(wanted: str) -> typer.Typer:
    """Return the application; of the lazy commands only the wanted one is imported."""
    app = typer.Typer(help=HELP, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_group)
    app.command("run")(run)
    app.command("check")(check)
    app.command("openapi")(openapi)
    for name, (module, summary) in LAZY.items():
        command = getattr(importlib.import_module(module), name.replace("-", "_")) if name == wanted else _placeholder
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, help=None if name == wanted else summary)(command)
    return app


def run(
    dev: Dev = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    media_ip: MediaIp = None,
    rtp_ports: RtpPorts = None,
    log_format: LogFormat = None,
    config: Config = None,
) -> None:
    """Run the server in the foreground. SIGTERM drains it, a second one or Ctrl-C stops it at once."""
    settings = _settings(_given(locals()))
    logs.configure(json=settings.json_logs, level=settings.log_level)
    from server.main import run as serve  # the web framework costs half a second that `--help` need not take

    try:
        exit_code = serve(settings)
    except SettingsError as error:
        _refuse(error)
    raise typer.Exit(exit_code)


def check(
    dev: Dev = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    media_ip: MediaIp = None,
    rtp_ports: RtpPorts = None,
    log_format: LogFormat = None,
    config: Config = None,
) -> None:
    """Check the settings and print them, without secrets; the server is not started."""
    settings = _settings(_given(locals()))
    for name, value in shown(settings).items():
        typer.echo(f"{name} = {value}")
    for name in settings.without_effect():
        typer.secho(f"{name} has no effect: this version has no such feature yet", err=True)


def openapi() -> None:
    """Print the OpenAPI of the HTTP API as JSON."""
    from server.api.app import describe

    typer.echo(json.dumps(describe(), indent=2))


def shown(settings: Settings) -> dict[str, str]:
    """Return the settings as they may be printed."""
    values: dict[str, Any] = settings.model_dump()
    values["api_keys"] = ",".join(f"{key.key_id}:***" for key in settings.api_keys)
    values["rtp_ports"] = "-".join(map(str, settings.rtp_ports))
    return {f"PARLEY_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _settings(flags: dict[str, Any]) -> Settings:
    try:
        return load_settings(flags)
    except SettingsError as error:
        _refuse(error)


def _refuse(error: SettingsError) -> NoReturn:
    for problem in error.problems:
        typer.secho(f"parley: {problem}", err=True, fg=typer.colors.RED)
    raise typer.Exit(EXIT_BAD_SETTINGS)


def _version(value: bool) -> None:
    if value:
        from server.api.app import product_version

        typer.echo(product_version())
        raise typer.Exit


def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _placeholder() -> None:
    raise AssertionError("a command that was not asked for")
