"""Keys of a laptop: made once, for their owner only, never half written."""

import stat

import pytest

from hoopweb.lib.crypto import KeyRing
from hoopweb.local import keys
from hoopweb.local.errors import LocalServerError


def test_fresh_keys_can_be_read_by_what_needs_them():
    made = keys.fresh()
    assert KeyRing.parse(made["HOOPWEB_KEYS"]).primary == "k1"
    assert KeyRing.parse(made["HOOPWEB_TOKEN_PEPPERS"]).primary == "p1"
    assert KeyRing.parse(f"c:{made['HOOPWEB_CHECKPOINT_KEY']}")
    assert len(made["SECRET_KEY"]) >= 50
    assert not set(made.values()) & set(keys.fresh().values())


def test_what_was_made_once_stays_and_what_is_missing_is_added(tmp_path):
    path = tmp_path / "var" / "keys.env"
    first = keys.kept(path, lambda: {"A": "1"})
    second = keys.kept(path, lambda: {"A": "2", "B": "3"})
    assert first == {"A": "1"}
    assert second == {"A": "1", "B": "3"} == keys.read(path)


def test_only_the_owner_may_read_them(tmp_path):
    path = tmp_path / "keys.env"
    keys.kept(path, lambda: {"A": "1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    keys.kept(path, lambda: {"A": "1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_write_that_was_cut_short_is_no_hindrance(tmp_path):
    (tmp_path / "keys.env.new").write_text("A=")
    keys.write(tmp_path / "keys.env", {"A": "x=y"})
    assert keys.read(tmp_path / "keys.env") == {"A": "x=y"}


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path):
    (tmp_path / "keys.env").mkdir()
    with pytest.raises(LocalServerError, match="make demo-reset"):
        keys.read(tmp_path / "keys.env")
