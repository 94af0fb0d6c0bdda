"""The servers alone, as a command."""

import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psycopg
import pytest
import redis

from hoopweb.local.postgres import EmbeddedPostgres


@pytest.mark.slow
def test_services_start_print_what_to_set_and_leave_nothing_behind():
    state = Path(tempfile.mkdtemp(prefix="hoopweb-test-"))
    with subprocess.Popen(
        [sys.executable, "-m", "hoopweb.local.services", "--state", str(state)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        told = [process.stdout.readline().removeprefix("export ").strip() for _ in range(6)]
        values = dict(line.replace("'", "").split("=", 1) for line in told)
        with psycopg.connect(values["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with redis.Redis.from_url(values["REDIS_URL"]) as client:
            assert client.ping()
        ready = f"{values['SNOWFLAKE_EMULATOR_URL']}/_emulator/ready"
        with urllib.request.urlopen(ready) as answer:
            assert b"SHOP" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(values["DATABASE_URL"])
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(ready)
    EmbeddedPostgres(state / "postgres").remove()
    shutil.rmtree(state)
