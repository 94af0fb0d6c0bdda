"""What each problem code means: one place for the page behind ``type``."""

from dataclasses import dataclass

from hoopweb.lib.errors import ErrorCode as E


@dataclass(frozen=True, slots=True)
class Meaning:
    """A code's usual status, what happened, and what to do then."""

    status: int
    happened: str
    then: str


MEANINGS: dict[E, Meaning] = {
    E.INVALID_REQUEST: Meaning(
        400,
        "A field is missing, unknown, or not of the kind that is taken.",
        "Read `errors`: it names each field. Mend them and send the request again.",
    ),
    E.NOT_AUTHENTICATED: Meaning(
        401,
        "There was no token, or one that is unknown, mistyped, expired or revoked.",
        "Send `Authorization: Bearer …` with an agent token (`hwa_…`), which the agent's owner "
        "issues under Agents, or with a JWT of an issuer that an admin has set up.",
    ),
    E.NOT_ALLOWED: Meaning(
        403,
        "You are known, and your roles do not cover this.",
        "The detail says which role it takes. An admin grants it under Settings.",
    ),
    E.NOT_FOUND: Meaning(
        404,
        "There is no such thing, or you may not see it: the two are not told apart.",
        "Check the id. If it is right, ask an admin for access.",
    ),
    E.METHOD_NOT_ALLOWED: Meaning(
        405, "The address exists, the method does not.", "`Allow` lists the methods there are."
    ),
    E.NOT_ACCEPTABLE: Meaning(
        406,
        "The answer has none of the formats that `Accept` or `?format=` asks for.",
        "Ask for one of those that the detail names.",
    ),
    E.UNSUPPORTED_MEDIA_TYPE: Meaning(
        415, "The body is not JSON.", "Send `Content-Type: application/json`."
    ),
    E.CONFLICT: Meaning(
        409,
        "What you ask does not fit what stands there now.",
        "Read it again, then decide. The detail says what stands in the way.",
    ),
    E.ILLEGAL_TRANSITION: Meaning(
        409,
        "It was decided, used or ended already, perhaps a moment ago by someone else.",
        "Read it again: `state` says how it ended.",
    ),
    E.IDEMPOTENCY_MISMATCH: Meaning(
        422,
        "This Idempotency-Key came before, with another statement.",
        "Use a new key for a new statement, and the same body for a retry.",
    ),
    E.RESULT_NOT_READY: Meaning(
        409,
        "The statement has not finished: it waits for a reviewer or a worker, or it runs.",
        "Ask again after `Retry-After` seconds, or get the statement with `?wait=60`.",
    ),
    E.TOO_LARGE: Meaning(
        413, "The body is larger than this endpoint takes.", "Send less, or in parts."
    ),
    E.TOO_MANY_REQUESTS: Meaning(
        429,
        "You asked more often in this minute than one principal may.",
        "Come back after `Retry-After` seconds. `wait` needs fewer requests than polling.",
    ),
    E.SELF_APPROVAL: Meaning(
        403,
        "This is your own request, or one of an agent that you answer for.",
        "Another reviewer has to decide.",
    ),
    E.STATEMENT_DENIED: Meaning(
        409,
        "Policy denied the statement, so it never ran and has no rows.",
        "`reasons` name the rule and why; `way_out` says what would be allowed instead.",
    ),
    E.UPSTREAM_FAILED: Meaning(
        409,
        "Snowflake took the statement and answered with an error, or there is no result.",
        "The detail is Snowflake's own text. Mend the statement and send a new one.",
    ),
    E.STORE_UNAVAILABLE: Meaning(
        503,
        "Nothing can be recorded, so nothing runs.",
        "Try again after `Retry-After` seconds with the same Idempotency-Key: it runs once.",
    ),
    E.PROVIDER_UNAVAILABLE: Meaning(
        503,
        "The issuer of your token does not answer, so its keys are not known now.",
        "Try again after `Retry-After` seconds with the same Idempotency-Key: it runs once.",
    ),
    E.INTERNAL: Meaning(
        500,
        "Something failed on our side.",
        "Try again with the same Idempotency-Key. If it stays, tell an admin the reference.",
    ),
}
