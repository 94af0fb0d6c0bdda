"""Structured logs: JSON lines with request, session and statement ids, never statement text."""

from collections.abc import Iterable
from typing import Any

import structlog

from hoopweb.lib.scrubbing import Scrubber


def _processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]


def logging_config(*, level: str, pretty: bool, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """The ``LOGGING`` setting; also points structlog at it. ``pretty`` is for a terminal;
    ``secrets`` are the installation's own, which appear in no line.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    # Last: tracebacks and libraries' lines are text by now.
                    Scrubber(secrets),
                    renderer,
                ],
                "foreign_pre_chain": _processors(),
            },
        },
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["out"], "level": level},
        "loggers": {
            "snowflake.connector": {"level": "WARNING"},
            # Uvicorn brings handlers of its own; without them its lines look like ours.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"level": "WARNING"},
            "django.server": {"level": "WARNING"},
        },
    }
