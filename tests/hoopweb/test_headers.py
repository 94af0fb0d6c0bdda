"""What every answer carries."""

import pytest

pytestmark = pytest.mark.django_db


def test_an_answer_names_its_request_and_may_not_be_kept(client):
    answer = client.get("/healthz")
    assert answer["X-Request-ID"]
    assert answer["Cache-Control"] == "no-store"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"


def test_two_requests_have_two_names(client):
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]
