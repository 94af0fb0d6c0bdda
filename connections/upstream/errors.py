"""Three answers other than success, told apart because each calls for something else."""


class UpstreamFailure(Exception):
    """Whatever kept a statement from giving its result."""


class UpstreamError(UpstreamFailure):
    """Snowflake said no. The statement has not taken effect."""

    def __init__(
        self, code: str, sqlstate: str | None, message: str, query_id: str | None = None
    ) -> None:
        super().__init__(code, sqlstate, message, query_id)
        self.code = code
        self.sqlstate = sqlstate
        self.message = message
        self.query_id = query_id

    def __str__(self) -> str:
        return f"{self.code} ({self.sqlstate or '-'}): {self.message}"


class LoginRefused(UpstreamError):
    """Snowflake does not accept the credential, the role or the account."""


class SessionLost(UpstreamError):
    """The session is over and nothing was run in it; log in again."""


class StatementTimedOut(UpstreamError):
    """The statement overran its time and was ended, with no effect."""


class UpstreamUnreachable(UpstreamFailure):
    """Nothing was sent: the statement has surely not run."""


class OutcomeUnknown(UpstreamFailure):
    """Sent, and the answer is lost. Ask with ``find``; never send it again."""

    def __init__(
        self, message: str, *, request_id: str | None = None, query_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.query_id = query_id
