"""From rows to the values that judging and running take."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from connections.judge import Ruleset, SessionContext
from connections.models import Catalogue as CatalogueRow
from connections.models import Connection, Credential, PolicyRevision
from connections.policy import types as policy
from connections.sql.catalogue import Catalogue
from hoopweb.lib.crypto import CryptoError
from hoopweb.lib.errors import HoopwebError

if TYPE_CHECKING:
    from connections.upstream.types import Target


def ruleset_for(connection: Connection) -> Ruleset:
    """What is in force at the revision that ``connection`` carries.

    A revision never changes once written, so another process's change is a new number and never
    a stale answer. No revision yet means no rules, which denies everything.
    """
    number = connection.policy_revision
    return _ruleset(connection.pk, number, connection.mask_salt) if number else Ruleset()


def catalogue_for(connection: Connection) -> Catalogue:
    """What exists at the catalogue version that ``connection`` carries; empty before the first."""
    number = connection.catalogue_version
    return _catalogue(connection.pk, number) if number else Catalogue()


def context_for(connection: Connection) -> SessionContext:
    """What a fresh session on ``connection`` resolves unqualified names against."""
    return SessionContext(
        database=connection.database or None,
        schema=connection.schema or None,
        role=connection.role or None,
        warehouse=connection.warehouse or None,
    )


def target_for(connection: Connection) -> "Target":
    """Where and as whom to log in, with the secret opened: keep it no longer than the login."""
    from connections.upstream.types import Target

    credential = Credential.objects.filter(connection=connection).first()
    if credential is None:
        raise HoopwebError(
            f"The connection {connection.name} has no credential yet, so nothing can be sent. "
            "An admin sets one under Connections."
        )
    try:
        secret = credential.secret
    except CryptoError as error:
        raise HoopwebError(
            f"The credential of {connection.name} cannot be opened with the keys of this process. "
            "Give HOOPWEB_KEYS the key that sealed it, or set the credential again."
        ) from error
    return Target(
        account=connection.account,
        host=connection.host or f"{connection.account}.snowflakecomputing.com",
        port=connection.port,
        protocol=connection.protocol,
        warehouse=connection.warehouse,
        database=connection.database,
        schema=connection.schema,
        role=connection.role,
        login_name=credential.login_name,
        method=credential.method,
        secret=secret,
        public=credential.public,
    )


# Within the transaction that writes a revision or a version these must not be called: a roll-back
# would leave here what never came to be.
@lru_cache(maxsize=64)
def _ruleset(connection_id: UUID, number: int, salt: str) -> Ruleset:
    revision = PolicyRevision.objects.get(connection_id=connection_id, number=number)
    return Ruleset(
        rules=tuple(rule_value(row) for row in revision.content["rules"]),
        protections=tuple(protection_value(row) for row in revision.content["protections"]),
        revision=number,
        salt=salt,
    )


@lru_cache(maxsize=16)
def _catalogue(connection_id: UUID, version: int) -> Catalogue:
    row = CatalogueRow.objects.get(connection_id=connection_id, version=version)
    return Catalogue.from_json(row.content, version)


def rule_value(row: Mapping[str, Any]) -> policy.Rule:
    """A rule as a revision keeps it."""
    return policy.Rule(
        id=row["slug"],
        effect=policy.Effect(row["effect"]),
        position=row["position"],
        revision=row["revision"],
        match=row["match"],
        terms=policy.ReviewTerms(tuple(row["reviewers"]), row["votes"], row["expires_minutes"]),
        note=row["note"],
        enabled=row["enabled"],
    )


def protection_value(row: Mapping[str, Any]) -> policy.Protection:
    """A protection as a revision keeps it."""
    return policy.Protection(
        id=row["id"],
        strategy=row["strategy"],
        database=row["database"],
        schema=row["schema"],
        table=row["table"],
        column=row["column"],
        tag=row["tag"],
        options=row["options"],
        enabled=row["enabled"],
    )
