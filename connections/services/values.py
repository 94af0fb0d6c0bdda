"""From rows to the values that judging and running take."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar
from uuid import UUID

from django.db import DatabaseError
from django.db import connection as database

from connections import references
from connections.judge import Ruleset, SessionContext
from connections.masking.detectors import Detector, configured, strictest
from connections.models import Catalogue as CatalogueRow
from connections.models import Connection, Credential, PolicyRevision
from connections.policy.types import DetectorSetting
from connections.services.given import reference_of
from connections.sql.catalogue import Catalogue
from connections.upstream.types import Method, Target
from hoopweb.lib.crypto import CryptoError
from hoopweb.lib.errors import HoopwebError

V = TypeVar("V")


class _Recent(Generic[V]):
    """The values used last, by connection and number: a change is a new number, never a stale hit.

    Within the transaction that changes a policy or a catalogue nothing may be read through this:
    a roll-back would leave here what never came to be.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[UUID, int], V] = OrderedDict()

    def get(self, connection_id: UUID, number: int) -> V | None:
        with self._lock:
            value = self._found.get((connection_id, number))
            if value is not None:
                self._found.move_to_end((connection_id, number))
            return value

    def put(self, connection_id: UUID, number: int, value: V) -> V:
        with self._lock:
            self._found[connection_id, number] = value
            while len(self._found) > self._size:
                self._found.popitem(last=False)
        return value


_rulesets: _Recent[Ruleset] = _Recent(64)
_detectors: _Recent[tuple[Detector, ...]] = _Recent(64)
_catalogues: _Recent[Catalogue] = _Recent(16)


def is_at_hand(connection: Connection) -> bool:
    """Whether rules, detectors and catalogue at the numbers that ``connection`` carries can be had
    without asking the database.
    """
    policy, catalogue = connection.policy_revision, connection.catalogue_version
    return (
        _rulesets.get(connection.pk, policy) is not None
        and _detectors.get(connection.pk, policy) is not None
        and (not catalogue or _catalogues.get(connection.pk, catalogue) is not None)
    )


def ruleset_for(connection: Connection) -> Ruleset:
    """The rules and protections in force, at the revision that ``connection`` carries.

    A row that was read before someone's change gets the newer rules, under the newer number.
    """
    return _rulesets.get(connection.pk, connection.policy_revision) or _read_policy(connection)[0]


def detectors_for(connection: Connection, *, judged: int | None = None) -> tuple[Detector, ...]:
    """The detectors of results and error texts in force, at the revision that ``connection``
    carries; read together with the rules, so that whoever has judged has them.

    ``judged`` is the revision that a statement was judged at. What was found then is found still:
    a part that is fetched later shows nothing that the recording of the first time does not.
    """
    found = _detectors.get(connection.pk, connection.policy_revision)
    if found is None:
        found = _read_policy(connection)[1]
    if judged is None or judged == connection.policy_revision:
        return found
    return strictest(found, _earlier_detectors(connection, judged))


def _earlier_detectors(connection: Connection, number: int) -> tuple[Detector, ...]:
    row = PolicyRevision.objects.filter(connection=connection, number=number).first()
    rows = row.content.get("detectors", []) if row else []
    return configured(
        [DetectorSetting(r["name"], r["action"], r["label"], r["pattern"]) for r in rows]
    )


def _read_policy(connection: Connection) -> tuple[Ruleset, tuple[Detector, ...]]:
    row = Connection.objects.get(pk=connection.pk)
    while True:
        rules = tuple(rule.as_value() for rule in row.rules.all())
        protections = tuple(protection.as_value() for protection in row.protections.all())
        detectors = configured([detector.as_value() for detector in row.detectors.all()])
        number, salt = row.policy_revision, row.mask_salt
        row.refresh_from_db(fields=["policy_revision"])
        # Equal before and after means that no change came between the two readings.
        if row.policy_revision == number:
            break
    ruleset = Ruleset(rules, protections, number, salt)
    return _rulesets.put(row.pk, number, ruleset), _detectors.put(row.pk, number, detectors)


def catalogue_for(connection: Connection) -> Catalogue:
    """What exists at the catalogue version that ``connection`` carries; empty before the first."""
    number = connection.catalogue_version
    if not number:
        return Catalogue()
    if found := _catalogues.get(connection.pk, number):
        return found
    row = CatalogueRow.objects.get(connection=connection, version=number)
    return _catalogues.put(connection.pk, number, Catalogue.from_json(row.content, number))


def context_for(connection: Connection) -> SessionContext:
    """What a fresh session on ``connection`` resolves unqualified names against."""
    return SessionContext(
        database=connection.database or None,
        schema=connection.schema or None,
        role=connection.role or None,
        warehouse=connection.warehouse or None,
    )


def target_for(connection: Connection, *, fresh: bool = False) -> Target:
    """Where and as whom to log in, with the secret opened: keep it no longer than the login.

    ``fresh`` reads a secret that lies elsewhere anew. Raises HoopwebError with the cure.
    """
    credential = Credential.objects.filter(connection=connection).first()
    if credential is None:
        raise HoopwebError(
            f"The connection {connection.name} has no credential yet, so nothing can be sent. "
            "An admin sets one under Connections."
        )
    return Target(
        account=connection.account,
        login_name=credential.login_name,
        secret=_secret_of(connection, credential, fresh=fresh),
        method=Method(credential.method),
        host=connection.host,
        port=connection.port,
        protocol=connection.protocol,
        warehouse=connection.warehouse,
        database=connection.database,
        schema=connection.schema,
        role=connection.role,
        oauth_client_id=credential.public.get("client_id", ""),
        oauth_token_url=credential.public.get("token_url", ""),
        oauth_scope=credential.public.get("scope", ""),
        workload_provider=credential.public.get("provider", ""),
        renewed=None if fresh else lambda: _renewed(connection),
    )


def _secret_of(connection: Connection, credential: Credential, *, fresh: bool) -> str:
    if credential.source != Credential.Source.SEALED:
        try:
            return references.resolve(
                reference_of(credential.source, credential.reference), fresh=fresh
            )
        except (references.ReferenceRefused, references.ReferenceUnavailable) as error:
            raise HoopwebError(
                f"The credential of {connection.name} lies elsewhere and cannot be read: {error}"
            ) from None
    try:
        secret: str = credential.secret
    except CryptoError as error:
        raise HoopwebError(
            f"The credential of {connection.name} cannot be opened with the keys of this process. "
            "Give HOOPWEB_KEYS the key that sealed it, or set the credential again."
        ) from error
    return secret


def _renewed(connection: Connection) -> Target | None:
    """The target with the credential as it is now, for a login that was refused.

    Runs in a thread of the login, which keeps no connection to the database afterwards.
    """
    try:
        return target_for(connection, fresh=True)
    except (HoopwebError, DatabaseError):
        return None
    finally:
        if not database.in_atomic_block:
            database.close()
