"""Logging: structlog for everything, JSON lines in production and readable lines in dev mode, on standard error.

The standard library's loggers (uvicorn, sqlalchemy, asyncio) go through the same renderer. Secrets are kept out in
two ways: they are not passed to the logger in the first place, and `redact` blanks what still looks like one.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.types import Processor

_SECRET_NAMES: Final = re.compile(r"secret|password|authorization|token|api_key|apikey|cookie", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"\b(bearer|basic)\s+[^\s\"',]+", re.IGNORECASE)
_BLANK: Final = "[redacted]"


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank values under names that mean a secret, and credentials inside of texts."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = _BLANK
        elif isinstance(value, str):
            event[name] = _CREDENTIALS.sub(lambda match: f"{match[1]} {_BLANK}", value)
    return event


def configure(*, json: bool, level: str, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging; call it once, before the first line."""
    out = stream if stream is not None else sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # No local variables in tracebacks: they hold secrets, and rendering them holds up the event loop for seconds.
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    plain = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    last: list[Processor] = [tracebacks, redact, structlog.processors.JSONRenderer()] if json else [redact, plain]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # The access log is ours (one line a request, with its id); uvicorn's start and stop lines say less than ours.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
