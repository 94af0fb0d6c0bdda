"""Changes of policy: numbered, kept whole, undone, and never lost to a second editor."""

import threading
from typing import Any

import pytest
from django.db import connections as databases

from accounts.principal import Role
from connections import services
from connections.models import Connection, PolicyRevision
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Connection:
    return services.register_connection(by=None, name="shop", account="acme-shop")


def slugs(row: Connection) -> list[str]:
    return list(row.rules.values_list("slug", flat=True))


def test_a_new_connection_has_the_default_rules_as_revision_one(row: Connection) -> None:
    assert row.policy_revision == 1
    assert row.rules.filter(effect="deny").exists()
    assert row.rules.filter(effect="allow").exists()
    revision = PolicyRevision.objects.get(connection=row)
    assert revision.number == 1
    assert [r["slug"] for r in revision.content["rules"]] == slugs(row)
    assert [r.position for r in row.rules.all()] == list(range(1, row.rules.count() + 1))


def test_default_rules_are_not_installed_over_others(row: Connection) -> None:
    with pytest.raises(Conflict, match="has rules already"):
        services.install_default_policy(connection=row, by=None)


def test_every_change_is_a_revision_with_who_and_what(row: Connection) -> None:
    ada = factories.person("ada", Role.ADMIN)
    rule = services.create_rule(
        connection=row, by=ada, slug="no-hr", effect="deny", match={"objects": ["*.HR.*"]}, place=1
    )
    services.update_rule(rule=rule, by=ada, note="Ask People Operations.")
    services.set_rule_enabled(rule=rule, enabled=False, by=ada)
    services.move_rule(rule=rule, place=3, by=ada)
    services.delete_rule(rule=rule, by=ada)
    row.refresh_from_db()
    assert row.policy_revision == 6
    latest = list(PolicyRevision.objects.filter(connection=row)[:5])
    assert [r.by["name"] for r in latest] == ["Ada"] * 5
    assert [r.summary for r in latest] == [
        "Deleted rule no-hr",
        "Moved rule no-hr from place 1 to 3",
        "Disabled rule no-hr",
        "Changed rule no-hr: note",
        "Added rule no-hr: denies",
    ]
    trail = AuditEntry.objects.filter(actor_id=ada.pk).values_list("action", flat=True)
    assert list(trail) == [
        "rule-deleted",
        "rule-moved",
        "rule-disabled",
        "rule-changed",
        "rule-created",
    ]


def test_a_change_that_changes_nothing_makes_no_revision(row: Connection) -> None:
    rule = row.rules.get(slug=slugs(row)[0])
    services.update_rule(rule=rule, by=None, note=rule.note)
    services.move_rule(rule=rule, place=1, by=None)
    services.set_rule_enabled(rule=rule, enabled=True, by=None)
    row.refresh_from_db()
    assert row.policy_revision == 1


def test_positions_stay_whole_numbers_without_gaps(row: Connection) -> None:
    first, *rest = slugs(row)
    services.move_rule(rule=row.rules.get(slug=first), place=999, by=None)
    assert slugs(row) == [*rest, first]
    services.delete_rule(rule=row.rules.get(slug=rest[1]), by=None)
    assert [r.position for r in row.rules.all()] == list(range(1, len(rest) + 1))


def test_the_ruleset_follows_the_number_on_the_row(row: Connection) -> None:
    before = services.ruleset_for(row)
    assert services.ruleset_for(row) is before
    services.create_rule(connection=row, by=None, slug="new", effect="allow")
    fresh = Connection.objects.get(pk=row.pk)
    after = services.ruleset_for(fresh)
    assert after.revision == 2
    assert after.rules[-1].id == "new"
    assert after.salt == fresh.mask_salt != ""


def test_a_row_read_before_a_change_gets_the_rules_of_now(row: Connection) -> None:
    stale = Connection.objects.get(pk=row.pk)
    stale.policy_revision = 1
    services.create_protection(connection=row, by=None, strategy="redact", column="EMAIL")
    ruleset = services.ruleset_for(stale)
    assert (ruleset.revision, len(ruleset.protections)) == (2, 1)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"slug": "Not A Slug"}, "slug", "lower case"),
        ({"effect": "maybe"}, "effect", "allow, review or deny"),
        ({"match": {"colour": ["red"]}}, "match.colour", "cannot match on"),
        ({"match": {"objects": [""]}}, "match.objects", "empty pattern"),
        ({"match": {"objects": []}}, "match.objects", "empty pattern"),
        ({"match": {"objects": [3]}}, "match.objects", "list of texts"),
        ({"match": {"objects": {"a": 1}}}, "match.objects", "list of texts"),
        ({"match": ["objects"]}, "match", "set of keys"),
        ({"match": {"groups": ["nobody"]}}, "match.groups", "no team called nobody"),
        ({"match": {"doors": ["window"]}}, "match.doors", "none of"),
        ({"match": {"uses": ["guessed"]}}, "match.uses", "none of"),
        ({"match": {"hours": ["8 to 6"]}}, "match.hours", "08:00-18:00"),
        ({"match": {"weekdays": ["someday"]}}, "match.weekdays", "none of"),
        ({"match": {"min_rows": "many"}}, "match.min_rows", "whole number"),
        (
            {"match": {"objects": ["X"] * 3 + [str(i) for i in range(300)]}},
            "match.objects",
            "At most",
        ),
        ({"reviewers": ["nobody"]}, "reviewers", "no team called nobody"),
        ({"votes": 0}, "votes", "Between 1"),
        ({"votes": 11}, "votes", "Between 1"),
        ({"expires_minutes": 0}, "expires_minutes", "minutes"),
        ({"expires_minutes": 10**9}, "expires_minutes", "minutes"),
        ({"note": "x" * 401}, "note", "400"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_by_field(
    row: Connection, change: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.create_rule(connection=row, by=None, **({"slug": "a", "effect": "deny"} | change))
    assert said in caught.value.fields["errors"][field]
    row.refresh_from_db()
    assert row.policy_revision == 1


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"strategy": "scramble"}, "strategy", "Choose one of"),
        ({"column": ""}, "column", "Name the column"),
        ({"tag": "PII"}, "column", "not both"),
        ({"database": ""}, "database", "Write *"),
        ({"column": "X" * 121}, "column", "At most"),
        ({"strategy": "partial", "options": {"keep": "all"}}, "options.keep", "Choose one of"),
        ({"strategy": "bucket", "options": {"size": -1}}, "options.size", "above 0"),
        ({"strategy": "constant", "options": {"value": 3}}, "options.value", "text"),
        ({"options": {"salt": "x"}}, "options.salt", "no option"),
        ({"options": ["x"]}, "options", "names with values"),
    ],
)
def test_a_protection_that_cannot_work_is_refused_by_field(
    row: Connection, change: dict[str, Any], field: str, said: str
) -> None:
    given = {"strategy": "redact", "column": "EMAIL"} | change
    with pytest.raises(InvalidRequest) as caught:
        services.create_protection(connection=row, by=None, **given)
    assert said in caught.value.fields["errors"][field]
    assert not row.protections.exists()


def test_two_rules_cannot_share_a_name_nor_two_protections_a_column(row: Connection) -> None:
    with pytest.raises(Conflict, match="already"):
        services.create_rule(connection=row, by=None, slug=slugs(row)[0], effect="deny")
    services.create_protection(connection=row, by=None, strategy="redact", column="EMAIL")
    with pytest.raises(Conflict, match="already"):
        services.create_protection(connection=row, by=None, strategy="null", column="EMAIL")
    other = services.create_protection(connection=row, by=None, strategy="null", column="SSN")
    with pytest.raises(Conflict, match="already"):
        services.update_protection(protection=other, by=None, column="EMAIL")


def test_protections_change_switch_and_go(row: Connection) -> None:
    item = services.create_protection(connection=row, by=None, strategy="redact", column="EMAIL")
    item = services.update_protection(
        protection=item, by=None, revision=1, strategy="partial", options={"keep": "domain"}
    )
    item = services.set_protection_enabled(protection=item, enabled=False, by=None, revision=2)
    assert (item.revision, item.enabled, item.strategy) == (3, False, "partial")
    services.delete_protection(protection=item, by=None, revision=3)
    row.refresh_from_db()
    assert row.policy_revision == 5


def test_many_protections_are_one_revision(row: Connection) -> None:
    items = [{"column": name, "strategy": "redact"} for name in ("EMAIL", "SSN", "PHONE")]
    services.create_protections(connection=row, by=None, items=items)
    row.refresh_from_db()
    assert row.policy_revision == 2
    assert PolicyRevision.objects.filter(connection=row)[0].summary.endswith("(and 2 more)")


def test_the_second_editor_is_told_and_loses_nothing(row: Connection) -> None:
    rule = row.rules.get(slug=slugs(row)[0])
    services.update_rule(rule=rule, by=None, revision=1, note="first")
    for attempt in (
        lambda: services.update_rule(rule=rule, by=None, revision=1, note="second"),
        lambda: services.set_rule_enabled(rule=rule, by=None, revision=1, enabled=False),
        lambda: services.delete_rule(rule=rule, by=None, revision=1),
    ):
        with pytest.raises(Conflict, match="while you were editing"):
            attempt()
    with pytest.raises(Conflict, match="not the order in force"):
        services.move_rule(rule=rule, place=2, by=None, policy_revision=1)
    rule.refresh_from_db()
    assert rule.note == "first"
    services.delete_rule(rule=rule, by=None)
    with pytest.raises(Conflict, match="deleted"):
        services.update_rule(rule=rule, by=None, note="late")


def test_restore_brings_back_exactly_what_was(row: Connection) -> None:
    first = slugs(row)[0]
    services.create_protection(connection=row, by=None, strategy="redact", column="EMAIL")
    kept = PolicyRevision.objects.get(connection=row, number=2).content
    services.delete_rule(rule=row.rules.get(slug=first), by=None)
    services.create_rule(connection=row, by=None, slug="extra", effect="allow")
    services.delete_protection(protection=row.protections.get(), by=None)
    services.restore_policy(connection=row, number=2, by=None)
    row.refresh_from_db()
    assert row.policy_revision == 6
    now = PolicyRevision.objects.get(connection=row, number=6)
    assert services.differences(kept, now.content) == []
    assert now.summary.startswith("Restored revision 2")


def test_restore_refuses_what_it_cannot_know(row: Connection) -> None:
    with pytest.raises(NotFound):
        services.restore_policy(connection=row, number=77, by=None)
    with pytest.raises(Conflict):
        services.restore_policy(connection=row, number=1, by=None, policy_revision=9)


def test_differences_name_what_came_went_changed_and_moved(row: Connection) -> None:
    old = PolicyRevision.objects.get(connection=row, number=1).content
    names = slugs(row)
    services.update_rule(rule=row.rules.get(slug=names[0]), by=None, note="changed")
    services.move_rule(rule=row.rules.get(slug=names[2]), place=1, by=None)
    services.create_rule(connection=row, by=None, slug="extra", effect="allow")
    services.delete_rule(rule=row.rules.get(slug=names[1]), by=None)
    row.refresh_from_db()
    new = PolicyRevision.objects.get(connection=row, number=row.policy_revision).content
    found = {(d.sign, d.what, d.name) for d in services.differences(old, new)}
    assert found == {
        ("-", "rule", names[1]),
        ("~", "rule", names[0]),
        ("+", "rule", "extra"),
        ("~", "order", "rules"),
    }


def test_only_admins_of_the_connection_change_its_policy(row: Connection) -> None:
    other = services.register_connection(by=None, name="other", account="acme-other")
    local = factories.person("local", Role.ADMIN, on=row)
    elsewhere = factories.person("elsewhere", Role.ADMIN, on=other)
    reviewer = factories.person("reviewer", Role.REVIEWER)
    services.create_rule(connection=row, by=local, slug="mine", effect="deny")
    for person in (elsewhere, reviewer, factories.person("stranger")):
        with pytest.raises(NotAllowed):
            services.create_rule(connection=row, by=person, slug="theirs", effect="allow")
        with pytest.raises(NotAllowed):
            services.restore_policy(connection=row, number=1, by=person)
    assert row.rules.filter(slug="theirs").count() == 0


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_moment_queue_up() -> None:
    row = services.register_connection(by=None, name="busy", account="acme")
    start = threading.Barrier(4)
    failures: list[Exception] = []

    def add(number: int) -> None:
        try:
            start.wait(timeout=10)
            services.create_rule(connection=row, by=None, slug=f"r{number}", effect="deny", place=1)
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            databases.close_all()

    threads = [threading.Thread(target=add, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    fresh = Connection.objects.get(pk=row.pk)
    assert fresh.policy_revision == 5
    assert list(PolicyRevision.objects.filter(connection=row).values_list("number", flat=True)) == [
        5,
        4,
        3,
        2,
        1,
    ]
    positions = list(fresh.rules.values_list("position", flat=True))
    assert positions == list(range(1, len(positions) + 1))
