import pytest

from accounts import tokens


def test_a_token_is_proved_by_its_digest_and_found_by_its_key_id():
    new = tokens.make()
    assert tokens.key_id_of(new.text) == new.key_id
    assert tokens.proves(new.text, digest=new.digest, pepper=new.pepper)
    assert new.text not in repr(new)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "a", lambda t: "x" + t[1:]])
def test_a_mistyped_token_is_refused_before_any_look_up(change):
    assert tokens.key_id_of(change(tokens.make().text)) is None


def test_a_token_whose_pepper_is_gone_proves_nothing():
    new = tokens.make()
    assert not tokens.proves(new.text, digest=new.digest, pepper="0")
