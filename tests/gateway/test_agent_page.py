"""What an agent did and may do, as far as whoever looks may see it."""

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from connections.models import Rule
from gateway import pipeline
from gateway.requests import StatementRequest
from tests import factories

pytestmark = pytest.mark.django_db


def part(cast, who):
    client = Client()
    client.force_login(getattr(cast, who))
    return client.get(reverse("agent-activity", args=[cast.agent.pk]))


@pytest.fixture
def _sent(cast):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql="UPDATE SHOP.CRM.CONTACTS SET CITY = 'Lisbon' WHERE CONTACT_ID = 7",
        request_id="one",
        door="rest",
    )
    pipeline.submit(request, principal=replace(cast.principal, on_behalf_of="Uma"))


@pytest.mark.usefixtures("_sent")
def test_statements_and_whom_they_were_for(cast):
    for who in ("owner", "reviewer", "auditor"):
        page = part(cast, who).content.decode()
        assert "Lisbon" in page, who
        assert "Uma" in page, who
    # An admin manages it and reads none of its recordings.
    assert "Lisbon" not in part(cast, "admin").content.decode()
    assert part(cast, "stranger").status_code == 404


def test_only_rules_that_may_decide_about_it(cast):
    def rule(slug, match, **more):
        last = cast.connection.rules.order_by("position").last().position
        Rule.objects.create(
            connection=cast.connection,
            slug=slug,
            position=last + 1,
            effect="deny",
            match=match,
            **more,
        )

    cast.agent.teams.add(factories.team("loaders"))
    rule("its-name", {"principals": ["agent:clean*"], "objects": ["A.ITS.NAME"]})
    rule("its-team", {"groups": ["loaders"], "objects": ["A.ITS.TEAM"]})
    rule("another", {"principals": ["somebody"], "objects": ["A.SOMEBODY.ELSE"]})
    rule("other-team", {"groups": ["others"], "objects": ["A.OTHER.TEAM"]})
    rule("off", {"objects": ["A.RULE.OFF"]}, enabled=False)
    elsewhere = factories.connection("vault")
    Rule.objects.create(
        connection=elsewhere,
        slug="there",
        position=99,
        effect="deny",
        match={"objects": ["A.VAULT.ROW"]},
    )
    page = part(cast, "owner").content.decode()
    assert "A.ITS.NAME" in page
    assert "A.ITS.TEAM" in page
    for hidden in ("A.SOMEBODY.ELSE", "A.OTHER.TEAM", "A.RULE.OFF", "A.VAULT.ROW"):
        assert hidden not in page
