"""One line of JSON for each event, whoever logs it."""

import io
import json
import logging
import logging.config

import pytest
import structlog

from hoopweb.logging import logging_config


@pytest.fixture
def lines():
    """Log as the product does, into memory."""
    before = logging.root.handlers[:], logging.root.level
    out = io.StringIO()
    config = logging_config(level="INFO", pretty=False)
    config["handlers"]["out"]["stream"] = out
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logging.root.handlers[:], logging.root.level = before


def test_an_event_carries_ids_level_and_time(lines):
    with structlog.contextvars.bound_contextvars(statement_id="s-1", session_id="n-1"):
        structlog.get_logger("gateway.pipeline").info("decided", effect="review")
    [line] = lines()
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "decided",
        "effect": "review",
        "statement_id": "s-1",
        "session_id": "n-1",
        "level": "info",
        "logger": "gateway.pipeline",
    }


def test_a_librarys_line_has_the_same_form(lines):
    logging.getLogger("celery.worker").warning("connection %s", "lost")
    [line] = lines()
    assert line["event"] == "connection lost"
    assert line["logger"] == "celery.worker"


@pytest.mark.parametrize("name", ["uvicorn.access", "django.server", "snowflake.connector"])
def test_chatty_libraries_are_quiet(lines, name):
    logging.getLogger(name).info("GET /sessions/?q=secret")
    assert lines() == []


def test_the_servers_own_lines_are_ours_too(lines):
    brought = logging.StreamHandler()
    logging.getLogger("uvicorn").addHandler(brought)
    logging.config.dictConfig(
        {"version": 1, "incremental": False, "disable_existing_loggers": False}
        | {"loggers": logging_config(level="INFO", pretty=False)["loggers"]}
    )
    assert logging.getLogger("uvicorn").handlers == []
