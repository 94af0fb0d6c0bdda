"""A published checker of SCIM servers, over everything that this one says of itself."""

import pytest
from django.core.wsgi import get_wsgi_application

# Each request closes its connection, as a server does.
pytestmark = pytest.mark.django_db(transaction=True)

# What it holds against us and we mean: by title, with a part of the reason.
MEANT = {
    # RFC 7644 3.4.3 makes it optional; filters go in the address.
    ("search_with_attributes", "There is no such endpoint"),
    # Whoever is not said to be inactive is active.
    ("check_remove_attribute", "'active'"),
    # A member is shown by the name that they have here.
    ("check_add_attribute", "'members'"),
    ("check_replace_attribute", "'members'"),
}


def meant(result):
    reason = str(result.reason)
    return any(result.title == title and part in reason for title, part in MEANT)


def test_the_checker_finds_nothing(okta, settings, monkeypatch):
    # Where much is imported already these take seconds, which every process of a run would spend.
    from scim2_client.engines.wsgi import WSGISCIMClient
    from scim2_tester import Status, check_server

    monkeypatch.setattr("hoopweb.lib.rate.count", lambda _key, _window=None: 2)
    settings.SITE_URL = "http://localhost"
    client = WSGISCIMClient(
        get_wsgi_application(),
        base_url="http://localhost/scim/v2",
        headers={"Authorization": f"Bearer {okta.token}"},
        environ={"REMOTE_ADDR": "127.0.0.1"},
    )
    results = check_server(client)
    told = [
        f"{each.status.name} {each.title}: {each.reason}"
        for each in results
        if each.status not in {Status.SUCCESS, Status.SKIPPED, Status.COMPLIANT} and not meant(each)
    ]
    assert not told, "\n".join(told)
    assert len(results) > 20
