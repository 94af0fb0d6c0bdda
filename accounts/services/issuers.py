"""Issuers of agents' tokens: set up, changed, switched, and taken away by an admin."""

import ssl
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from accounts import fetching
from accounts.models import Issuer, IssuerKind, User
from accounts.models.issuers import SESSION_HOURS
from accounts.services import issuer_keys
from accounts.services.acting import actor_of, need_admin
from accounts.signals import announce
from accounts.signed import ALGORITHMS
from hoopweb.lib import outgoing
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256")
_MOST_AUDIENCES = 20
# Hours: as long as a token itself may live.
LONGEST_SESSION = 24
# What decides which tokens are believed; names and switches aside.
_SAID = (
    "name", "kind", "issuer", "audiences", "algorithms", "subject_claim", "groups_claim",
    "name_claim", "jwks_url", "session_hours", "within_person",
)  # fmt: skip


def create_issuer(
    *,
    name: str,
    issuer: str,
    audiences: Sequence[str],
    by: User | None,
    kind: str = IssuerKind.OIDC,
    algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
    subject_claim: str = "sub",
    groups_claim: str = "groups",
    name_claim: str = "name",
    jwks_url: str = "",
    given_keys: Any = None,
    authority: str = "",
    session_hours: int = SESSION_HOURS,
    within_person: bool = False,
    address: str | None = None,
) -> Issuer:
    """Somebody whose tokens are believed from now on. ``given_keys`` is a JWK set, or nothing.

    Raises Conflict when the name or the issuer is there, InvalidRequest for what cannot be used.
    Nothing is fetched yet: the first token does, or ``fetch_keys``.
    """
    need_admin(by, "set up issuers")
    row = Issuer(kind=kind, issuer=issuer)
    _fill(
        row,
        name=name,
        audiences=audiences,
        algorithms=algorithms,
        subject_claim=subject_claim,
        groups_claim=groups_claim,
        name_claim=name_claim,
        jwks_url=jwks_url,
        given_keys=given_keys,
        authority=authority,
        session_hours=session_hours,
        within_person=within_person,
    )
    if not issuer.isprintable() or not issuer.strip():
        raise InvalidRequest("Write the issuer as the tokens' iss has it.", field="issuer")
    if not row.given_keys and not row.jwks_url:
        _need_address(issuer, "issuer")
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _record("issuer-created", row, by, address)
    except IntegrityError as error:
        raise Conflict("There is an issuer of this name or address already.") from error
    return row


def update_issuer(
    *, issuer: Issuer, by: User | None, address: str | None = None, **changed: Any
) -> Issuer:
    """Change what is given and leave the rest. What was fetched is fetched anew.

    The issuer itself stays: agents are known by its subjects. Another one is set up beside it.
    """
    need_admin(by, "change issuers")
    try:
        with transaction.atomic():
            row = Issuer.objects.select_for_update().get(pk=issuer.pk)
            before = _said(row)
            _fill(row, **changed)
            if not row.given_keys and not row.jwks_url:
                _need_address(row.issuer, "jwks_url")
            row.fetched_keys, row.fetched_at, row.fetch_error = [], None, ""
            row.asked_at = row.asked_for_unknown_at = None
            row.save()
            if row.within_person and not before["within_person"]:
                announce(agents=row.identities.values_list("agent", flat=True))
            _record("issuer-changed", row, by, address, before=before)
    except IntegrityError as error:
        raise Conflict("There is an issuer of this name already.", field="name") from error
    return row


def switch_issuer(
    *, issuer: Issuer, on: bool, by: User | None, address: str | None = None
) -> Issuer:
    """Off, none of its tokens opens anything from the next request on. Idempotent."""
    need_admin(by, "switch issuers")
    with transaction.atomic():
        if Issuer.objects.filter(pk=issuer.pk, is_active=not on).update(is_active=on):
            if not on:
                announce(tokens=[str(pk) for pk in issuer.identities.values_list("pk", flat=True)])
            _record("issuer-enabled" if on else "issuer-disabled", issuer, by, address)
    issuer.is_active = on
    return issuer


def delete_issuer(*, issuer: Issuer, by: User | None, address: str | None = None) -> None:
    """Take an issuer away. Raises Conflict while an agent or a mapping rule depends on it."""
    need_admin(by, "delete issuers")
    with transaction.atomic():
        if issuer.identities.exists() or issuer.rules.exists():
            raise Conflict(
                f"Agents or mapping rules depend on {issuer}. Remove those first, or disable it."
            )
        if Issuer.objects.filter(pk=issuer.pk).delete()[0]:
            _record("issuer-deleted", issuer, by, address, before=_said(issuer))


def fetch_keys(*, issuer: Issuer, by: User | None) -> bool:
    """Ask the issuer for its keys now; whether they came. What went wrong is in the row."""
    need_admin(by, "fetch an issuer's keys")
    return bool(issuer.given_keys) or issuer_keys.refresh(issuer)


def _fill(row: Issuer, *, given_keys: Any = None, **changed: Any) -> None:
    for name, value in changed.items():
        setattr(row, name, list(value) if name in {"audiences", "algorithms"} else value)
    row.given_keys = _given(given_keys)
    wanted = [each for each in row.audiences if each.strip() and each.isprintable()]
    if not wanted or wanted != row.audiences or len(wanted) > _MOST_AUDIENCES:
        raise InvalidRequest(
            f"Name 1 to {_MOST_AUDIENCES} audiences. A token that is for nobody in particular "
            "could have been meant for anybody.",
            field="audiences",
        )
    if not row.algorithms or set(row.algorithms) - set(ALGORITHMS):
        raise InvalidRequest(
            f"Choose from {', '.join(ALGORITHMS)}. Shared secrets prove nothing here.",
            field="algorithms",
        )
    if not 0 <= row.session_hours <= LONGEST_SESSION:
        raise InvalidRequest(
            f"A driver's session lasts for {LONGEST_SESSION} hours at most.", field="session_hours"
        )
    if not row.subject_claim:
        raise InvalidRequest("Name the claim that says who the agent is.", field="subject_claim")
    if row.jwks_url:
        _need_address(row.jwks_url, "jwks_url")
    if row.authority:
        _need_certificate(row.authority)


def _given(keys: Any) -> list[dict[str, Any]]:
    if not keys:
        return []
    listed = keys.get("keys") if isinstance(keys, dict) else None
    if isinstance(listed, list) and any(isinstance(key, dict) and "d" in key for key in listed):
        raise InvalidRequest(
            "There is a private key among these. Give the public ones only, and replace that "
            "private key: it has been shown.",
            field="given_keys",
        )
    try:
        return fetching.public_keys(keys, of="What is given")
    except fetching.FetchFailed as error:
        raise InvalidRequest(str(error), field="given_keys") from error


def _need_address(url: str, field: str) -> None:
    try:
        outgoing.checked_url(url)
    except outgoing.AddressRefused as error:
        raise InvalidRequest(str(error), field=field) from error


def _need_certificate(text: str) -> None:
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidRequest(
            "This is no certificate. Paste it with its lines BEGIN and END CERTIFICATE.",
            field="authority",
        ) from error


def _said(row: Issuer) -> dict[str, Any]:
    """Public keys are told by their ids."""
    told = {name: getattr(row, name) for name in _SAID}
    return {**told, "given_keys": [str(key.get("kid", "")) for key in row.given_keys]}


def _record(
    action: str,
    row: Issuer,
    by: User | None,
    address: str | None,
    before: dict[str, Any] | None = None,
) -> None:
    audit(
        actor=actor_of(by),
        action=action,
        kind="issuer",
        object_id=str(row.pk),
        object_name=row.name,
        before=before,
        after=None if action == "issuer-deleted" else _said(row),
        address=address,
    )
