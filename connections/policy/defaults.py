"""The rules that a new connection starts with."""

from typing import Any

from connections.policy.types import Effect, ReviewTerms, Rule


def _rule(number: int, effect: Effect, note: str, **match: Any) -> Rule:
    return Rule(
        id=f"default-{number:02}",
        effect=effect,
        position=number * 10,
        match=match,
        terms=ReviewTerms(),
        note=note,
    )


def default_rules() -> tuple[Rule, ...]:
    """Reads allowed; writes reviewed; whatever leaves, grants, or hides what it does denied."""
    return (
        _rule(
            1,
            Effect.DENY,
            "Nothing leaves through stages or unloads.",
            classes=["unload", "copy-in", "put", "get", "list", "remove"],
        ),
        _rule(2, Effect.DENY, "Stages are closed.", flags=["stage"]),
        _rule(
            3,
            Effect.DENY,
            "Rights, users, roles, shares and integrations are for admins.",
            classes=[
                "grant",
                "revoke",
                "use-role",
                "use-secondary-roles",
                "*-user",
                "*-role",
                "*-share",
                "*-integration",
                "*-account",
                "*-policy",
                "*-network",
            ],
        ),
        _rule(
            4,
            Effect.DENY,
            "Text that only running would reveal is not judged.",
            classes=["execute-immediate", "scripting", "multi-statement"],
        ),
        _rule(5, Effect.DENY, "Dynamic SQL is not judged.", flags=["dynamic-sql"]),
        _rule(
            6,
            Effect.DENY,
            "Functions that reach outside, Cortex among them, are closed.",
            functions=["SYSTEM$*", "AI_*", "SNOWFLAKE.*", "CORTEX*"],
        ),
        _rule(
            7,
            Effect.DENY,
            "Protected values stay where they are protected.",
            flags=["copies-protected", "tests-protected", "moves-protected"],
        ),
        _rule(
            8,
            Effect.REVIEW,
            "A mask may be about to be written over real values.",
            flags=["writes-mask"],
        ),
        _rule(
            9,
            Effect.REVIEW,
            "Data changes are reviewed.",
            classes=["insert", "update", "delete", "merge", "truncate"],
        ),
        _rule(
            10,
            Effect.REVIEW,
            "Changes of tables, views, schemas and databases are reviewed.",
            classes=["create-*", "alter-table", "alter-view", "drop-*", "undrop-*", "comment"],
        ),
        _rule(11, Effect.REVIEW, "Procedures are reviewed.", classes=["call"]),
        _rule(12, Effect.REVIEW, "Another warehouse costs money.", classes=["use-warehouse"]),
        _rule(
            13,
            Effect.ALLOW,
            "Reading is allowed; protected columns come out masked.",
            classes=["select", "show", "describe", "explain"],
        ),
        _rule(
            14,
            Effect.ALLOW,
            "A session may find its place.",
            classes=["use-database", "use-schema", "set", "alter-session", "transaction"],
        ),
    )
