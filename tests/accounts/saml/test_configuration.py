"""Settings that make no provider keep the server from starting, and say which and why."""

import pytest

from accounts.saml import configuration
from hoopweb import checks
from tests.accounts.saml.conftest import ENTITY_ID, key_and_certificate


@pytest.fixture
def values(settings, keys):
    """A provider by values, and a key of our own."""
    settings.SAML_IDP_ENTITY_ID = ENTITY_ID
    settings.SAML_IDP_SSO_URL = "https://id.company.example/sso"
    settings.SAML_IDP_CERTIFICATE = keys["own"]["cert"]
    settings.SAML_SP_KEY = keys["console"]["key"]
    settings.SAML_SP_CERTIFICATE = keys["console"]["cert"]
    return settings


def said():
    return " ".join(message.msg for message in checks._saml())


def test_nothing_set_is_nothing_wrong():
    assert not configuration.is_set()
    assert said() == ""


def test_values_that_hold(values):
    assert said() == ""
    assert configuration.provider().certificates


def test_without_a_key_of_our_own(values):
    values.SAML_SP_KEY = values.SAML_SP_CERTIFICATE = ""
    assert said() == ""
    assert not configuration.has_key()


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("SAML_IDP_ENTITY_ID", "", "half set"),
        ("SAML_IDP_ENTITY_ID", "x" * 301, "longer than 300"),
        ("SAML_IDP_SSO_URL", "", "SAML_IDP_SSO_URL"),
        ("SAML_IDP_SSO_URL", "javascript:alert(1)", "SAML_IDP_SSO_URL"),
        ("SAML_IDP_SLO_URL", "ftp://id.company.example", "logout"),
        ("SAML_IDP_CERTIFICATE", "", "SAML_IDP_CERTIFICATE"),
        ("SAML_IDP_CERTIFICATE", "no certificate", "no certificate in PEM"),
        ("SAML_SP_CERTIFICATE", "", "both, or neither"),
        ("SAML_SP_KEY", "no key", "no private key"),
        ("SAML_NAMEID_FORMAT", "transient", "SAML_NAMEID_FORMAT"),
        ("SAML_IDP_METADATA", "<a/>", "describes no provider"),
        ("SAML_IDP_METADATA", "no xml", "no usable XML"),
        ("SAML_IDP_METADATA", "<!DOCTYPE a []><a/>", "no usable XML"),
    ],
)
def test_settings_that_do_not_hold(values, name, value, part):
    setattr(values, name, value)
    found = checks._saml()
    message = next(found)
    assert message.id == "hoopweb.E021"
    assert part in message.msg
    assert values.SAML_SP_KEY[:60] not in message.msg or not values.SAML_SP_KEY.startswith("-----")


def test_a_key_of_another_certificate_is_found(values):
    values.SAML_SP_KEY = key_and_certificate("another")["key"]
    assert "is not the RSA key" in said()
    assert "PRIVATE" not in said()


def test_plain_http_is_for_a_laptop(values):
    values.SAML_IDP_SSO_URL = "http://id.company.example/sso"
    assert said() == ""
    configuration._provider.cache_clear()
    values.LOCAL = False
    assert "https" in said()
    configuration._provider.cache_clear()


def test_settings_that_are_wrong_show_one_page_and_no_trace(client, values, db):
    values.SAML_IDP_CERTIFICATE = "no certificate"
    answer = client.get("/saml/start/")
    assert answer.status_code == 503
    assert "certificate" not in answer.content.decode()
