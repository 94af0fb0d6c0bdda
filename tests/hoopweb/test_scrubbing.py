"""Whatever carries a secret to the log, the line does not."""

import io
import json
import logging
import logging.config

import pytest
import structlog

from accounts import tokens
from connections.services.credentials import new_key_pair
from hoopweb.lib import crypto
from hoopweb.lib.scrubbing import GONE, Scrubber
from hoopweb.logging import logging_config

OWN = "the-installations-own-key-3391"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PLAIN = "canary-7731-plain"


@pytest.fixture
def lines():
    before = logging.root.handlers[:], logging.root.level
    out = io.StringIO()
    config = logging_config(level="DEBUG", pretty=False, secrets=[OWN])
    config["handlers"]["out"]["stream"] = out
    logging.config.dictConfig(config)
    yield out.getvalue
    logging.root.handlers[:], logging.root.level = before


@pytest.fixture(scope="module")
def pem():
    return new_key_pair().private


def _fail(secret):
    raise ValueError(f"bad value {secret}")


def _secrets_by_shape(pem):
    return {
        "agent token": tokens.make().text,
        "jwt": JWT,
        "pem": pem,
        "pem cut off": pem[:200],
        "pem in a repr": repr(pem),
        "sealed": crypto.seal(b"x" * 40, context="c").decode(),
        "vault": "hvs." + "CAESIJmQ" * 4,
        "aws": "AKIA" + "ABCDEFGH12345678",
        "own key": OWN,
    }


def test_secrets_by_shape_wherever_they_stand(lines, pem):
    log = structlog.get_logger("any")
    for name, secret in _secrets_by_shape(pem).items():
        text = f"said {secret} aloud"
        log.info(text)
        log.info("nested", rows=[{"a": ({"b": secret},)}], what=secret.encode())
        logging.getLogger("library").warning("sent %s to %s", secret, {"x": secret})
        try:
            _fail(secret)
        except ValueError:
            log.exception("failed")
            logging.getLogger("library").exception("failed")
        body = secret.splitlines()[1] if name == "pem" else secret
        assert body[:60] not in lines(), name
    assert GONE in lines()


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {PLAIN}",
        f"authorization: basic {PLAIN}",
        f"headers={{'Authorization': 'Snowflake Token=\"{PLAIN}\"'}}",
        f"postgresql://hoopweb:{PLAIN}@db.example.com:5432/hoopweb",
        f"POST /token client_secret={PLAIN}&grant_type=x",
        f'{{"masterToken": "{PLAIN}"}}',
        f"{{'password': '{PLAIN}'}}",
        f"X-Vault-Token: {PLAIN}",
        f"SAMLResponse={PLAIN}",
        f"/callback?access_token={PLAIN}&state=1",
        f"private_key: {PLAIN}",
    ],
)
def test_secrets_by_the_words_around_them(text):
    found = Scrubber().text(text)
    assert PLAIN not in found
    assert GONE in found


@pytest.mark.parametrize(
    "key",
    ["password", "secret", "client_secret", "token", "Authorization", "set_cookie", "private_key",
     "pepper", "access_token", "DATABASE_URL", "passphrase", "credentials"],
)  # fmt: skip
def test_secrets_by_their_name(key):
    assert Scrubber()(None, "", {key: PLAIN, "rows": [{key: PLAIN}]}) == {
        key: GONE,
        "rows": [{key: GONE}],
    }


def test_what_is_no_secret_stays():
    event = {
        "event": "decided",
        "statement_id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "key_id": "k1",
        "token_id": "abc",
        "tokens": 7,
        "digest": "ab" * 32,
        "connection": "sales-prod",
        "url": "https://acme.snowflakecomputing.com/session/v1/login-request?requestId=1",
        "exception": "ValueError: the token has expired",
        "fingerprint": "SHA256:abc=",
    }
    assert Scrubber([OWN])(None, "", event) == event


def test_lines_stay_json(lines, pem):
    structlog.get_logger("any").info("x", blob=pem, odd=object(), deep={"a": {"b": [1, None]}})
    [line] = [json.loads(text) for text in lines().splitlines()]
    assert line["deep"] == {"a": {"b": [1, None]}}
