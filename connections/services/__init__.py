"""The verbs of connections and their policy. Nothing else saves these rows."""

from connections.services.values import catalogue_for, context_for, ruleset_for, target_for

__all__ = [
    "catalogue_for",
    "context_for",
    "ruleset_for",
    "target_for",
]
