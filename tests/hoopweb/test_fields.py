import pytest
from django.db import connection as db

from connections.models import Credential
from hoopweb.lib.crypto import CryptoError
from tests import factories

pytestmark = pytest.mark.django_db


def stored(row):
    with db.cursor() as cursor:
        cursor.execute("SELECT secret FROM connections_credential WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def test_a_secret_opens_for_its_row_and_is_not_in_the_table():
    row = factories.connection().credential
    assert Credential.objects.get(pk=row.pk).secret == "upstream-secret"
    assert "upstream-secret" not in stored(row)


def test_a_secret_moved_to_another_row_does_not_open():
    one, two = factories.connection().credential, factories.connection().credential
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE connections_credential SET secret = %s WHERE id = %s", [stored(one), two.pk]
        )
    with pytest.raises(CryptoError, match="belongs elsewhere"):
        _ = Credential.objects.get(pk=two.pk).secret


def test_a_query_cannot_carry_a_secret_in_clear():
    row = factories.connection().credential
    with pytest.raises(CryptoError):
        Credential.objects.filter(pk=row.pk).update(secret="in clear")
