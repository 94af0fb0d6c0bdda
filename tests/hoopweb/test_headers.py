"""What every answer carries: pages, files, refusals, and the doors ahead of Django."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator

from hoopweb.local import keys

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


def test_an_answer_names_its_request_and_may_not_be_kept(client):
    answer = client.get("/healthz")
    assert answer["X-Request-ID"]
    assert answer["Cache-Control"] == "no-store"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "path", ["/healthz", "/sign-in/", "/", "/no-such-page", "/api/v1/rules", "/static/css/base.css"]
)
def test_every_answer_is_closed_to_other_sites(client, path):
    answer = closed(client.get(path))
    policy = answer["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "base-uri 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer


def closed(answer):
    """An answer whose file is not left open."""
    if answer.streaming:
        b"".join(answer.streaming_content)
        answer.close()
    return answer


def test_files_may_be_kept_and_pages_may_not(client, cast):
    client.force_login(cast.admin)
    for path in ("/", "/sessions/", "/approvals/", "/audit/", "/settings/", "/api/v1/sessions"):
        assert "no-store" in client.get(path)["Cache-Control"], path
    assert "no-store" not in closed(client.get("/static/css/base.css"))["Cache-Control"]


def test_doors_ahead_of_django_are_no_pages():
    from hoopweb.asgi import application

    async def ask():
        communicator = ApplicationCommunicator(
            application,
            {
                "type": "http",
                "method": "GET",
                "path": "/metrics",
                "raw_path": b"/metrics",
                "query_string": b"",
                "headers": [],
                "client": ("192.0.2.1", 1),
            },
        )
        await communicator.send_input({"type": "http.request", "body": b""})
        return await communicator.receive_output(5)

    headers = dict(async_to_sync(ask)()["headers"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]


def test_behind_https_cookies_belong_to_this_host_alone(tmp_path):
    """Settings are read once, so another process reads them as production has them."""
    code = (
        "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME,"
        " s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.SESSION_COOKIE_DOMAIN, s.CSRF_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH, s.CSRF_COOKIE_PATH,"
        " s.SESSION_COOKIE_SAMESITE, s.SECURE_HSTS_SECONDS, s.SECURE_SSL_REDIRECT)"
    )
    env = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
        "SITE_URL": "https://hoopweb.example.com",
        "HOOPWEB_VAR": str(tmp_path),
        **keys.fresh(),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "__Host-session", "__Host-csrf", "True", "True", "True", "None", "None", "/", "/", "Lax",
        "31536000", "True",
    ]  # fmt: skip


def test_two_requests_have_two_names(client):
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]
