"""What a bearer token proves, and the one way in which it is refused."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import Agent
from accounts.principal import Principal
from hoopweb.lib.errors import ErrorCode, HoopwebError


@dataclass(frozen=True, slots=True)
class Bearer:
    """An agent that has proved itself, until ``expires_at``.

    ``token_id`` names an agent token; ``issuer`` and ``jti`` a provider's token. To what scopes and
    connections the credential is narrowed, and whom the agent acts for, the principal says.
    ``session_until`` bounds a session that outlasts the credential, where one may.
    """

    principal: Principal
    agent: Agent = field(repr=False, compare=False)
    door: str
    expires_at: datetime
    token_id: UUID | None = None
    issuer: str = ""
    jti: str = ""
    session_until: datetime | None = None

    @property
    def agent_id(self) -> UUID:
        return self.principal.id

    @property
    def scopes(self) -> frozenset[str] | None:
        return self.principal.scopes


class BearerRefused(HoopwebError):
    """The token opens nothing. ``detail`` may be shown to anybody who sends it; ``why`` is a word
    for the audit trail, ``about`` what is known of whom it concerns.
    """

    code = ErrorCode.NOT_AUTHENTICATED
    status = 401

    def __init__(self, why: str, detail: str, **about: Any) -> None:
        super().__init__(detail)
        self.why = why
        self.about = about


class ProviderAway(BearerRefused):
    """Nothing is wrong with the token as far as is known: its issuer's keys cannot be had."""

    code = ErrorCode.PROVIDER_UNAVAILABLE
    status = 503


class TooManyRefused(BearerRefused):
    """So many of this address's tokens were refused that no more is said."""

    code = ErrorCode.TOO_MANY_REQUESTS
    status = 429
