"""What rules make of claims: the pure core as a table, and people put where it says."""

import uuid

import pytest

from accounts import mapping
from accounts.mapping import Condition, Mapped, Operator, RoleAt, Rule, Source
from accounts.models import MappingRule, RoleGrant
from accounts.principal import Role
from accounts.services.mapping import mapped, place
from recordings.models import AuditEntry
from tests import factories

KUBERNETES = {
    "sub": "system:serviceaccount:data:loader",
    "kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "loader"}},
}


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"groups": ["a", "b", "a"]}, "groups", ("a", "b")),
        ({"groups": "a"}, "groups", ("a",)),
        ({"groups": ["a", None, {"b": 1}, 7, True]}, "groups", ("a", "7", "true")),
        ({"a": {"b": ["x"]}}, "a.b", ("x",)),
        ({"a": [{"b": "x"}, {"b": "y"}, {"c": "z"}]}, "a.b", ("x", "y")),
        (KUBERNETES, "kubernetes.io.namespace", ("data",)),
        (KUBERNETES, "kubernetes.io.serviceaccount.name", ("loader",)),
        ({"https://c.example/groups": ["a"]}, "https://c.example/groups", ("a",)),
        ({"a": "x"}, "a.b", ()),
        ({"a": {"b": 1}}, "a", ()),
        ({"a": "x"}, "", ()),
        ({"a": "x\0y"}, "a", ()),
    ],
)
def test_where_values_are_found(claims, path, found):
    assert mapping.values_at(claims, path) == found


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        (Operator.EQUALS, ("org/app",), True),
        (Operator.EQUALS, ("org/APP",), False),
        (Operator.EQUALS, ("org/ap",), False),
        (Operator.EQUALS, ("org/*",), False),
        (Operator.ONE_OF, ("other", "org/app"), True),
        (Operator.ONE_OF, ("other", "another"), False),
        (Operator.GLOB, ("org/*",), True),
        (Operator.GLOB, ("*",), True),
        (Operator.GLOB, ("*/ap?",), True),
        (Operator.GLOB, ("org",), False),
        (Operator.GLOB, ("[o]rg/app",), False),
        (Operator.GLOB, (), False),
    ],
)
def test_how_values_are_compared(operator, values, holds):
    condition = Condition("repository", operator, values)
    assert bool(condition.matching({"repository": "org/app"})) is holds


def rule(*conditions, name="one", **kw):
    return Rule(uuid.uuid4(), name, conditions, **kw)


IN_A = Condition("groups", Operator.EQUALS, ("a",))
IN_B = Condition("groups", Operator.EQUALS, ("b",))
ANY_GROUP = Condition("groups", Operator.GLOB, ("*",))
AUDITOR = RoleAt(Role.AUDITOR)


def follows(rules, groups, source=Source.OIDC, known=("a", "b", "staff")):
    return mapping.map_claims(rules, {"groups": groups}, source=source, known_teams=known)


def test_every_rule_that_matches_adds():
    rules = [
        rule(IN_A, name="first", teams=frozenset({"staff"})),
        rule(IN_B, name="second", teams=frozenset({"b"}), roles=frozenset({AUDITOR})),
        rule(ANY_GROUP, name="named", by_name=True),
    ]
    found = follows(rules, ["a", "b", "unheard-of"])
    assert found.teams == {"staff", "a", "b"}
    assert found.roles == {AUDITOR}
    assert found.rules == ("first", "second", "named")


def test_all_conditions_of_a_rule_have_to_hold():
    assert not follows([rule(IN_A, IN_B, teams=frozenset({"staff"}))], ["a"])
    assert follows([rule(IN_A, IN_B, teams=frozenset({"staff"}))], ["a", "b"])


def test_a_rule_without_conditions_matches_nobody():
    assert not follows([rule(teams=frozenset({"staff"}))], ["a"])


def test_a_rule_of_one_source_is_not_asked_by_another():
    only = rule(IN_A, source=Source.SAML, teams=frozenset({"staff"}))
    assert not follows([only], ["a"])
    assert follows([only], ["a"], source=Source.SAML)


def test_a_rule_that_gives_nothing_is_no_match():
    assert follows([rule(ANY_GROUP, by_name=True)], ["nobody-knows"]).rules == ()


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("ci of {repository}", "ci of org/app"),
        ("{kubernetes.io.namespace}/{kubernetes.io.serviceaccount.name}", "data/loader"),
        ("fixed", "fixed"),
        ("{groups}", None),  # which of the two
        ("{missing}", None),
        ("{long}", None),
        ("{empty}", None),
        ("line{break}s", "lines"),
    ],
)
def test_names_of_agents(template, name):
    claims = KUBERNETES | {
        "repository": "org/app",
        "groups": ["a", "b"],
        "long": "x" * 121,
        "empty": " ",
        "break": "\n",
    }
    assert mapping.agent_name(template, claims) == name


@pytest.fixture
def staff(db):
    return factories.team("staff")


def write(name="staff", *, by=None, roles=(), **kw):
    row = MappingRule.objects.create(
        subject="person",
        position=2,
        name=name,
        conditions=[{"claim": "groups", "operator": "equals", "values": [f"g-{name}"]}],
        roles=[{"role": str(r.role), "connection": r.connection_id} for r in roles],
        changed_by=by,
        **kw,
    )
    row.teams.set([factories.team(name)])
    return row


def put(person, *groups, source=Source.OIDC):
    found = mapped(source, {"groups": list(groups)})
    place(person, found, address="203.0.113.9")
    return found


def test_an_installation_starts_with_groups_that_are_called_like_a_team(staff):
    found = mapped(Source.SCIM, {"groups": ["staff", "unheard-of"]})
    assert found.teams == {"staff"}
    assert MappingRule.objects.get(built_in=True).by_name


def test_a_rule_that_is_switched_off_or_unreadable_gives_nothing(staff):
    MappingRule.objects.update(enabled=False)
    broken = write("broken")
    broken.conditions = [{"claim": "groups"}]
    broken.save()
    assert not mapped(Source.OIDC, {"groups": ["staff", "g-broken"]})


def test_placing_sets_teams_and_roles_and_says_so_once(staff):
    nora = factories.person("nora", teams=[factories.team("by-hand")])
    write("auditors", roles=[AUDITOR])
    put(nora, "staff", "g-auditors")
    assert nora.team_slugs == {"staff", "auditors"}
    assert nora.audits.everywhere
    entry = AuditEntry.objects.get(action="person-placed")
    assert entry.before == {"teams": ["by-hand"], "roles": []}
    assert entry.after == {
        "teams": ["auditors", "staff"],
        "roles": ["auditor everywhere"],
        "source": "oidc",
        "rules": ["Groups that are called like a team", "auditors"],
    }
    put(nora, "staff", "g-auditors")
    assert AuditEntry.objects.filter(action="person-placed").count() == 1


def test_what_a_rule_gave_goes_with_the_group_and_what_an_admin_gave_stays(staff):
    nora = factories.person("nora", Role.DEVELOPER)
    write("auditors", roles=[AUDITOR])
    put(nora, "g-auditors")
    put(nora)
    assert not nora.teams.exists()
    assert not nora.audits
    assert nora.scope(Role.DEVELOPER).everywhere


def test_a_role_given_by_hand_is_not_taken_over_by_a_rule(staff):
    nora = factories.person("nora", Role.AUDITOR)
    write("auditors", roles=[AUDITOR])
    put(nora, "g-auditors")
    put(nora)
    assert nora.audits.everywhere
    assert RoleGrant.objects.get(user=nora).mapped is False


def test_a_role_on_one_connection_holds_there_alone(staff):
    nora = factories.person("nora")
    where = uuid.uuid4()
    row = write("reviewers")
    row.roles = [{"role": "reviewer", "connection": str(where)}]
    row.save()
    put(nora, "g-reviewers")
    assert where in nora.reviews
    assert not nora.reviews.everywhere


def test_nobody_gains_by_a_rule_that_they_wrote_last(staff):
    ada = factories.person("ada", Role.ADMIN, teams=[staff])
    write("auditors", by=ada, roles=[AUDITOR])
    found = put(ada, "staff", "g-auditors")
    assert found.roles == {AUDITOR}
    assert ada.team_slugs == {"staff"}
    assert not ada.audits
    nora = factories.person("nora")
    put(nora, "g-auditors")
    assert nora.audits.everywhere


def test_nobody_loses_by_a_rule_that_they_wrote_last(staff):
    ada = factories.person("ada", Role.ADMIN)
    row = write("auditors", roles=[AUDITOR])
    put(ada, "g-auditors")
    row.changed_by = ada
    row.save()
    put(ada, "g-auditors")
    assert ada.audits.everywhere
    assert ada.team_slugs == {"auditors"}


def test_no_place_at_all_takes_every_team(staff):
    nora = factories.person("nora", teams=[staff])
    place(nora, Mapped(Source.SCIM))
    assert not nora.teams.exists()


def test_a_team_that_is_deleted_leaves_its_rules(staff):
    write("gone")
    before = mapped(Source.OIDC, {"groups": ["g-gone"]}).teams
    factories.team("gone").delete()
    assert before == {"gone"}
    assert not mapped(Source.OIDC, {"groups": ["g-gone"]})
