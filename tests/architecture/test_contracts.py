"""Who may import whom: the contracts of pyproject.toml."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_imports_point_one_way(capsys, monkeypatch):
    # It would silence every logger of this process, for all tests that come after.
    monkeypatch.setattr("importlinter.cli._configure_logging", lambda *_: None)
    assert lint_imports(cache_dir=None) == EXIT_STATUS_SUCCESS, capsys.readouterr().out
