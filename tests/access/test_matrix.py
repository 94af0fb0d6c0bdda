"""docs/access.md says what is answered now, for every address."""

import difflib
import logging
import os
from pathlib import Path

import pytest
from django.db import connection

from gateway.rest import throttling
from tests.access import table
from tests.access.world import World

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"


BESIDE = {
    "django_structlog.middlewares.RequestMiddleware",
    "accounts.middleware.RefusalsRecorded",
}


def _hang_up():
    """Doors work in threads of their own, whose connections would outlive the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_the_page_says_what_is_answered(warehouse, settings, tmp_path, monkeypatch):
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    settings.SINK_DIR = tmp_path / "sinks"
    monkeypatch.setattr(throttling, "_count", lambda _key, _window: 0)
    # Those that refuse strangers would soon answer 429.
    monkeypatch.setattr("hoopweb.lib.rate.count", lambda _key, _window=None: 0)
    # Only the status counts here: that pages can be drawn is shown by the tests of each.
    monkeypatch.setattr("django.template.backends.django.Template.render", lambda *_: "")
    # Neither decides anything, and both cost more than most answers.
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each not in BESIDE]
    logging.disable(logging.CRITICAL)  # thousands of refusals, each as it should be
    try:
        asked = table.document(list(table.rows(World(warehouse))))
    finally:
        logging.disable(logging.NOTSET)
        _hang_up()
    if os.environ.get("WRITE_ACCESS"):
        PAGE.write_text(asked, encoding="utf-8")
        return
    written = PAGE.read_text(encoding="utf-8")
    changes = difflib.unified_diff(
        written.splitlines(), asked.splitlines(), "docs/access.md", "answered now", "", "", 0, ""
    )
    text = "\n".join(changes)
    assert not text, (
        "docs/access.md does not say who may open what.\n\n"
        f"{text}\n\n"
        "Look at each cell: a new line is what every role is answered at a new address. If that "
        "is what you want, run `make access` and commit the page; if not, close the address."
    )
