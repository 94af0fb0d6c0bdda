"""Choices about detectors: who may make them, what is kept of each, what is in force."""

import pytest

from accounts.principal import Role
from connections import services
from connections.masking.apply import scan_text
from connections.masking.detectors import BY_NAME, DETECTORS
from connections.models import Connection, Detector, PolicyRevision
from connections.policy import document
from connections.services.detectors import MAX_OWN
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Connection:
    return services.register_connection(by=None, name="shop", account="acme-shop")


@pytest.fixture
def badge(row: Connection) -> Detector:
    return services.create_detector(
        connection=row, by=None, name="badge", pattern="B-[0-9]{4}", label="Badge"
    )


def now(row: Connection) -> Connection:
    return Connection.objects.get(pk=row.pk)


def choose(row: Connection, name: str, action: str, **kw) -> None:
    services.set_detector_action(connection=row, name=name, action=action, by=None, **kw)


def test_a_new_connection_has_the_default_set_and_no_rows(row: Connection) -> None:
    assert services.detectors_for(row) == DETECTORS
    assert not row.detectors.exists()


def test_a_choice_is_a_revision_with_who_what_before_and_after(row: Connection) -> None:
    ada = factories.person("ada", Role.ADMIN)
    services.set_detector_action(connection=row, name="phone", action="off", by=ada)
    assert "phone" not in {d.name for d in services.detectors_for(now(row))}
    revision = PolicyRevision.objects.filter(connection=row).first()
    assert revision is not None
    assert (revision.number, revision.by["name"]) == (2, "Ada")
    assert revision.summary == "Detector phone is off"
    entry = AuditEntry.objects.get(action="detector-changed")
    assert (entry.before, entry.after) == ({"action": "mask"}, {"action": "off"})
    assert (entry.object_kind, entry.object_name) == ("detector", "shop: phone")
    services.set_detector_action(connection=row, name="phone", action="mask", by=ada)
    assert services.detectors_for(now(row)) == DETECTORS
    assert not row.detectors.exists()


def test_the_same_choice_again_is_no_revision(row: Connection, badge: Detector) -> None:
    choose(row, "email", "mask")
    choose(row, "badge", "mask")
    services.update_detector(detector=badge, by=None, label="Badge")
    assert now(row).policy_revision == 2


def test_own_patterns_come_change_and_go(row: Connection, badge: Detector) -> None:
    assert scan_text("B-1234", services.detectors_for(now(row)))[0] == "[badge]"
    changed = services.update_detector(
        detector=badge, by=None, revision=1, pattern="C-[0-9]", action="alert"
    )
    assert (changed.revision, changed.label) == (2, "Badge")
    assert scan_text("B-1 C-1", services.detectors_for(now(row)))[0] == "B-1 C-1"
    choose(row, "badge", "off")
    assert services.detectors_for(now(row)) == DETECTORS
    services.delete_detector(detector=badge, by=None, revision=3)
    assert now(row).policy_revision == 5
    assert list(
        AuditEntry.objects.filter(object_kind="detector")
        .order_by("number")
        .values_list("action", flat=True)
    ) == ["detector-created", "detector-changed", "detector-changed", "detector-deleted"]
    last = AuditEntry.objects.get(action="detector-deleted")
    assert last.before is not None
    assert (last.before["pattern"], last.after) == ("C-[0-9]", None)


@pytest.mark.parametrize("role", [None, Role.REVIEWER, Role.AUDITOR, Role.DEVELOPER])
def test_only_admins_choose(row: Connection, badge: Detector, role: Role | None) -> None:
    someone = factories.person("sam", *([role] if role else []))
    for attempt in (
        lambda: services.set_detector_action(
            connection=row, name="email", action="off", by=someone
        ),
        lambda: services.create_detector(connection=row, name="x", pattern="y", by=someone),
        lambda: services.update_detector(detector=badge, action="off", by=someone),
        lambda: services.delete_detector(detector=badge, by=someone),
    ):
        with pytest.raises(NotAllowed, match="Only an admin of shop"):
            attempt()
    assert now(row).policy_revision == 2


def test_an_admin_of_another_connection_does_not_choose_here(row: Connection) -> None:
    other = services.register_connection(by=None, name="vault", account="acme")
    vera = factories.person("vera", Role.ADMIN, on=other)
    with pytest.raises(NotAllowed):
        services.set_detector_action(connection=row, name="email", action="off", by=vera)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"name": "Badge No"}, "name", "lower case"),
        ({"name": ""}, "name", "lower case"),
        ({"name": "a" * 42}, "name", "at most 41"),
        ({"pattern": ""}, "pattern", "Write a pattern"),
        ({"pattern": "("}, "pattern", "The pattern cannot be read: missing ): (."),
        ({"pattern": "a*"}, "pattern", "The pattern matches the empty text."),
        ({"pattern": "a" * 501}, "pattern", "at most 500"),
        ({"pattern": "a\0"}, "pattern", "NUL"),
        ({"action": "shout"}, "action", "one of: mask, alert, off"),
        ({"label": "x" * 81}, "label", "80"),
        ({"label": "a\nb"}, "label", "one line"),
    ],
)
def test_a_detector_that_cannot_work_is_refused_by_field(
    row: Connection, change: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.create_detector(
            connection=row, by=None, **({"name": "badge", "pattern": "B"} | change)
        )
    assert said in caught.value.fields["errors"][field]
    assert now(row).policy_revision == 1


def test_names_are_taken_once(row: Connection, badge: Detector) -> None:
    for name in ("badge", "email"):
        with pytest.raises(Conflict, match="already"):
            services.create_detector(connection=row, by=None, name=name, pattern="x")
    with pytest.raises(InvalidRequest, match="one of"):
        choose(row, "email", "shout")
    with pytest.raises(Conflict, match="deleted"):
        choose(row, "nobody", "off")


def test_a_built_in_detector_is_neither_changed_nor_deleted(row: Connection) -> None:
    choose(row, "email", "alert")
    choice = row.detectors.get()
    with pytest.raises(Conflict, match="deleted"):
        services.update_detector(detector=choice, by=None, pattern="x")
    with pytest.raises(Conflict, match="deleted"):
        services.delete_detector(detector=choice, by=None)


def test_patterns_have_a_bound(row: Connection) -> None:
    for number in range(MAX_OWN):
        services.create_detector(connection=row, by=None, name=f"n{number}", pattern="x")
    with pytest.raises(InvalidRequest, match=f"at most {MAX_OWN}"):
        services.create_detector(connection=row, by=None, name="last", pattern="x")
    choose(row, "email", "off")


def test_the_second_editor_is_told(row: Connection, badge: Detector) -> None:
    services.update_detector(detector=badge, by=None, revision=1, label="Staff badge")
    with pytest.raises(Conflict, match="while you were editing"):
        services.update_detector(detector=badge, by=None, revision=1, label="Door badge")
    with pytest.raises(Conflict, match="while you were editing"):
        services.delete_detector(detector=badge, by=None, revision=1)


def test_what_is_in_force_costs_no_query_once_the_rules_are_read(
    row: Connection, badge: Detector, django_assert_num_queries
) -> None:
    fresh = now(row)
    services.ruleset_for(fresh)
    with django_assert_num_queries(0):
        assert services.detectors_for(fresh)[-1].name == "badge"
        assert services.detectors_for(fresh, judged=fresh.policy_revision)[-1].name == "badge"


def test_a_row_read_before_a_change_finds_what_is_in_force_now(row: Connection) -> None:
    stale = now(row)
    stale.policy_revision = 0
    choose(row, "email", "off")
    assert "email" not in {d.name for d in services.detectors_for(stale)}


def test_what_was_found_when_a_statement_was_judged_is_found_still(
    row: Connection, badge: Detector
) -> None:
    judged = now(row).policy_revision
    choose(row, "email", "off")
    services.delete_detector(detector=badge, by=None)
    services.create_detector(connection=row, by=None, name="gate", pattern="G-[0-9]")
    latest = now(row)
    text = "jane@example.com B-1234 G-1"
    assert scan_text(text, services.detectors_for(latest))[0] == "jane@example.com B-1234 [gate]"
    both = services.detectors_for(latest, judged=judged)
    assert scan_text(text, both)[0] == "[email] [badge] [gate]"
    # Of a revision that nobody kept nothing is known: the default set.
    assert {d.name for d in services.detectors_for(latest, judged=99)} == {*BY_NAME, "gate"}


def test_what_the_database_holds_and_nobody_can_read_masks(
    row: Connection, badge: Detector
) -> None:
    Detector.objects.filter(pk=badge.pk).update(pattern="B-(", action="alert")
    Connection.objects.filter(pk=row.pk).update(policy_revision=50)
    assert scan_text("anything", services.detectors_for(now(row)))[0] == "[badge]"


def test_restore_brings_back_detectors_and_older_revisions_know_none(
    row: Connection, badge: Detector
) -> None:
    choose(row, "ssn", "alert")
    kept = PolicyRevision.objects.get(connection=row, number=3).content
    assert [d["name"] for d in kept["detectors"]] == ["badge", "ssn"]
    services.delete_detector(detector=badge, by=None)
    choose(row, "ssn", "mask")
    services.restore_policy(connection=row, number=3, by=None)
    assert {d.name: d.action for d in row.detectors.all()} == {"badge": "mask", "ssn": "alert"}
    newest = PolicyRevision.objects.filter(connection=row).first()
    assert newest is not None
    assert services.differences(kept, newest.content) == []
    first = PolicyRevision.objects.get(connection=row, number=1)
    del first.content["detectors"]
    first.save()
    services.restore_policy(connection=row, number=1, by=None)
    assert services.detectors_for(now(row)) == DETECTORS


def test_differences_tell_of_detectors(row: Connection, badge: Detector) -> None:
    services.update_detector(detector=badge, by=None, action="alert")
    choose(row, "email", "off")
    old, new = (PolicyRevision.objects.get(connection=row, number=n).content for n in (2, 4))
    found = services.differences(old, new)
    assert [(d.sign, d.what, d.name) for d in found] == [
        ("~", "detector", "badge"),
        ("~", "detector", "email"),
    ]
    assert found[1].details == (("action", "mask", "off"),)
    assert found[0].details == (("action", "mask", "alert"),)


def test_a_document_carries_them_there_and_back(row: Connection, badge: Detector) -> None:
    choose(row, "ssn", "alert")
    choose(row, "phone", "off")
    text = services.export_policy(row)
    assert services.import_policy(connection=row, text=text, by=None) == []
    copy = services.register_connection(by=None, name="copy", account="acme")
    lines = services.import_policy(connection=copy, text=text, by=None)
    assert lines == ["+ detector badge", "~ detector phone", "~ detector ssn"]
    assert services.export_policy(copy) == text
    assert services.detectors_for(now(copy)) == services.detectors_for(now(row))


def test_a_document_that_does_not_speak_of_detectors_leaves_them(
    row: Connection, badge: Detector
) -> None:
    kept = document.load(services.export_policy(row))
    silent = document.dump(document.Document(kept.rules, kept.protections))
    assert services.import_policy(connection=row, text=silent, by=None) == []
    assert services.import_policy(connection=row, text=silent + "detectors: []\n", by=None) == [
        "- detector badge"
    ]


@pytest.mark.parametrize(
    ("detectors", "said"),
    [
        ("[{name: badge, pattern: '('}]", "The detector 'badge': The pattern cannot be read"),
        ("[{name: nobody, action: off}]", "Write a pattern"),
        ("[{name: email, pattern: x}]", "built in"),
        ("[{name: a, pattern: x}, {name: a, pattern: y}]", "names a twice"),
        ("[{name: email, action: loud}]", "detectors\\[0\\].action must be"),
        ("[{action: off}]", "detectors\\[0\\].name must be a text"),
        ("[{name: a, pattern: 3}]", "detectors\\[0\\].pattern must be a text"),
        ("[{name: a, colour: red}]", "unknown keys: colour"),
        ("{}", "detectors must be a list"),
    ],
)
def test_a_document_with_a_faulty_detector_changes_nothing(
    row: Connection, badge: Detector, detectors: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        services.import_policy(
            connection=row, text=f"version: 1\ndetectors: {detectors}\n", by=None
        )
    assert now(row).policy_revision == 2
    assert row.rules.exists()


def test_a_bare_off_in_yaml_is_the_action(row: Connection) -> None:
    """YAML reads it as false."""
    kept = document.load(services.export_policy(row))
    text = document.dump(document.Document(kept.rules, kept.protections))
    services.import_policy(
        connection=row, text=text + "detectors: [{name: email, action: off}]\n", by=None
    )
    assert row.detectors.get().action == "off"
