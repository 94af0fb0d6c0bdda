"""``manage.py policy export|import``: the same text comes back, and faults are named."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from connections import services
from connections.models import Connection

pytestmark = pytest.mark.django_db

TWICE = """
version: 1
protections:
- {id: a, strategy: redact, column: X}
- {id: b, strategy: hash, column: X}
"""


def exported(name: str) -> str:
    out = io.StringIO()
    call_command("policy", "export", name, stdout=out)
    return out.getvalue()


def brought_in(name: str, path: Path) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("policy", "import", name, str(path), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def shop() -> Connection:
    row = services.register_connection(by=None, name="shop", account="acme")
    services.create_rule(
        connection=row,
        by=None,
        slug="nights",
        effect="review",
        match={"classes": ["update"], "hours": ["22:00-06:00"], "min_rows": 10},
        votes=2,
        place=1,
        note="Zwölf Uhr nachts",
        enabled=False,
    )
    services.create_protection(
        connection=row,
        by=None,
        column="EMAIL",
        strategy="partial",
        options={"keep": "domain"},
        note="kept",
    )
    services.create_protection(connection=row, by=None, tag="PII", strategy="hash", enabled=False)
    row.refresh_from_db()
    return row


def test_import_of_an_export_changes_nothing(shop: Connection, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(exported("shop"))
    out, err = brought_in("shop", file)
    assert (out, err) == ("", "The policy of shop is unchanged.\n")
    shop.refresh_from_db()
    assert shop.policy_revision == 4


def test_an_export_makes_another_connection_equal(shop: Connection, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(exported("shop"))
    services.register_connection(by=None, name="copy", account="acme", with_default_policy=False)
    out, err = brought_in("copy", file)
    assert "+ rule nights" in out
    assert "+ protection tag PII" in out
    assert err == "The policy of copy is now at revision 1.\n"
    assert exported("copy") == exported("shop")


def test_an_import_replaces_all_and_keeps_notes(shop: Connection, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "version: 1\n"
        "rules:\n"
        "- {id: reads, effect: allow, position: 10, match: {classes: [select]}}\n"
        "- {id: no-hr, effect: deny, position: 10, match: {objects: ['*.HR.*']}}\n"
        "protections:\n"
        "- {id: mail, strategy: redact, column: EMAIL}\n"
    )
    brought_in("shop", file)
    assert list(shop.rules.values_list("slug", flat=True)) == ["no-hr", "reads"]
    assert [(p.column, p.strategy, p.note) for p in shop.protections.all()] == [
        ("EMAIL", "redact", "kept")
    ]
    services.restore_policy(connection=shop, number=4, by=None)
    assert shop.rules.filter(slug="nights").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2", "version must be 1"),
        ("{", "not YAML"),
        ("version: 1\nrules: [{id: a, effect: perhaps}]", "rules\\[0\\].effect"),
        (
            "version: 1\nrules: [{id: a, effect: deny, match: {colour: red}}]",
            "unknown keys: colour",
        ),
        ("version: 1\nrules: [{id: a, effect: deny, match: {objects: ['']}}]", "empty pattern"),
        (
            "version: 1\nrules: [{id: a, effect: review, terms: {reviewers: [ghosts]}}]",
            "no team called ghosts",
        ),
        ("version: 1\nprotections: [{id: a, strategy: blur, column: X}]", "no strategy 'blur'"),
        (
            TWICE,
            "protected twice",
        ),
    ],
)
def test_a_faulty_document_is_refused_and_nothing_changes(
    shop: Connection, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    before = exported("shop")
    with pytest.raises(CommandError, match=said):
        brought_in("shop", file)
    assert exported("shop") == before


def test_wrong_names_say_what_there_is(shop: Connection, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There are: shop"):
        call_command("policy", "export", "shoop")
    with pytest.raises(CommandError, match="cannot be read"):
        brought_in("shop", tmp_path / "missing.yaml")
