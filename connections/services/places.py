"""Where Snowflake is and what names stand for there: shapes that are safe to store and to call."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings

from hoopweb.lib.errors import InvalidRequest

SNOWFLAKE_DOMAINS = (".snowflakecomputing.com", ".snowflakecomputing.cn")
# Words that stand in the address of a page.
RESERVED = frozenset({"new", "simulate"})
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,118}")
_HOST = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_QUOTED = re.compile(r'"(?:[^"]|"")+"')
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


def stored_name(text: str) -> str:
    """A name as Snowflake stores it: plain names in upper case, quoted ones as written."""
    text = text.strip()
    if _QUOTED.fullmatch(text):
        return text[1:-1].replace('""', '"')
    return text.upper() if _PLAIN.fullmatch(text) else text


def quoted_name(name: str) -> str:
    """A stored name as it is written in SQL: in quotes only where it needs them."""
    if _PLAIN.fullmatch(name) and name.upper() == name:
        return name
    return '"' + name.replace('"', '""') + '"'


def account_from(text: str) -> str:
    """The account identifier out of whatever people paste: an address, a host, the name itself."""
    text = re.sub(r"^[a-z]+://", "", text.strip(), flags=re.IGNORECASE).split("/", 1)[0]
    for domain in SNOWFLAKE_DOMAINS:
        text = text.removesuffix(domain)
    return text


def checked_place(values: dict[str, Any]) -> dict[str, Any]:
    """A connection's settings, normalised. Raises InvalidRequest with ``errors`` by field."""
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for key, value in values.items():
        clean = value.strip() if isinstance(value, str) else value
        found[key], problem = _CHECKS.get(key, _as_is)(clean)
        if problem:
            errors[key] = problem
    if errors:
        raise InvalidRequest("Some settings of the connection cannot stand.", errors=errors)
    return found


Checked = tuple[Any, str]


def _as_is(value: Any) -> Checked:
    return value, ""


def _name(value: str) -> Checked:
    if value in RESERVED:
        return value, f"“{value}” stands in the address of a page of ours. Choose another name."
    if not _SLUG.fullmatch(value):
        return value, (
            "A name is lower case letters, digits, - and _, at most 60. It stands in addresses "
            "and in agents' code."
        )
    return value, ""


def _description(value: str) -> Checked:
    return value, "" if len(value) <= 400 else "A description has at most 400 characters."  # noqa: PLR2004  the column's width


def _account(value: str) -> Checked:
    value = account_from(value)
    if _ACCOUNT.fullmatch(value):
        return value, ""
    return value, (
        "Write the account identifier as Snowflake shows it under Account details, for example "
        "MYORG-ACCOUNT1."
    )


def _host(value: str) -> Checked:
    if value and not _HOST.fullmatch(value):
        return value, (
            "Write the host alone, without https:// and path, for example "
            "acme.snowflakecomputing.com."
        )
    # An admin of one connection must not be able to point the gateway at its own network.
    if value and not settings.LOCAL and not value.lower().endswith(SNOWFLAKE_DOMAINS):
        return value, (
            "The host must end with snowflakecomputing.com or snowflakecomputing.cn, so that a "
            "credential never goes elsewhere. PrivateLink hosts do too."
        )
    return value, ""


def _protocol(value: str) -> Checked:
    if value not in {"https", "http"}:
        return value, "The protocol is https, or http for local use."
    if value == "http" and not settings.LOCAL:
        return value, (
            "Plain http would send the credential in clear, so it works only in local mode. "
            "Choose https."
        )
    return value, ""


def _between(low: int, high: int, value: Any) -> Checked:
    fits = isinstance(value, int) and low <= value <= high
    return value, "" if fits else f"Write a number from {low:,} to {high:,}."


def _object(value: str) -> Checked:
    name = stored_name(value)
    fits = len(name) <= 120 and name.isprintable()  # noqa: PLR2004  the column's width
    return name, "" if fits else "A name is one line of at most 120 characters."


def _databases(values: list[str]) -> Checked:
    names = [_object(value) for value in values if value.strip()]
    return list(dict.fromkeys(name for name, _ in names)), next((p for _, p in names if p), "")


def _queue(value: str) -> Checked:
    fits = _QUEUE.fullmatch(value)
    return value, "" if fits else "A queue's name is letters, digits, dots, - and _, like hoopweb."


_CHECKS: dict[str, Callable[[Any], Checked]] = {
    "name": _name,
    "description": _description,
    "account": _account,
    "host": _host,
    "protocol": _protocol,
    "port": partial(_between, 1, 65_535),
    "max_rows": lambda value: _between(1, settings.RESULT_MAX_ROWS, value),
    "timeout_seconds": lambda value: _between(1, settings.STATEMENT_TIMEOUT_SECONDS, value),
    "warehouse": _object,
    "database": _object,
    "schema": _object,
    "role": _object,
    "catalogue_databases": _databases,
    "queue": _queue,
}
