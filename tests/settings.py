"""Settings of a test run: real Postgres and Valkey, started here because they name the database."""

import atexit
import base64
import contextlib
import os
import tempfile
from pathlib import Path

from hoopweb.local.postgres import EmbeddedPostgres
from hoopweb.local.valkey import EmbeddedValkey

_stack = contextlib.ExitStack()
atexit.register(_stack.close)
_var = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="hoopweb-var-")))
# Where styles are collected; the server looks there and warns when it is missing.
(_var / "static").mkdir()


def _key(name: str) -> str:
    return f"{name}:{base64.urlsafe_b64encode(os.urandom(32)).decode()}"


os.environ.update(
    {
        "HOOPWEB_LOCAL": "1",
        "HOOPWEB_VAR": str(_var),
        "SECRET_KEY": base64.b64encode(os.urandom(32)).decode(),
        "HOOPWEB_KEYS": f"{_key('k2')},{_key('k1')}",
        "HOOPWEB_TOKEN_PEPPERS": _key("1"),
        "HOOPWEB_CHECKPOINT_KEY": base64.b64encode(os.urandom(32)).decode(),
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": _stack.enter_context(EmbeddedPostgres.temporary()).url,
    }
)
_valkey = EmbeddedValkey(_var / "valkey")
os.environ["REDIS_URL"] = _valkey.start()
_stack.callback(_valkey.stop)

from hoopweb.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tasks run where they are sent, so that a test sees what a worker would do; the tests marked
# ``faults`` start real workers instead.
CELERY_TASK_ALWAYS_EAGER = False
