"""References against a running Vault or OpenBao, where one is named; else `vault_server` stands
for its interface.

    bao server -dev -dev-root-token-id=root
    HOOPWEB_TEST_VAULT=http://127.0.0.1:8200 HOOPWEB_TEST_VAULT_TOKEN=root \
        pytest tests/connections/test_vault.py
"""

import os
import uuid

import hvac
import pytest

from connections import references
from connections.references import Reference, ReferenceRefused, ReferenceUnavailable, Source

ADDRESS = os.environ.get("HOOPWEB_TEST_VAULT", "")
TOKEN = os.environ.get("HOOPWEB_TEST_VAULT_TOKEN", "")
SECRET = "canary-of-a-real-vault"
POLICY = """
path "secret/data/hoopweb/*" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""
pytestmark = pytest.mark.skipif(not ADDRESS, reason="HOOPWEB_TEST_VAULT names no server")


@pytest.fixture
def root():
    client = hvac.Client(url=ADDRESS, token=TOKEN)
    client.secrets.kv.v2.create_or_update_secret(
        "hoopweb/prod", {"value": SECRET, "pat": "other"}, mount_point="secret"
    )
    client.secrets.kv.v2.create_or_update_secret("other", {"value": "no"}, mount_point="secret")
    client.sys.create_or_update_policy("hoopweb", POLICY)
    return client


@pytest.fixture
def place(settings, root, tmp_path):
    """A token that may read below the prefix, in a file, as an agent of Vault leaves it."""
    settings.REFERENCE_VAULT = ["secret/hoopweb"]
    settings.VAULT_ADDR = ADDRESS
    settings.VAULT_TOKEN_FILE = str(tmp_path / "token")
    token = root.auth.token.create(policies=["hoopweb"], no_default_policy=True)
    text = token["auth"]["client_token"]
    (tmp_path / "token").write_text(f"{text}\n")
    return text


def read(name="secret/hoopweb/prod", field="", *, fresh=True):
    return references.resolve(Reference(Source.VAULT, name, field), fresh=fresh)


def test_a_value_is_read_by_a_token_file(place):
    assert read() == SECRET
    assert read(field="pat") == "other"


def test_a_rotated_value_is_the_next(place, root):
    assert read() == SECRET
    root.secrets.kv.v2.create_or_update_secret(
        "hoopweb/prod", {"value": "rotated"}, mount_point="secret"
    )
    assert read() == "rotated"


def test_what_is_not_there_or_closed_is_said(place, root):
    with pytest.raises(ReferenceUnavailable, match="nothing at secret/hoopweb/none"):
        read("secret/hoopweb/none")
    with pytest.raises(ReferenceRefused):
        read("secret/other")
    root.auth.token.revoke(place)
    with pytest.raises(ReferenceUnavailable) as caught:
        read()
    assert SECRET not in str(caught.value)


def test_a_deleted_version_is_nothing(place, root):
    root.secrets.kv.v2.delete_latest_version_of_secret("hoopweb/prod", mount_point="secret")
    with pytest.raises(ReferenceUnavailable):
        read()


def test_a_value_is_read_by_approle(place, settings, root, tmp_path):
    mount = f"approle-{uuid.uuid4().hex[:8]}"
    if "approle/" not in root.sys.list_auth_methods():
        root.sys.enable_auth_method("approle")
    root.auth.approle.create_or_update_approle(mount, token_policies=["hoopweb"])
    settings.VAULT_TOKEN_FILE = ""
    settings.VAULT_ROLE_ID = root.auth.approle.read_role_id(mount)["data"]["role_id"]
    settings.VAULT_SECRET_ID_FILE = str(tmp_path / "secret-id")
    made = root.auth.approle.generate_secret_id(mount)["data"]["secret_id"]
    (tmp_path / "secret-id").write_text(made)
    assert read() == SECRET
    (tmp_path / "secret-id").write_text("wrong")
    with pytest.raises(ReferenceUnavailable, match="does not answer"):
        read()
