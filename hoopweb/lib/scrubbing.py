"""Secrets taken out of what is about to be logged: by the name of a value, by its shape, and the
gateway's own keys by what they are. The last net: nothing should carry a secret this far.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

GONE = "[redacted]"
_DEEPEST = 6
# Names that say what a value is; names that only speak about one (its id, its age) are let be.
_NAMES = re.compile(
    r"(?:pass(?:word|wd|phrase)|secret|token|authorization|cookie|credential|private_?key|api_?key"
    r"|pepper|jwt|assertion|saml_?response|sessionid|database_url|redis_url|dsn)s?$",
    re.IGNORECASE,
)
_HARMLESS = (bool, int, float, type(None))
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # A key in PEM, also one that was cut off, or whose lines were folded by repr.
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        GONE,
    ),
    # Agents' tokens, JWTs, sealed values, and the tokens of Vault and AWS.
    (re.compile(r"\bhwa_[A-Za-z0-9]{6,}_[A-Za-z0-9]+"), GONE),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), GONE),
    (re.compile(r"\bhw1\.[\w-]+\.[A-Za-z0-9_=-]{20,}"), GONE),
    (re.compile(r"\b(?:hv[sb]\.[\w-]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16})\b"), GONE),
    # Header values, whatever comes after the scheme.
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {GONE}"),
    (re.compile(r'(?i)(snowflake token=\\?["\'])[^"\'\\]+'), rf"\1{GONE}"),
    # user:password@ in an address.
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+@"), rf"\1{GONE}@"),
    # name=value and "name": "value" within a text.
    (
        re.compile(
            r"(?i)((?:access_|refresh_|id_|client_|session_|master_?)?(?:token|secret|password"
            r"|passphrase|assertion|samlresponse|private_key|authorization|x-vault-token)"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;)}\]]{4,}"
        ),
        rf"\1{GONE}",
    ),
)


class Scrubber:
    """A structlog processor. ``secrets`` are texts that must not appear whatever their shape."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= 8}, key=len, reverse=True)  # noqa: PLR2004 - shorter ones are words
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._value(key, value, 0) for key, value in event.items()}

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        if self._known:
            text = self._known.sub(GONE, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if isinstance(value, _HARMLESS):
            return value
        if depth > _DEEPEST or _NAMES.search(key):
            return GONE
        if isinstance(value, Mapping):
            return {k: self._value(str(k), v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", item, depth + 1) for item in value]
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        # Anything else is written as its repr; it is said here, so that it is looked at, too.
        return self.text(value if isinstance(value, str) else repr(value))
