"""Connections, their credentials and catalogues, and the policy in force on each."""

from connections.models.catalogues import Catalogue, CatalogueSync
from connections.models.policies import Detector, PolicyRevision, Protection, Rule
from connections.models.runs import ConnectionTest, Run, RunState, Sampling
from connections.models.targets import (
    Access,
    Connection,
    ConnectionQuerySet,
    Credential,
    KeyRotation,
    new_salt,
)

__all__ = [
    "Access",
    "Catalogue",
    "CatalogueSync",
    "Connection",
    "ConnectionQuerySet",
    "ConnectionTest",
    "Credential",
    "Detector",
    "KeyRotation",
    "PolicyRevision",
    "Protection",
    "Rule",
    "Run",
    "RunState",
    "Sampling",
    "new_salt",
]
