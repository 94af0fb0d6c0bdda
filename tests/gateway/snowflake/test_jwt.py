"""A driver that logs in with a provider's token: for a few hours, however short the token lives."""

import json
import time
import uuid

import pytest
from snowflake.connector.errors import Error

from tests.accounts import jwts
from tests.gateway.snowflake.test_held import count, insert
from tests.gateway.snowflake.test_statements import mark

pytestmark = [pytest.mark.faults]
ISSUER = f"https://{uuid.uuid4().hex}.example.com"


def post(session, url, **data):
    answer = session.post(
        url,
        data={**data, "csrfmiddlewaretoken": session.cookies["csrftoken"]},
        allow_redirects=False,
        timeout=20,
    )
    assert answer.status_code == 302, answer.text[:2000]
    return answer.headers["Location"]


@pytest.fixture(scope="module")
def issuer(wire):
    """An issuer whose tokens let the agent in, set up as an admin does it."""
    admin = wire.sign_in("ada")
    page = post(
        admin,
        f"{wire.url}/settings/issuers/new/",
        name="Company",
        kind="oidc",
        issuer=ISSUER,
        audiences="hoopweb",
        algorithms="RS256",
        given_keys=json.dumps(jwts.KEYS),
        subject_claim="sub",
        session_hours="4",
    )
    issuer_id = page.strip("/").rpartition("/")[2]
    post(
        admin,
        f"{wire.url}/agents/{wire.seeded['agent']}/identities/new/",
        issuer=issuer_id,
        subject="loader",
    )
    return issuer_id


def short_lived(seconds=3):
    return jwts.sign(
        jwts.claims(iss=ISSUER, aud="hoopweb", exp=int(time.time()) + seconds, sub="loader")
    )


def end_login(wire, connection):
    """Hours later: the login's time is over."""
    wire.write(
        "UPDATE gateway_wiresession SET login_until = now() - interval '1 second' "
        "WHERE number = %s",
        connection.session_id,
    )


def test_a_session_outlives_its_token_and_what_waits_outlives_the_login(wire, issuer):
    name = mark()
    with wire.connect(authenticator="oauth", token=short_lived()) as connection:
        time.sleep(3.2)
        cursor = connection.cursor()
        assert cursor.execute("SELECT 1").fetchall() == [(1,)], "the token has ended by now"

        def hours_later():
            wire.pending(name)
            end_login(wire, connection)
            wire.write(
                "UPDATE gateway_wiresession SET token_until = now() - interval '1 second' "
                "WHERE number = %s",
                connection.session_id,
            )
            wire.vote(name)

        with wire.during(hours_later):
            cursor.execute(insert(name))
        assert cursor.fetchall() == [(1,)]
        assert count(wire, name) == 1


def test_when_the_login_is_over_the_driver_is_told_to_log_in_again(wire, issuer):
    with wire.connect(authenticator="oauth", token=short_lived(30)) as connection:
        assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]
        end_login(wire, connection)
        with pytest.raises(Error, match="fresh token of your provider") as caught:
            connection.cursor().execute("SELECT 2")
        assert caught.value.errno == 390114
        assert connection.expired, "pools throw such a connection away"
    with wire.connect(authenticator="oauth", token=short_lived(30)) as connection:
        assert connection.cursor().execute("SELECT 3").fetchall() == [(3,)]


def test_an_expired_token_opens_nothing(wire, issuer):
    with pytest.raises(Error, match="has expired") as caught:
        wire.connect(authenticator="oauth", token=short_lived(-60))
    assert caught.value.errno in {390303, 250001}


@pytest.mark.parametrize(
    ("claims", "key", "said"),
    [
        ({"aud": "somebody-else"}, jwts.RSA_KEY, "audience"),
        ({}, jwts.OTHER_RSA_KEY, "key"),
        ({"sub": "nobody"}, jwts.RSA_KEY, ""),
        ({"iss": "https://unknown.example.com"}, jwts.RSA_KEY, ""),
    ],
    ids=["another-audience", "another-key", "another-subject", "another-issuer"],
)
def test_a_token_that_is_not_for_us_opens_nothing_and_says_what_to_do(
    wire, issuer, claims, key, said
):
    given = {"iss": ISSUER, "aud": "hoopweb", "sub": "loader", **claims}
    token = jwts.sign(jwts.claims(**given), key=key)
    with pytest.raises(Error) as caught:
        wire.connect(authenticator="oauth", token=token)
    assert caught.value.errno in {390303, 250001}
    assert said in str(caught.value)
    assert token not in str(caught.value)
