"""Session parameters: what a driver may set, what goes on to Snowflake, what it is told."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,80}")
# Drivers that read Arrow; everyone else is given JSON.
_ARROW = re.compile(r"Python|Go|JDBC|SnowflakeSQLAlchemy|Snowpark|ADBC|SNOWCLI|dbt", re.IGNORECASE)
_FORMAT = "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT"
# What the driver does on its own side, and what is the gateway's to say.
_OURS: dict[str, Any] = {
    "CLIENT_SESSION_KEEP_ALIVE": False,
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": 3600,
    # Bound values never go by way of a stage, where nobody could look at them.
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
    "CLIENT_TELEMETRY_ENABLED": False,
    "CLIENT_PREFETCH_THREADS": 4,
    "QUERY_CONTEXT_CACHE_SIZE": 5,
}
_TOLD: dict[str, Any] = {
    "AUTOCOMMIT": True,
    "TIMEZONE": "Etc/UTC",
    "BINARY_OUTPUT_FORMAT": "HEX",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "TIME_OUTPUT_FORMAT": "HH24:MI:SS",
    "TIMESTAMP_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "",
}
# Without these JDBC cannot read a result of several parts; Snowflake's own values, in megabytes.
_NEEDED: dict[str, Any] = {
    "CLIENT_PREFETCH_THREADS": 4,
    "CLIENT_RESULT_CHUNK_SIZE": 160,
    "CLIENT_MEMORY_LIMIT": 1536,
}
_CLIENTS_OWN = ("CLIENT_", "PYTHON_", "JDBC_", "ODBC_", "GO_", "JS_", "NODE_", "ENABLE_")
_KEPT_CHOICES = ("CLIENT_SESSION_KEEP_ALIVE", "CLIENT_PREFETCH_THREADS")


def named(given: Mapping[str, Any], name: str) -> Any:
    """A parameter whatever its case."""
    return next((value for key, value in given.items() if key.upper() == name), None)


def wants_json(client: str, given: Mapping[str, Any]) -> bool:
    asked = [str(v).upper() for k, v in given.items() if k.upper().endswith("QUERY_RESULT_FORMAT")]
    if asked:
        return "JSON" in asked
    return not _ARROW.search(client)


def forwarded(
    given: Mapping[str, Any], *, client: str, allowed: Callable[[str], bool]
) -> dict[str, Any]:
    """What is set at Snowflake: only what ``ALTER SESSION`` would be allowed to set."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = key.upper()
        if name == "QUERY_TAG" or name.startswith(_CLIENTS_OWN) or not _NAME.fullmatch(name):
            continue
        if allowed(f"ALTER SESSION SET {name} = {_literal(value)}"):
            found[name] = _typed(value)
    if wants_json(client, given):
        found[_FORMAT] = "JSON"
    return found


def told(upstream: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of the login's answer."""
    values = _TOLD | {k: v for k, v in upstream.items() if k in _TOLD} | _OURS
    for name in _KEPT_CHOICES:
        if (asked := named(given, name)) is not None:
            values[name] = _typed(asked)
    return [{"name": name, "value": value} for name, value in values.items()]


def corrected(upstream: Any) -> list[dict[str, Any]]:
    """The parameters of a statement's answer, which drivers take over: what is the gateway's to
    say stays as it was said at login, and what they cannot do without is there.
    """
    given = upstream if isinstance(upstream, list) else []
    found = [
        {**each, "value": _OURS.get(str(each.get("name")), each.get("value"))}
        for each in given
        if isinstance(each, dict)
    ]
    missing = _NEEDED.keys() - {str(each.get("name")) for each in found}
    return found + [{"name": name, "value": _NEEDED[name]} for name in sorted(missing)]


def _typed(value: Any) -> Any:
    """One driver sends everything as text."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _literal(value: Any) -> str:
    value = _typed(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
