"""People, teams, agents, what they carry, and by which rules they come to be."""

from accounts.models.directories import (
    Directory,
    DirectoryGroup,
    DirectoryPerson,
    DirectoryToken,
)
from accounts.models.issuers import AgentIdentity, Issuer, IssuerKind
from accounts.models.mapping import MappingRule
from accounts.models.people import (
    Agent,
    AgentQuerySet,
    AgentToken,
    Identity,
    RoleGrant,
    SignIn,
    SignInAttempt,
    Team,
    User,
)
from accounts.models.providers import Newcomer, SamlSignIn, TakenToken

__all__ = [
    "Agent",
    "AgentIdentity",
    "AgentQuerySet",
    "AgentToken",
    "Directory",
    "DirectoryGroup",
    "DirectoryPerson",
    "DirectoryToken",
    "Identity",
    "Issuer",
    "IssuerKind",
    "MappingRule",
    "Newcomer",
    "RoleGrant",
    "SamlSignIn",
    "SignIn",
    "SignInAttempt",
    "TakenToken",
    "Team",
    "User",
]
