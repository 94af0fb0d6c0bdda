"""What the mapping rules would make of a token or of claims. Nothing is stored, nothing logged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings

from accounts import mapping, provider_tokens, signed
from accounts.bearer import BearerRefused
from accounts.mapping import Mapped, Source, Subject
from accounts.models import AgentIdentity, Issuer, MappingRule, User
from accounts.oidc import people, provider
from accounts.oidc.refusal import ProviderUnreachable
from accounts.services.mapping import mapped, rule_of
from hoopweb.lib.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule, and what each of its conditions found."""

    rule: MappingRule
    conditions: tuple[tuple[mapping.Condition, tuple[str, ...]], ...]

    @property
    def matches(self) -> bool:
        return bool(self.conditions) and all(found for _, found in self.conditions)


@dataclass(frozen=True, slots=True)
class MadeAgent:
    """The agent that a token would come in as, and whom it would act for."""

    subject: str
    name: str = ""
    owner: User | None = None
    teams: tuple[str, ...] = ()
    known: AgentIdentity | None = None
    acts_for: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """``verified`` is None where there is no signature to verify; ``said`` says how that stands."""

    claims: Mapping[str, Any]
    verified: bool | None
    said: str
    rules: tuple[Tried, ...]
    person: Mapped | None = None
    agent: MadeAgent | None = None

    @property
    def pretty(self) -> str:
        return json.dumps(self.claims, indent=2, ensure_ascii=False, default=str)


def try_person(text: str, source: Source) -> Trial:
    """How a person with this ID token, or with these claims, would be placed."""
    claims, token = _claims(text)
    verified, said = (None, _AS_GIVEN) if not token else _person_signature(token, source)
    groups = people.groups_of(dict(claims)) if source == Source.OIDC else None
    if groups is not None:
        claims = {**claims, "groups": groups}
    rows = MappingRule.objects.filter(subject=Subject.PERSON).prefetch_related("teams")
    tried = tuple(_tried(row, claims) for row in rows if row.source in ("", str(source)))
    return Trial(claims, verified, said, tried, person=mapped(source, claims))


def try_agent(text: str, issuer: Issuer) -> Trial:
    """As which agent this token, or one with these claims, would come in."""
    claims, token = _claims(text)
    verified, said = (None, _AS_GIVEN) if not token else _agent_signature(token, issuer)
    if issuer.groups_claim not in ("", "groups"):
        claims = {**claims, "groups": list(mapping.values_at(claims, issuer.groups_claim))}
    rows = MappingRule.objects.filter(subject=Subject.AGENT, issuer=issuer)
    tried = tuple(_tried(row, claims) for row in rows.select_related("owner"))
    return Trial(claims, verified, said, tried, agent=_made(issuer, claims, tried))


_AS_GIVEN = "These are claims without a signature. They are taken as they stand."


def _claims(text: str) -> tuple[Mapping[str, Any], str]:
    """The claims in what was pasted, and the token that they came in if they did.

    Raises InvalidRequest.
    """
    text = text.strip()
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("This is not JSON that can be read.", field="text") from error
        return found, ""
    try:
        found = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidRequest(
            "This is neither a token nor claims. Paste a JWT, or an object such as "
            '{"sub": "…", "groups": ["…"]}.',
            field="text",
        ) from error
    return found, text


def _person_signature(token: str, source: Source) -> tuple[bool, str]:
    if source != Source.OIDC or not settings.OIDC_ISSUER:
        return False, "Not verified: there is no provider whose keys could be asked."
    try:
        found = signed.read(token)
        allowed = ("RS256", "PS256", "ES256")
        key = found.key_among(provider.keys(), allowed)
        if key is None:
            return False, "Not verified: the provider has no key of this id."
        signed.claims_of(
            token,
            key,
            algorithm=found.algorithm,
            issuer=settings.OIDC_ISSUER,
            audiences=[settings.OIDC_CLIENT_ID],
        )
    except ProviderUnreachable:
        return False, "Not verified: the provider does not answer."
    except signed.NotSigned as error:
        return False, f"Not verified: {error.why.replace('_', ' ')}. A sign-in would be refused."
    return True, "Verified: your provider signed this, for Hoopweb, and it has not expired."


def _agent_signature(token: str, issuer: Issuer) -> tuple[bool, str]:
    try:
        found, _ = provider_tokens.verify(token)
    except BearerRefused as refusal:
        return False, f"Not verified: {refusal.why.replace('_', ' ')}. {refusal.detail}"
    if found != issuer:
        return False, f"Not verified for {issuer}: the token is one of {found}."
    return True, f"Verified: {issuer} signed this, for Hoopweb, and it has not expired."


def _tried(row: MappingRule, claims: Mapping[str, Any]) -> Tried:
    return Tried(row, tuple((each, each.matching(claims)) for each in rule_of(row).conditions))


def _made(issuer: Issuer, claims: Mapping[str, Any], tried: tuple[Tried, ...]) -> MadeAgent:
    try:
        subject, acts_for = provider_tokens.actor(issuer, claims)
    except BearerRefused as refusal:
        return MadeAgent("", refused=refusal.detail)
    known = AgentIdentity.objects.select_related("agent__owner", "rule")
    identity = known.filter(issuer=issuer, subject=subject).first()
    if identity is not None:
        agent = identity.agent
        teams = tuple(agent.teams.values_list("slug", flat=True))
        return MadeAgent(subject, agent.name, agent.owner, teams, identity, acts_for)
    for each in tried:
        name = mapping.agent_name(each.rule.agent_name, claims)
        if each.rule.enabled and each.matches and name is not None:
            teams = tuple(each.rule.teams.values_list("slug", flat=True))
            return MadeAgent(subject, name, each.rule.owner, teams, acts_for=acts_for)
    return MadeAgent(subject, acts_for=acts_for)
