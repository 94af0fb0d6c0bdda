"""Reading the environment: what is given is understood or refused, never guessed."""

import pytest

from hoopweb.lib import env


def test_a_value_may_lie_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("NAME", "from the variable")
    assert env.text("NAME") == "from the variable"
    monkeypatch.setenv("NAME_FILE", str(tmp_path / "secret"))
    assert env.text("NAME") == "from the file"


def test_a_file_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv("NAME_FILE", "/nowhere/at/all")
    with pytest.raises(env.EnvError, match="NAME_FILE cannot be read"):
        env.text("NAME")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("no", False)],
)
def test_flags(monkeypatch, given, meant):
    monkeypatch.setenv("NAME", given)
    assert env.flag("NAME", default=not meant) is meant


def test_a_flag_that_is_neither_is_an_error(monkeypatch):
    assert env.flag("NAME", default=True) is True
    monkeypatch.setenv("NAME", "maybe")
    with pytest.raises(env.EnvError, match="NAME must be 1 or 0"):
        env.flag("NAME")


def test_numbers(monkeypatch):
    assert env.number("NAME", 7) == 7
    monkeypatch.setenv("NAME", "12")
    assert env.number("NAME", 7) == 12
    monkeypatch.setenv("NAME", "a dozen")
    with pytest.raises(env.EnvError, match="NAME must be a whole number"):
        env.number("NAME", 7)


def test_words(monkeypatch):
    monkeypatch.setenv("NAME", " a, ,b ")
    assert env.words("NAME") == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://someone:p%40ss@db.example.com:5433/hoopweb?sslmode=require",
            ("hoopweb", "someone", "p@ss", "db.example.com", "5433", {"sslmode": "require"}),
        ),
        ("postgres://someone@/name?host=/run/pg", ("name", "someone", "", "/run/pg", "", {})),
    ],
)
def test_a_database_by_its_address(url, expected):
    found = env.database(url)
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    assert tuple(found[name] for name in names) == expected


def test_only_postgres_is_a_store_of_record():
    with pytest.raises(env.EnvError, match="postgresql://"):
        env.database("sqlite:///somewhere")
