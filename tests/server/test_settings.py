"""Settings: where they come from, and what is said of wrong ones."""

import os
from pathlib import Path

import pytest

from server.settings import Settings, SettingsError, load_settings
from server.urls.allowance import Allowance


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("PARLEY_")]:
        monkeypatch.delenv(name)


def problems(flags: dict[str, object] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags)
    return "\n".join(caught.value.problems)


def test_defaults() -> None:
    settings = load_settings({"dev": True})
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8080, Path("data"))
    assert settings.rtp_ports == (20000, 21999)
    assert settings.allow_private_urls is False
    assert settings.min_participants_to_start == 1
    assert settings.media_timeout_s == 60
    assert settings.without_effect() == []


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "parley.toml"
    file.write_text('port = 1\nregion = "file"\nPARLEY_LOG_LEVEL = "debug"\napi_keys = ["a:secret-of-a"]\n')
    monkeypatch.setenv("PARLEY_CONFIG", str(file))
    monkeypatch.setenv("PARLEY_PORT", "2")
    monkeypatch.setenv("PARLEY_REGION", "env")
    settings = load_settings({"port": 3})
    assert (settings.port, settings.region, settings.log_level) == (3, "env", "debug")
    assert [key.key_id for key in settings.api_keys] == ["a"]


def test_unknown_names_are_refused_and_the_nearest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RTP_PORT", "1-2")
    assert problems({"dev": True}) == "PARLEY_RTP_PORT is not a setting; did you mean PARLEY_RTP_PORTS?"
    monkeypatch.delenv("PARLEY_RTP_PORT")
    file = tmp_path / "parley.toml"
    file.write_text("hots = 'x'\n[tables]\na = 1\n")
    said = problems({"dev": True, "config": str(file)})
    assert "hots is not a setting; did you mean PARLEY_HOST?" in said
    assert "tables is not a setting" in said


@pytest.mark.parametrize("text", ["port = ", "\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "parley.toml"
    file.write_bytes(text.encode("latin-1"))
    assert problems({"config": str(file)}).startswith(f"PARLEY_CONFIG: {file} cannot be read")
    assert "PARLEY_CONFIG" in problems({"config": str(tmp_path / "missing.toml")})


WRONG = [
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "http"),
    ("RTP_PORTS", "20000"),
    ("RTP_PORTS", "a-b"),
    ("RTP_PORTS", "3000-2000"),
    ("RTP_PORTS", "80-90"),
    ("RTP_PORTS", "20000-70000"),
    ("RTP_PORTS", "20001-20001"),
    ("MEDIA_IP", "localhost"),
    ("MEDIA_IP", "0.0.0.0"),
    ("MEDIA_IP", "::1"),
    ("MEDIA_IP", "224.0.0.1"),
    ("API_KEYS", "no-colon"),
    ("API_KEYS", ":the-marker"),
    ("API_KEYS", "a b:secret"),
    ("ALLOW_PRIVATE_URLS", "some"),
    ("SIGNING_SECRET", "short"),
    ("REGION", "e u"),
    ("MIN_PARTICIPANTS_TO_START", "0"),
    ("MAX_PARTICIPANTS", "1"),
    ("MAX_PARTICIPANTS", "100001"),
    ("MEDIA_TIMEOUT_S", "-1"),
    ("MEDIA_TIMEOUT_S", "nan"),
    ("DRAIN_DEADLINE_S", "inf"),
    ("MIXER_OPUS_BITRATE", "5999"),
    ("MIXER_OPUS_COMPLEXITY", "11"),
    ("MIXER_SCHEDULING", "urgent"),
    ("MIXER_CORES", "first"),
    ("MIXER_CORES", "1-0"),
    ("MIXER_CORES", "9999"),
    ("MIXER_CORES", "0-99999999"),
    ("MIXER_CORES", "0,,1"),
    ("MIXER_LOCK_MEMORY", "some"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "loud"),
    ("RELAY_PORT", "0"),
    ("WEBHOOK_SCHEDULE", "soon"),
    ("WEBHOOK_SCHEDULE", "1,-2"),
    ("RECORDINGS_URL", "recordings"),
    ("RECORDINGS_URL", "https://example.org/recordings"),
    ("RECORDINGS_URL", "nosuch://bucket"),
    ("RECORDINGS_URL", "simplecache::s3://bucket"),
    ("RECORDINGS_URL", "s3://bucket?endpoint=x"),
    ("RECORDINGS_URL", "ftp://anna:the-marker@example.org/recordings"),
    ("RECORDINGS_RETENTION_DAYS", "-1"),
    ("RECORDINGS_MAX_BYTES", "plenty"),
    ("RECORDINGS_MAX_BYTES", "50XB"),
    ("RECORDINGS_MAX_BYTES", "-1"),
    ("HOST", ""),
    ("DEV", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("PARLEY_DEV", "1")
    monkeypatch.setenv(f"PARLEY_{name}", value)
    said = problems()
    assert said.startswith(f"PARLEY_{name}: ")
    if name in {"API_KEYS", "SIGNING_SECRET"}:
        assert value not in said.partition(": ")[2]


def test_without_keys_only_dev_mode_starts() -> None:
    said = problems()
    assert "PARLEY_API_KEYS" in said and "--dev" in said


@pytest.mark.parametrize("secret", ["short", "changeme", "password"])
def test_weak_secrets_are_refused_outside_dev_mode(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("PARLEY_API_KEYS", f"good:long-enough-secret,weak:{secret}")
    said = problems()
    assert "PARLEY_API_KEYS" in said and "weak" in said and "good" not in said and f":{secret}" not in said
    assert len(load_settings({"dev": True}).api_keys) == 2


def test_dev_mode_binds_loopback_only() -> None:
    assert "PARLEY_HOST" in problems({"dev": True, "host": "0.0.0.0"})
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        assert load_settings({"dev": True, "host": host}).host == host


def test_media_stays_on_loopback_in_dev_mode_unless_an_address_is_told() -> None:
    assert load_settings({"dev": True}).loopback_media
    assert not load_settings({"dev": True, "media_ip": "203.0.113.7"}).loopback_media
    assert not load_settings({"api_keys": "a:secret-of-a"}).loopback_media


def test_private_urls_are_true_false_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, value in {"true": True, "0": False, "10.1.2.0/24, fd00::/8": ("10.1.2.0/24", "fd00::/8")}.items():
        monkeypatch.setenv("PARLEY_ALLOW_PRIVATE_URLS", text)
        assert load_settings({"dev": True}).allow_private_urls == value


def test_settings_of_later_features_are_known_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RELAY_PORT", "8443")
    monkeypatch.setenv("PARLEY_WEBHOOK_SCHEDULE", "1,5.5")
    settings = load_settings({"dev": True})
    assert settings.webhook_schedule == (1.0, 5.5)
    assert settings.without_effect() == ["PARLEY_RELAY_PORT"]


def test_a_schedule_may_be_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, waits_s in {"5": (5.0,), "0": (0.0,), "0,0.5": (0.0, 0.5)}.items():
        monkeypatch.setenv("PARLEY_WEBHOOK_SCHEDULE", text)
        assert load_settings({"dev": True}).webhook_schedule == waits_s


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_API_KEYS", "a:the-marker-secret")
    monkeypatch.setenv("PARLEY_SIGNING_SECRET", "the-marker-signing")
    monkeypatch.setenv("PARLEY_DATABASE_URL", "postgresql://anna:the-marker-password@localhost/parley")
    settings = load_settings()
    assert settings.journal_url == "postgresql://anna:the-marker-password@localhost/parley"
    assert "the-marker" not in repr(settings) + str(settings.model_dump())


def test_events_are_kept_in_the_data_folder_unless_told_otherwise() -> None:
    assert load_settings({"dev": True, "data_dir": Path("here")}).journal_url == "sqlite:///here/parley.db"


@pytest.mark.parametrize(
    "url", ["mysql://a:the-marker@b/c", "postgresql://a:the-marker@b:x/c", "http://the-marker", "sqlite://"]
)
def test_databases_that_cannot_be_used_are_refused_unshown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PARLEY_DATABASE_URL", url)
    said = problems({"dev": True})
    assert "PARLEY_DATABASE_URL: the " in said and "the-marker" not in said


def test_names_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("parley_port", "81")
    assert load_settings({"dev": True}).port == 81


def test_log_format_follows_the_mode() -> None:
    assert not load_settings({"dev": True}).json_logs
    assert load_settings({"dev": True, "log_format": "json"}).json_logs
    assert Settings(api_keys="a:secret-of-a").json_logs  # type: ignore[arg-type]


def test_dev_mode_allows_private_urls_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings({"dev": True}).url_allowance.everything
    monkeypatch.setenv("PARLEY_ALLOW_PRIVATE_URLS", "false")
    assert load_settings({"dev": True}).url_allowance == Allowance()
    monkeypatch.setenv("PARLEY_ALLOW_PRIVATE_URLS", "10.1.2.0/24,fd00::/8")
    networks = load_settings({"dev": True}).url_allowance.networks
    assert [str(network) for network in networks] == ["10.1.2.0/24", "fd00::/8"]
    monkeypatch.delenv("PARLEY_ALLOW_PRIVATE_URLS")
    with_keys = load_settings({"api_keys": "anna:a-long-secret"})
    assert with_keys.url_allowance == Allowance()


@pytest.mark.parametrize("value", ["10.1.2.3/24", "example.org", "true,false", 1.5])
def test_allowed_networks_are_networks(value: object) -> None:
    said = problems({"dev": True, "allow_private_urls": value})
    assert said.startswith("PARLEY_ALLOW_PRIVATE_URLS: write true, false, or networks such as 10.1.2.0/24")


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("0", 0),
        ("1234", 1234),
        ("1 kB", 1000),
        ("50GB", 50 * 10**9),
        ("50gb", 50 * 10**9),
        ("1.5TB", 15 * 10**11),
        ("2MiB", 2 << 20),
        ("7B", 7),
    ],
)
def test_sizes_are_bytes_or_have_a_unit(monkeypatch: pytest.MonkeyPatch, given: str, count: int) -> None:
    monkeypatch.setenv("PARLEY_RECORDINGS_MAX_BYTES", given)
    assert Settings(dev=True).recordings_max_bytes == count


@pytest.mark.parametrize(
    ("given", "meant"),
    [("", ()), ("0", (0,)), (" 3 , 0-1,1", (0, 1, 3)), ([2, "0"], (0, 2)), ("0-3", (0, 1, 2, 3))],
)
def test_cores_are_numbers_and_ranges_of_those_there_are(
    monkeypatch: pytest.MonkeyPatch, given: object, meant: tuple[int, ...]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    assert load_settings({"dev": True, "mixer_cores": given}).mixer_cores == meant
    said = problems({"dev": True, "mixer_cores": "2-4"})
    assert said == "PARLEY_MIXER_CORES: 2-4 is not among the processors that the server may use: 0,1,2,3"


@pytest.mark.parametrize(("given", "meant"), [("0", 0), ("8", 8), ("2000", 2000)])
def test_voices_mixed_at_a_time_are_all_or_enough_to_try_others(given: str, meant: int) -> None:
    assert load_settings({"dev": True, "mixer_loudest": given}).mixer_loudest == meant
    for few in ("7", "-1"):
        said = problems({"dev": True, "mixer_loudest": few})
        assert said == "PARLEY_MIXER_LOUDEST: write a number of voices, 8 or more, or 0 for all"


def test_recordings_are_in_the_data_folder_and_their_copies_where_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RECORDINGS_URL", "file:///mnt/recordings/")
    settings = Settings(dev=True, data_dir=Path("/srv/parley"))
    assert settings.recordings_dir == Path("/srv/parley/recordings")
    assert settings.recordings_url == "file:///mnt/recordings"
    assert (settings.recordings_retention_days, settings.recordings_max_bytes) == (0, 0)
