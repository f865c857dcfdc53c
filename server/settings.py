"""The server's settings: where they come from, what each may be, and what to say when one is wrong.

A command line flag beats the environment (`PARLEY_*`), which beats the TOML file that `PARLEY_CONFIG` names. What a
setting *does* is decided where it is used; `docs/settings.md` tells users.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import InitSettingsSource

from server import setting_values as values
from server.keys import ApiKey, parse_api_keys
from server.urls.allowance import Allowance, parse_allowance

PREFIX: Final = "PARLEY_"
CLIENT_NAMES: Final = {"PARLEY_API_KEY"}
"""For callers of the server; a shell that has them set may start one too."""
MAX_PARTICIPANTS: Final = 100_000

LATER: Final = ("relay_port", "tls_cert", "tls_key")
"""Settings whose feature is not in this version: accepted and checked, then answered with a warning."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` are sentences that each name a setting."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """All settings. Field `x` is the environment variable `PARLEY_X` and the TOML key `x`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    config: Path | None = Field(None, description="TOML file with the same keys.")
    dev: bool = Field(False, description="Dev mode: loopback only, no key needed, readable logs.")
    host: str = Field("127.0.0.1", description="Address the HTTP API listens on.", min_length=1)
    port: int = Field(8080, ge=0, le=65535, description="TCP port of the HTTP API; 0 takes any free one.")
    data_dir: Path = Field(Path("data"), description="Folder of the database and the recordings.")
    database_url: Annotated[SecretStr, AfterValidator(values.database_url)] | None = Field(
        None, description="Database of the events; unset: an SQLite file in the data folder."
    )
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(parse_api_keys)] = Field(
        (), description="API keys, comma-separated, each `id:secret`."
    )
    media_ip: Annotated[str, BeforeValidator(values.media_ip)] | None = Field(
        None, description="Address put in media answers; unset: the one facing the far end."
    )
    rtp_ports: Annotated[
        tuple[int, int], NoDecode, BeforeValidator(values.port_range), AfterValidator(values.check_port_range)
    ] = Field(values.PortRange((20000, 21999)), description="UDP ports for media, first-last.")
    allow_private_urls: Annotated[bool | tuple[str, ...], NoDecode, BeforeValidator(values.networks)] = Field(
        False, description="Let URLs of users lead to private addresses: true, false, or networks."
    )
    signing_secret: SecretStr | None = Field(
        None, min_length=8, description="Secret that signs webhooks; unset: one is made and kept in the data folder."
    )
    webhook_schedule: Annotated[tuple[float, ...], NoDecode, BeforeValidator(values.schedule)] | None = Field(
        None, description="Seconds from one webhook attempt to the next, comma-separated."
    )
    events_retention_days: float = Field(
        90, ge=0, le=36_500, description="Days after which ended conferences are forgotten; 0: never."
    )
    recordings_url: Annotated[str, AfterValidator(values.storage_url)] | None = Field(
        None, description="Where recordings are copied to, such as s3://bucket/recordings."
    )
    recordings_retention_days: float = Field(
        0, ge=0, le=36_500, description="Days after which recordings are removed from this machine; 0: never."
    )
    recordings_max_bytes: Annotated[int, BeforeValidator(values.size)] = Field(
        0, ge=0, description="What recordings may take on this machine, such as 50GB; the oldest go. 0: any."
    )
    public_url: Annotated[str, AfterValidator(values.public_url)] | None = Field(
        None, description="Address of the API in links that webhooks and answers hold."
    )
    region: Annotated[str, AfterValidator(values.region)] | None = Field(None, description="Region told in answers.")
    min_participants_to_start: int = Field(
        1, ge=1, le=MAX_PARTICIPANTS, description="Participants a conference waits for before it starts."
    )
    max_participants: int = Field(
        MAX_PARTICIPANTS, ge=2, le=MAX_PARTICIPANTS, description="Most participants any conference may have."
    )
    media_timeout_s: float = Field(
        60, ge=0, le=86_400, description="Hang up a call after so long without RTP and RTCP; 0: never."
    )
    mixer_opus_bitrate: int = Field(64_000, ge=6_000, le=510_000, description="Bits a second of Opus sent, a stream.")
    mixer_opus_complexity: Annotated[int, Field(ge=0, le=10)] | Literal["auto"] = Field(
        "auto", description="Work that Opus encoding may take, 0 to 10; auto: 5 where few streams are encoded, else 0."
    )
    mixer_share_encodes: bool = Field(True, description="Send the same packets to all who hear the same in Opus.")
    mixer_skip_silent: bool = Field(True, description="Leave Opus undecoded that nobody hears, or that says nothing.")
    mixer_loudest: Annotated[int, AfterValidator(values.loudest)] = Field(
        64, description="Most Opus voices of a conference mixed at a time, the loudest, 8 or more; 0: all."
    )
    mixer_protect_lossy: bool = Field(True, description="Send Opus with FEC to whoever reports that packets get lost.")
    mixer_compiled: bool = Field(True, description="Let mixers use loops compiled for this machine.")
    mixer_scheduling: Literal["auto", "normal", "realtime"] = Field(
        "auto", description="Whether mixers run before everything else; `auto`: where it is allowed and harmless."
    )
    mixer_cores: Annotated[tuple[int, ...], NoDecode, BeforeValidator(values.cores)] = Field(
        (), description="Processors that mixers run on, such as 0-3,6; empty: all."
    )
    mixer_lock_memory: bool = Field(False, description="Keep what mixers use in memory, never swapped out.")
    auto_gain: bool = Field(False, description="Bring the voices of all participants to one level.")
    noise_suppression: Annotated[Literal["off", "low", "medium", "high"], AfterValidator(values.noise_suppression)] = (
        Field("off", description="How much steady noise is taken out of voices: off, low, medium or high.")
    )
    drain_deadline_s: float = Field(
        3600, ge=0, le=604_800, description="How long a draining server waits for its conferences to end."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto` is `console` in dev mode and `json` otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    relay_port: int | None = Field(None, ge=1, le=65535, description="Not in this version: RELAY port.")
    tls_cert: Path | None = Field(None, description="Not in this version: certificate of the RELAY port.")
    tls_key: Path | None = Field(None, description="Not in this version: key of the RELAY port.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the TOML file; no `.env` file and no folder of secrets."""
        given = init_settings() if callable(init_settings) else {}
        path = given.get("config") or os.environ.get(PREFIX + "CONFIG")
        toml = InitSettingsSource(settings_cls, init_kwargs=_read_toml(Path(path)) if path else {})
        return init_settings, env_settings, toml

    @model_validator(mode="after")
    def _safe_to_start(self) -> Self:
        if self.dev:
            if not is_loopback(self.host):
                raise ValueError(f"PARLEY_HOST is {self.host}, but dev mode needs no key and so binds loopback only")
            return self
        if not self.api_keys:
            raise ValueError(
                "PARLEY_API_KEYS is not set: without it anybody could use the server. "
                "Set it to id:secret, or start with --dev (PARLEY_DEV=1) on your own machine"
            )
        weak = sorted({key.key_id for key in self.api_keys if key.weak})
        if weak:
            raise ValueError(
                f"PARLEY_API_KEYS: the secret of {', '.join(weak)} is shorter than 8 characters or a well-known "
                "default; take a random one, such as `openssl rand -hex 24`"
            )
        return self

    @property
    def journal_url(self) -> str:
        """URL of the journal; it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'parley.db'}"

    @property
    def recordings_dir(self) -> Path:
        """Folder of the recordings."""
        return self.data_dir / "recordings"

    @property
    def link_base(self) -> str:
        """What links to the API begin with; without `public_url` the address it listens on, as well as is known."""
        if self.public_url is not None:
            return self.public_url
        wildcard = self.host in {"0.0.0.0", "::", ""}
        host = (self.media_ip or "127.0.0.1") if wildcard else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def loopback_media(self) -> bool:
        """True when media sockets are bound to 127.0.0.1 only."""
        return self.dev and self.media_ip is None

    @property
    def url_allowance(self) -> Allowance:
        """Which private addresses URLs of users may lead to; in dev mode all, unless the setting is given."""
        if self.dev and "allow_private_urls" not in self.model_fields_set:
            return Allowance(everything=True)
        return parse_allowance(self.allow_private_urls)

    @property
    def json_logs(self) -> bool:
        """True when log lines are JSON."""
        return self.log_format == "json" or (self.log_format == "auto" and not self.dev)

    def without_effect(self) -> list[str]:
        """Return the names of settings that are set but belong to features of later versions."""
        return [env_name(name) for name in LATER if getattr(self, name) is not None]


def is_loopback(host: str) -> bool:
    """True if a server bound to `host` is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def env_name(field: str) -> str:
    """Return the environment variable of a settings field."""
    return PREFIX + field.upper()


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; raise `SettingsError` naming every setting that is unknown or out of range."""
    ours = [name for name in sorted(os.environ) if name.upper().startswith(PREFIX) and name not in CLIENT_NAMES]
    unknown = [_unknown(name) for name in ours if not _is_known(name)]
    if unknown:
        raise SettingsError(unknown)
    try:
        return Settings(**dict(flags or {}))
    except ValidationError as error:
        raise SettingsError([_problem(dict(item)) for item in error.errors(include_input=False)]) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"PARLEY_CONFIG: {path} cannot be read: {error}"]) from error
    unknown = [f"{path}: {_unknown(name)}" for name in values if not _is_known(name)]
    if unknown:
        raise SettingsError(unknown)
    return {_field_of(name): value for name, value in values.items()}


def _field_of(name: str) -> str:
    return name.lower().removeprefix(PREFIX.lower())


def _is_known(name: str) -> bool:
    return _field_of(name) in Settings.model_fields


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(_field_of(name), Settings.model_fields, n=1, cutoff=0.4)
    return f"{name} is not a setting" + (f"; did you mean {env_name(near[0])}?" if near else "")


def _problem(error: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    place = error["loc"]
    return f"{env_name(str(place[0]))}: {message}" if place else message
