"""The part of Vault's HTTP interface that we use, as its API documentation describes it.

Not Vault itself: key-value engine version 2, login by AppRole and by Kubernetes, tokens that may
be revoked. Policies are one rule: a token reads below its prefix.
"""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Vault(ThreadingHTTPServer):
    """``values`` by ``mount/path``; ``tokens`` may read below ``readable``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.values: dict[str, dict[str, Any]] = {}
        self.tokens = {"root-token"}
        self.readable = "secret/hoopweb/"
        self.roles = {"role-1": "secret-id-1"}
        self.service_accounts = {"hoopweb": "projected-jwt"}
        self.asked: list[str] = []
        self.redirect_to = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Vault

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.redirect_to:
            self.send_response(307)
            self.send_header("Location", self.server.redirect_to)
            self.end_headers()
            return None
        if self.headers.get("X-Vault-Token") not in self.server.tokens:
            return self._answer(403, {"errors": ["permission denied"]})
        mount, _, path = self.path.removeprefix("/v1/").partition("/data/")
        name = f"{mount}/{path}"
        if not name.startswith(self.server.readable):
            return self._answer(403, {"errors": ["1 error occurred: permission denied"]})
        if name not in self.server.values:
            return self._answer(404, {"errors": []})
        data = {"data": self.server.values[name], "metadata": {"version": 1}}
        return self._answer(200, {"data": data, "request_id": "r"})

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = {
            "/v1/auth/approle/login": lambda: (
                body.get("role_id") in self.server.roles
                and self.server.roles[body["role_id"]] == body.get("secret_id")
            ),
            "/v1/auth/kubernetes/login": lambda: (
                body.get("role") in self.server.service_accounts
                and self.server.service_accounts[body["role"]] == body.get("jwt")
            ),
        }
        if self.path not in known or not known[self.path]():
            return self._answer(400, {"errors": ["invalid role or secret ID"]})
        token = secrets.token_urlsafe(12)
        self.server.tokens.add(token)
        return self._answer(200, {"auth": {"client_token": token, "lease_duration": 60}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Vault]:
    with Vault() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
