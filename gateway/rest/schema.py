"""What the OpenAPI document says of every operation beyond its own answers."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from gateway.rest.fields import Strict

_SAID = {
    400: "The request is not valid; `errors` names each field.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "You are known, and may not do this.",
    404: "There is no such thing, or you may not see it.",
    406: "The answer has none of the formats asked for.",
    409: "It is too late, or too early, for this.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "Nothing can be recorded, so nothing runs; come back after `Retry-After`.",
}
_ALWAYS = (400, 401, 403, 406, 429, 503)
_WITH_BODY = (413, 415)


class ProblemError(serializers.Serializer[Any]):
    """One field and what is wrong with it."""

    field = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """An error (RFC 9457). Branch on `code`; it never changes."""

    type = serializers.CharField(help_text="Address of a page that explains the code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField(help_text="What happened, why, and what to do next.")
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]


class DoorSchema(AutoSchema):
    """Every operation may answer with a problem; bodies refuse unknown fields."""

    def get_tags(self) -> list[str]:
        return [self.path.strip("/").split("/")[2]]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        reference = self.resolve_serializer(Problem, "response").ref
        for status in self._problem_statuses():
            bodies.setdefault(
                str(status),
                {
                    "description": _SAID[status],
                    "content": {"application/problem+json": {"schema": reference}},
                },
            )
        return dict(sorted(bodies.items()))

    def _problem_statuses(self) -> tuple[int, ...]:
        own: dict[str, tuple[int, ...]] = getattr(self.view, "problems", {})
        found = (*_ALWAYS, *own.get(self.method, ()))
        if "{" in self.path:
            found += (404,)
        if self.method in {"POST", "PUT", "PATCH"}:
            found += _WITH_BODY
        return found

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, Strict):
            schema["additionalProperties"] = False
        return schema


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How an agent proves itself."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "agentToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "hwa_… or JWT",
            "description": "An agent token, which its owner issues under Agents, or a JWT of an "
            "issuer that an admin has set up under Settings.",
        }


class ConsoleSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a signed-in person's browser proves itself."""

    target_class = "accounts.authentication.ConsoleSessionAuthentication"
    name = "consoleSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        from django.conf import settings

        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The console's own session. Requests that change something also carry "
            "`X-CSRFToken`.",
        }


# Enumerations stand where they are used: two resources both have a ``state``, each its own.
SETTINGS: dict[str, Any] = {
    "POSTPROCESSING_HOOKS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["gateway.rest.schema.only_version_1"],
}


def only_version_1(endpoints: list[Any]) -> list[Any]:
    """Leave out what is not an endpoint of the API: the document itself, the catch-all."""
    return [each for each in endpoints if each[0].startswith("/api/v1/")]
