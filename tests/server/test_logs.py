"""The log: JSON or readable, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from server import logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False
    structlog.configure(**config)


def fail() -> None:
    password = "the-marker"
    raise ValueError(f"too short: {len(password)}")


def test_lines_are_json_with_level_time_and_context() -> None:
    out = io.StringIO()
    logs.configure(json=True, level="info", stream=out)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("x").info("hello", n=1)
        structlog.get_logger("x").debug("unheard")
        logging.getLogger("uvicorn.error").warning("from %s", "uvicorn")
    first, second = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (first["event"], first["n"], first["level"], first["request_id"]) == ("hello", 1, "info", "r1")
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "from uvicorn"


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_blanked_also_in_tracebacks(as_json: bool) -> None:
    out = io.StringIO()
    logs.configure(json=as_json, level="info", stream=out)
    log = structlog.get_logger("x")
    log.info("a", signing_secret="the-marker", authorization="the-marker", api_key="the-marker")
    log.info("b", header="Bearer id:the-marker", other="Basic the-marker")
    try:
        fail()
    except ValueError:
        log.exception("c")
    written = out.getvalue()
    assert "the-marker" not in written
    assert "ValueError" in written and "too short: 10" in written
    assert written.count("[redacted]") == 5


def test_readable_lines_are_not_json() -> None:
    out = io.StringIO()
    logs.configure(json=False, level="warning", stream=out)
    structlog.get_logger("x").warning("hello", n=1)
    assert "hello" in out.getvalue() and "n=1" in out.getvalue() and "{" not in out.getvalue()
