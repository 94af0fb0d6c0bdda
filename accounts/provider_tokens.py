"""Providers' tokens: from the text of a JWT to the agent that sends it, and whom it acts for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts import mapping, signed
from accounts.bearer import BearerRefused, ProviderAway
from accounts.models import AgentIdentity, Issuer, User
from accounts.models.issuers import LONGEST_SUBJECT
from accounts.principal import TokenScope
from accounts.services import identities, issuer_keys
from accounts.signed import NotSigned
from hoopweb.lib.errors import Conflict

# However long its issuer lets it live: who lost an agent's token must not have lost it for good.
LONGEST_LIFE = timedelta(hours=24)
_REQUIRED = ("iss", "aud", "exp", "iat")
_DEEPEST_CHAIN = 5
# A provider's scopes are its own; ours say so, as in "hoopweb:statements:read".
_OURS = "hoopweb:"

_NOT_ACCEPTED = (
    "This token is not accepted here: its issuer, its key or its signature is not known. An admin "
    "sets issuers up under Settings, Issuers."
)
_AWAY = (
    "The issuer of this token does not answer, so its keys are not known now. Nothing ran. Try "
    "again in a minute; when it stays so, tell an admin."
)
# Each of these has a right signature, so that its holder may know what is wrong.
_SAID = {
    "wrong_audience": "This token is for somebody else. Ask your provider for one whose audience "
    "is this Hoopweb; an admin knows its name.",
    "expired_token": "This token has expired. Ask your provider for a fresh one and send that.",
    "token_not_yet_valid": "This token is not valid yet. Wait, or set the clocks right.",
    "incomplete_token": "This token lacks one of the claims iss, aud, exp, iat, or its subject.",
    "too_long_lived": "This token lives longer than 24 hours. Ask your provider for shorter ones.",
    "bad_act": "The act claim of this token cannot be followed: it names no actor, one of another "
    "issuer, or too many in a row.",
    "person_disabled": "The person that this token acts for is disabled here.",
    "person_unknown": "The person that this token acts for is not known here, and this issuer's "
    "agents act within a person's own access only. They sign in once, or an admin lets the "
    "directory send them.",
    "name_taken": "The mapping rule names this agent like one that is here already. Ask an admin "
    "to give that agent this identity, or to change the rule's name for new ones.",
    "rule_ended": "The mapping rule that let this agent in does not match this token. Ask an "
    "admin.",
}


@dataclass(frozen=True, slots=True)
class Proven:
    """A token that holds, and the agent behind it."""

    identity: AgentIdentity
    expires_at: datetime
    jti: str
    scopes: frozenset[str]
    # Whom the agent acts for, by name, and their account when there is one.
    acts_for: str | None = None
    person: User | None = None


def looks_like_one(text: str) -> bool:
    return text.count(".") == 2  # noqa: PLR2004 - header, claims, signature


def verify(text: str) -> tuple[Issuer, dict[str, Any]]:
    """The issuer and the claims of a token that holds, whoever sent it. Raises BearerRefused."""
    about: dict[str, str] = {}
    try:
        found = signed.read(text)
        issuer = _issuer(found)
        about["issuer"] = str(issuer)
        claims = _claims(text, found, issuer)
    except issuer_keys.KeysUnavailable as error:
        raise ProviderAway("issuer_away", _AWAY, **about) from error
    except NotSigned as error:
        raise BearerRefused(error.why, _SAID.get(error.why, _NOT_ACCEPTED), **about) from error
    # Groups have one name in rules, wherever the issuer keeps them.
    if issuer.groups_claim not in ("", "groups"):
        claims["groups"] = list(mapping.values_at(claims, issuer.groups_claim))
    return issuer, claims


def _issuer(found: signed.Unverified) -> Issuer:
    # NUL is the one character that Postgres does not take.
    issuer = None
    if "\0" not in found.issuer:
        issuer = Issuer.objects.filter(issuer=found.issuer, is_active=True).first()
    if issuer is None:
        raise NotSigned("unknown_issuer")
    return issuer


def _claims(text: str, found: signed.Unverified, issuer: Issuer) -> dict[str, Any]:
    claims = signed.claims_of(
        text,
        issuer_keys.key_for(issuer, found),
        algorithm=found.algorithm,
        issuer=issuer.issuer,
        audiences=issuer.audiences,
        required=_REQUIRED,
    )
    if claims["exp"] - claims["iat"] > LONGEST_LIFE.total_seconds():
        raise NotSigned("too_long_lived")
    return claims


def prove(text: str, *, address: str | None) -> Proven:
    """The agent behind a token. Raises BearerRefused."""
    issuer, claims = verify(text)
    subject, for_subject = actor(issuer, claims)
    about = {"issuer": str(issuer), "subject": subject}
    person = None
    if for_subject:
        person = _person(issuer, for_subject)
        about["acts_for"] = for_subject
        if person is not None and not person.is_active:
            raise _refused("person_disabled", about)
        if person is None and issuer.within_person:
            raise _refused("person_unknown", about)
    identity = _identity(issuer, subject, claims, about, address)
    named = str(person) if person else _name(issuer, claims) or for_subject
    return Proven(
        identity=identity,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        jti=str(claims.get("jti", ""))[:200],
        scopes=_scopes(claims),
        acts_for=named[:200] if for_subject else None,
        person=person,
    )


def _person(issuer: Issuer, subject: str) -> User | None:
    """Whom a subject names here: by a sign-in, or by the directory that sends this issuer's people,
    who may never have signed in. A disabled one before another: unknown means no.
    """
    by_sign_in = Q(identities__issuer=issuer.issuer, identities__subject=subject)
    by_directory = Q(provisioned__directory__issuer=issuer.issuer, provisioned__external_id=subject)
    return User.objects.filter(by_sign_in | by_directory).order_by("is_active").first()


def actor(issuer: Issuer, claims: Mapping[str, Any]) -> tuple[str, str]:
    """(who acts, whom for) by RFC 8693; the second is empty when it acts for itself.

    The outermost ``act`` is who acts now; those inside it acted before, and only have to be
    readable. Raises BearerRefused.
    """
    subject = _one_line(mapping.values_at(claims, issuer.subject_claim))
    if not subject:
        raise _refused("incomplete_token", {"issuer": str(issuer)})
    if "act" not in claims:
        return subject, ""
    current = claims["act"]
    acting = ""
    for depth in range(_DEEPEST_CHAIN + 1):
        named = current.get("sub") if isinstance(current, dict) else None
        elsewhere = isinstance(current, dict) and current.get("iss", issuer.issuer) != issuer.issuer
        if not isinstance(named, str) or not _one_line((named,)) or elsewhere:
            break
        acting = acting or named
        if "act" not in current:
            return acting, subject
        current = current["act"]
        if depth == _DEEPEST_CHAIN:
            break
    raise _refused("bad_act", {"issuer": str(issuer), "subject": subject})


def _identity(
    issuer: Issuer,
    subject: str,
    claims: Mapping[str, Any],
    about: dict[str, str],
    address: str | None,
) -> AgentIdentity:
    rows = AgentIdentity.objects.select_related("agent__owner", "rule", "issuer")
    identity = rows.filter(issuer=issuer, subject=subject).first()
    if identity is None:
        try:
            identity = identities.admit(issuer, subject, claims, address=address)
        except Conflict as error:
            raise _refused("name_taken", about) from error
    if identity is None:
        raise BearerRefused(
            "unknown_subject",
            f"The token holds, but no agent here is known as {subject} at {issuer.issuer}. Ask an "
            "admin to add this identity to an agent (Agents, the agent, Add identity) or to write "
            "a mapping rule for it (Settings, Mapping rules).",
            **about,
        )
    if not identities.still_admits(identity, claims):
        raise _refused("rule_ended", about)
    return identity


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """What the token may be used for: everything, unless its scopes name some of ours."""
    listed = mapping.values_at(claims, "scope") + mapping.values_at(claims, "scp")
    words = {word for each in listed for word in each.split() if word.startswith(_OURS)}
    if not words:
        return frozenset(TokenScope)
    return frozenset(TokenScope) & {word.removeprefix(_OURS) for word in words}


def _name(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    values = mapping.values_at(claims, issuer.name_claim)
    return "".join(sign for sign in (values or ("",))[0] if sign.isprintable()).strip()


def _one_line(values: tuple[str, ...]) -> str:
    """A subject kept to the letter or not at all: a shortened one could be somebody else's."""
    if len(values) != 1 or not values[0].isprintable() or len(values[0]) > LONGEST_SUBJECT:
        return ""
    return values[0]


def _refused(why: str, about: dict[str, str]) -> BearerRefused:
    return BearerRefused(why, _SAID[why], **about)
