"""Emulators as processes, and what reached them."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connections.upstream.types import Method, Target

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "local-password"
TOKEN = "local-access-token"
CLIENT_SECRET = "local-client-secret"


@dataclass
class Emulator:
    url: str
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def target(self, **other: Any) -> Target:
        given: dict[str, Any] = {
            "account": "LOCAL",
            "login_name": "HOOPWEB",
            "secret": PASSWORD,
            "method": Method.PASSWORD,
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "database": "SHOP",
            "schema": "RETAIL",
            "role": "GATEWAY",
            "warehouse": "SMALL",
        }
        return Target(**given | other)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def sent(self, text: str) -> list[dict[str, Any]]:
        return [entry for entry in self.call("GET", "statements") if text in entry["sql"]]

    def fault(self, **order: Any) -> None:
        self.call("POST", "faults", order)


@contextmanager
def running(*arguments: str) -> Iterator[Emulator]:
    secrets = {
        "SNOWFLAKE_EMULATOR_PASSWORD": PASSWORD,
        "SNOWFLAKE_EMULATOR_TOKEN": TOKEN,
        "SNOWFLAKE_EMULATOR_CLIENT_SECRET": CLIENT_SECRET,
    }
    command = [sys.executable, "-m", "connections.upstream.emulator", *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | secrets,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url, "the emulator did not start"
            yield Emulator(url, process)
        finally:
            process.terminate()
            process.wait(20)
