"""Tokens that are not the provider's word, for us, now, about this sign-in: each is refused."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from accounts.oidc import id_token, people
from accounts.oidc.refusal import SignInRefused

ISSUER = "https://id.example.com"
CLIENT = "hoopweb"
NONCE = "n" * 32
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(key, kid, algorithm):
    kind = jwt.algorithms.ECAlgorithm if algorithm[0] == "E" else jwt.algorithms.RSAAlgorithm
    public = kind.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig"}


KEYS = [jwk(RSA_KEY, "r1", "RS256"), jwk(EC_KEY, "e1", "ES256")]


class Keys:
    """A provider's keys, counted; ``later`` are those that it has by the second question."""

    def __init__(self, now, later=None):
        self.now, self.later, self.asked = now, later, 0

    def __call__(self, fresh):
        self.asked += fresh
        return self.later if fresh and self.later is not None else self.now


def claims(**changed):
    now = int(time.time())
    told = {
        "iss": ISSUER,
        "sub": "nora",
        "aud": CLIENT,
        "iat": now,
        "exp": now + 300,
        "nonce": NONCE,
        **changed,
    }
    return {name: value for name, value in told.items() if value is not None}


def sign(body=None, *, key=RSA_KEY, algorithm="RS256", kid="r1"):
    return jwt.encode(body or claims(), key, algorithm, headers={"kid": kid} if kid else {})


def verify(token, keys=None, nonce=NONCE):
    return id_token.verify(
        token, keys=keys or Keys(KEYS), issuer=ISSUER, client_id=CLIENT, nonce=nonce
    )


def refused(token, keys=None, nonce=NONCE):
    with pytest.raises(SignInRefused) as caught:
        verify(token, keys, nonce)
    return caught.value.why


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [("RS256", RSA_KEY, "r1"), ("PS256", RSA_KEY, "r1"), ("ES256", EC_KEY, "e1")],
)
def test_a_token_that_holds(algorithm, key, kid):
    token = sign(key=key, algorithm=algorithm, kid=kid)
    assert verify(token)["sub"] == "nora"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "another"}, "wrong_audience"),
        ({"aud": ["another"]}, "wrong_audience"),
        ({"aud": [CLIENT, "another"]}, "wrong_audience"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "wrong_audience"),
        ({"azp": "another"}, "wrong_audience"),
        ({"aud": None}, "incomplete_token"),
        ({"iss": "https://id.example.com/"}, "wrong_issuer"),
        ({"iss": "https://evil.example.com"}, "wrong_issuer"),
        ({"iss": None}, "incomplete_token"),
        ({"exp": timedelta(minutes=-1)}, "expired_token"),
        ({"exp": None}, "incomplete_token"),
        ({"nbf": timedelta(minutes=5)}, "token_not_yet_valid"),
        ({"iat": timedelta(minutes=5)}, "token_not_yet_valid"),
        ({"sub": None}, "incomplete_token"),
        ({"nonce": "another"}, "wrong_nonce"),
        ({"nonce": None}, "wrong_nonce"),
    ],
)
def test_claims_that_do_not_hold(changed, why):
    # Counted from now, not from when the tests were collected.
    told = {
        name: int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in changed.items()
    }
    assert refused(sign(claims(**told))) == why


def test_a_little_difference_between_clocks_is_forgiven():
    now = int(time.time())
    assert verify(sign(claims(exp=now - 10, iat=now + 10, nbf=now + 10)))


def test_several_audiences_need_this_one_as_authorized():
    assert verify(sign(claims(aud=[CLIENT, "api"], azp=CLIENT)))


def test_a_sign_in_without_a_nonce_takes_no_token():
    assert refused(sign(claims(nonce="")), nonce="") == "wrong_nonce"


def test_none_is_no_algorithm():
    unsigned = jwt.encode(claims(), None, "none", headers={"kid": "r1"})
    assert refused(unsigned) == "wrong_algorithm"


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS512"])
def test_only_listed_algorithms(algorithm):
    assert refused(sign(algorithm=algorithm)) == "wrong_algorithm"


def test_the_public_key_as_a_shared_secret_is_refused():
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    # By hand: PyJWT would not sign with a public key.
    secret = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "kid": "r1", "typ": "JWT"}
    body = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims()).encode())
    forged = body + b"." + part(hmac.new(secret, body, hashlib.sha256).digest())
    assert refused(forged.decode()) == "wrong_algorithm"


def test_a_key_of_the_token_itself_is_not_used():
    theirs = jwk(OTHER_RSA_KEY, "r1", "RS256")
    token = jwt.encode(claims(), OTHER_RSA_KEY, "RS256", headers={"kid": "r1", "jwk": theirs})
    assert refused(token) == "wrong_signature"


def test_a_changed_token_is_refused():
    head, _, signature = sign().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub="ada")).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{body}.{signature}") == "wrong_signature"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", sign()[:-400]])
def test_what_is_no_token(token):
    assert refused(token) in {"unreadable_token", "wrong_signature"}


def test_an_unknown_key_is_asked_for_once():
    keys = Keys(KEYS)
    assert refused(sign(key=OTHER_RSA_KEY, kid="r2"), keys) == "unknown_key"
    assert keys.asked == 1


def test_a_new_key_is_found_by_asking_again():
    keys = Keys(KEYS, later=[*KEYS, jwk(OTHER_RSA_KEY, "r2", "RS256")])
    assert verify(sign(key=OTHER_RSA_KEY, kid="r2"), keys)
    assert keys.asked == 1


def test_known_keys_are_not_asked_for_again():
    keys = Keys(KEYS)
    verify(sign(), keys)
    assert keys.asked == 0


def test_a_key_of_another_use_or_algorithm_is_not_taken():
    assert refused(sign(), Keys([{**KEYS[0], "use": "enc"}])) == "unknown_key"
    assert refused(sign(), Keys([{**KEYS[0], "alg": "PS256"}])) == "unknown_key"
    assert refused(sign(algorithm="ES256", key=EC_KEY, kid="r1")) == "unknown_key"


def test_without_a_key_id_there_must_be_no_choice():
    assert verify(sign(kid=None))
    two = [KEYS[0], jwk(OTHER_RSA_KEY, "r2", "RS256")]
    assert refused(sign(kid=None), Keys(two)) == "unknown_key"


@pytest.mark.parametrize(
    ("name", "told", "found"),
    [
        ("groups", {"groups": ["a", "b"]}, ["a", "b"]),
        ("groups", {"groups": "a"}, ["a"]),
        ("groups", {"groups": ["a", 1, None, {"b": 1}]}, ["a", "1"]),
        ("groups", {}, None),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, ["a"]),
        ("realm_access.roles", {"realm_access": "a"}, None),
        ("https://company.example/groups", {"https://company.example/groups": ["a"]}, ["a"]),
    ],
)
def test_where_groups_are_found(settings, name, told, found):
    settings.OIDC_GROUPS_CLAIM = name
    assert people.groups_of(told) == found
