"""Rows are written by verbs: services, what they are made of, and tasks. Never by a view."""

import ast

import pytest

from tests.architecture.sources import ROOT, modules

# Where writing is the module's business; a name without .py is a whole folder.
WRITERS = (
    "accounts/services",
    "accounts/attempts.py",  # the counter of failed sign-ins
    "accounts/authentication.py",  # when a token was last used
    "accounts/scim/entrance.py",  # the same, a directory's
    "accounts/models/people.py",  # ends browser sessions, which are not our rows
    "approvals/services",
    "approvals/tasks.py",
    "connections/services",
    "connections/tasks.py",
    "gateway/claiming.py",
    "gateway/cutting.py",
    "gateway/execution.py",
    "gateway/moves.py",
    "gateway/pipeline.py",
    "gateway/reconciling.py",
    "gateway/services",
    "gateway/tasks.py",
    "gateway/wire_batches.py",
    "gateway/wire_results.py",
    "gateway/wire_sessions.py",
    "recordings/checkpoints.py",
    "recordings/payloads.py",
    "recordings/services",
    "recordings/sinks/delivering.py",  # how far each has come
    "recordings/tasks.py",
    # Not rows of ours: the local warehouse and the servers of a laptop.
    "connections/upstream",
    "hoopweb/local",
)
_ON_A_ROW = {"save", "delete"}
_ON_ROWS = {
    "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete",
    "aupdate", "acreate", "asave", "adelete",
}  # fmt: skip
_LEADS_TO_ROWS = {"objects", "filter", "exclude", "all", "select_for_update", "visible_to"}


def _names(node):
    """The attribute names of a chain such as ``Statement.objects.filter(...).update``."""
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            yield node.attr
            node = node.value
        else:
            return


def writes(source):
    """Lines that write a row: a query that ends in a write, or ``.save(...)`` of anything."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        last, *before = _names(node.func)
        queried = bool(_LEADS_TO_ROWS & set(before))
        if (last in _ON_ROWS and queried) or (last in _ON_A_ROW and last == "save"):
            yield node.lineno, last


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Row.objects.create(a=1)", ["create"]),
        ("Row.objects.filter(a=1).exclude(b=2).update(c=3)", ["update"]),
        ("row.save(update_fields=['a'])", ["save"]),
        ("row.children.all().delete()", ["delete"]),
        ("seen.update(x)", []),
        ("hash.update(b'x')", []),
        ("services.create(a=1)", []),
    ],
)
def test_the_test_sees_writes(source, found):
    assert [name for _, name in writes(source)] == found


def test_only_verbs_write():
    strays = [
        f"{path}:{line} .{name}("
        for path in modules()
        if not any(str(path).startswith(writer) for writer in WRITERS)
        and "management/commands" not in str(path)
        for line, name in writes((ROOT / path).read_text())
    ]
    assert not strays, "Move these into services: " + ", ".join(strays)


def test_the_list_holds_only_what_exists():
    names = [str(path) for path in modules()]
    assert not [w for w in WRITERS if not any(name.startswith(w) for name in names)]
