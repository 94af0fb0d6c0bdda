"""What an agent does for somebody: recorded apart, never approved by them, ended with them."""

from dataclasses import replace

import pytest

from accounts import services
from accounts.mapping import Condition, Operator
from accounts.models import Agent, AgentIdentity
from accounts.principal import Role
from accounts.services import identities, mapping_rules
from accounts.services.issuers import create_issuer
from approvals import services as approvals
from approvals.models import ApprovalRequest
from gateway import pipeline, standing
from gateway.models import Statement
from gateway.requests import StatementRequest
from hoopweb.lib.errors import NotFound, SelfApproval
from tests import factories
from tests.accounts import jwts

pytestmark = pytest.mark.django_db
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = {}"


def send(cast, number, principal, **told):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=WRITE.format(number),
        request_id=f"request-{number}",
        door="rest",
        **told,
    )
    return pipeline.submit(request, principal=principal)


def acting_for(cast, person):
    return cast.agent.as_principal(on_behalf_of=str(person), on_behalf_of_id=person.pk)


def test_nobody_approves_what_an_agent_does_for_them(cast):
    rita = cast.reviewer
    statement = send(cast, 1, acting_for(cast, rita))
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    assert request.on_behalf_of == "Rita"
    assert request not in ApprovalRequest.objects.decidable_by(rita)
    assert request in ApprovalRequest.objects.decidable_by(cast.second_reviewer)
    with pytest.raises(SelfApproval, match="acts for you"):
        approvals.vote(request_id=request.pk, by=rita, choice="approve", digest=request.digest)
    approvals.vote(
        request_id=request.pk, by=cast.second_reviewer, choice="approve", digest=request.digest
    )
    request.refresh_from_db()
    assert request.state == "approved"


def test_a_session_is_of_one_person(cast):
    uma = replace(cast.principal, on_behalf_of="Uma")
    first = send(cast, 1, uma)
    second = send(cast, 2, replace(cast.principal, on_behalf_of="Max"))
    third = send(cast, 3, uma)
    assert first.session_id == third.session_id != second.session_id
    assert second.session.on_behalf_of == "Max"
    with pytest.raises(NotFound):
        send(cast, 4, uma, session_id=second.session_id)


def test_what_waits_ends_with_the_person_it_is_for(cast, django_capture_on_commit_callbacks):
    nora = factories.person("nora", Role.DEVELOPER)
    for_nora = send(cast, 1, acting_for(cast, nora))
    other = send(cast, 2, acting_for(cast, cast.stranger))
    with django_capture_on_commit_callbacks(execute=True):
        services.disable_user(user=nora, by=None)
    for_nora.refresh_from_db()
    other.refresh_from_db()
    assert for_nora.state == "withdrawn"
    assert other.state == "awaiting_approval"
    assert standing.ended(for_nora) == standing.BEHIND_DISABLED


@pytest.mark.parametrize("how", ["switched off", "deleted"])
def test_what_a_rule_let_in_ends_with_the_rule(cast, how, django_capture_on_commit_callbacks):
    issuer = create_issuer(
        name="CI", issuer=jwts.ISSUER, audiences=["x"], given_keys=jwts.KEYS, by=None
    )
    rule = mapping_rules.save_agent_rule(
        rule=None,
        name="CI",
        issuer=issuer,
        conditions=[Condition("sub", Operator.EQUALS, ("job",))],
        agent_name="job",
        owner=cast.owner,
        by=None,
    )
    made = identities.admit(issuer, "job", {"sub": "job"}, address=None)
    assert made == AgentIdentity.objects.get()
    agent = Agent.objects.get(name="job")
    factories.allow(cast.connection, agent)
    statement = send(cast, 1, replace(agent.as_principal(), token=str(made.pk)))
    assert Statement.objects.get().state == "awaiting_approval"
    with django_capture_on_commit_callbacks(execute=True):
        if how == "deleted":
            mapping_rules.delete_rule(rule=rule, by=None)
        else:
            mapping_rules.switch_rule(rule=rule, on=False, by=None)
    statement.refresh_from_db()
    assert statement.state == "withdrawn"
    assert standing.ended(statement) == standing.TOKEN_REVOKED
