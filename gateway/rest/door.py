"""What every endpoint of this door shares: who asks, what was sent, how the answer is shaped."""

import re
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.urls import reverse
from rest_framework import exceptions, serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import principal_of, still_holds
from accounts.console import is_signed_in
from accounts.models import Agent, User
from accounts.principal import Principal, TokenScope
from connections.models import Connection
from gateway.rest.fields import Query, Strict
from gateway.rest.paging import Cursor
from gateway.rest.parsers import StrictJSONParser
from gateway.rest.problems import PROBLEM, ProblemRenderer
from gateway.rest.schema import DoorSchema
from gateway.rest.throttling import PerPrincipal
from hoopweb.lib.errors import InvalidRequest, NotAllowed, NotFound

M = TypeVar("M", bound=Model)
# What a token must be for, by method; None: any token.
Scopes = dict[str, TokenScope | None]
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


class Negotiation(DefaultContentNegotiation):
    """A format that does not exist is a 406, whether asked by header or by ``?format=``."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:  # noqa: A002
        found = [each for each in renderers if each.format == format]
        if not found:
            known = ", ".join(each.format for each in renderers)
            raise exceptions.NotAcceptable(f"There is no such format here. Known: {known}.")
        return found


class Door(APIView):
    """A view of this door. It parses, calls and renders, and decides nothing."""

    schema = DoorSchema()
    parser_classes = [StrictJSONParser]
    throttle_classes: list[Any] = [PerPrincipal]
    pagination_class = Cursor
    content_negotiation_class = Negotiation
    metadata_class = None
    # Statuses with a problem body beyond those that every operation has, by method.
    problems: ClassVar[dict[str, tuple[int, ...]]] = {}
    # A method that is not named here is closed to tokens; where any may come, the view decides.
    scopes: ClassVar[Scopes] = {}
    # Of lists: newest first, the last field unique.
    ordering: ClassVar[Sequence[str]] = ()

    @property
    def viewer(self) -> Any:
        """The person or agent for ``visible_to``; permissions have made sure there is one."""
        return self.request.user

    @cached_property
    def principal(self) -> Principal:
        return principal_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        held = self.principal.scopes
        method = request.method or ""
        if held is None or method == "OPTIONS" or not hasattr(self, method.lower()):
            return
        if method not in self.scopes:
            raise NotAllowed("Agents do not come here.")
        needed = self.scopes[method]
        if needed is not None and needed not in held:
            raise NotAllowed(
                f"This token is not for {needed}. Ask the agent's owner for one that is.",
                scope=str(needed),
            )

    def need_standing(self) -> None:
        """Raises NotAuthenticated when the credential of this request has ended meanwhile."""
        key = None if isinstance(self.request.user, Agent) else self._browser
        if not still_holds(self.principal) or (key is not None and not is_signed_in(key)):
            raise exceptions.NotAuthenticated(
                "Your access ended while you waited. What you asked for was stopped."
            )

    @property
    def _browser(self) -> str | None:
        session = getattr(self.request, "session", None)
        return session.session_key if session is not None else None

    @property
    def person(self) -> User:
        """The signed-in person. Raises NotAllowed for an agent."""
        if not isinstance(self.request.user, User):
            raise NotAllowed("Only people do this, in the console or with its session.")
        return self.request.user

    def body(self, shape: type[Strict], **kwargs: Any) -> dict[str, Any]:
        """The request's body in the shape asked for. Raises ValidationError."""
        serializer = shape(data=self.request.data, **kwargs)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def query(self, shape: type[Query]) -> dict[str, Any]:
        """The address's parameters in the shape asked for. Raises ValidationError."""
        asked = self.request.query_params.copy()
        # Content negotiation has dealt with it.
        asked.pop("format", None)
        serializer = shape(data=asked)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def one(self, rows: QuerySet[M], pk: uuid.UUID | int, what: str) -> M:
        """A row among those that may be seen. Raises NotFound, never telling which it was."""
        row = self.within_token(rows).filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no such {what}, or you may not see it.")
        return row

    def within_token(self, rows: QuerySet[M]) -> QuerySet[M]:
        """Rows on the connections that the credential is bound to, if it is bound."""
        limited = self.principal.token_connections
        if limited is None:
            return rows
        names = {field.name for field in rows.model._meta.get_fields()}  # noqa: SLF001
        if rows.model is Connection:
            field = "pk"
        elif names & {"connection", "connection_id"}:
            field = "connection_id"
        else:
            return rows
        return rows.filter(**{f"{field}__in": limited})

    def page(
        self,
        rows: QuerySet[Any],
        shape: type[serializers.Serializer[Any]],
        asked: dict[str, Any],
    ) -> Response:
        """One page of a list."""
        found, following = Cursor().page_of(
            self.within_token(rows), self.request, ordering=self.ordering, asked=asked
        )
        return Cursor.response(shape(found, many=True).data, following)

    def connection_named(self, named: str) -> Connection:
        """The connection of that name or id that the principal may use now. Raises NotFound."""
        return self.named(Connection.objects.usable_by(self.principal), named)

    def named(self, rows: QuerySet[Connection], named: str) -> Connection:
        """One of ``rows`` by name or id. Raises NotFound."""
        try:
            found = rows.filter(pk=uuid.UUID(named)).first()
        except ValueError:
            found = rows.filter(name=named).first()
        if found is None:
            raise NotFound(
                "There is no such connection, or you may not use it for this. "
                "GET /api/v1/connections lists those you may use."
            )
        return found

    def address(self, name: str, **kwargs: Any) -> str:
        return self.request.build_absolute_uri(reverse(f"api:{name}", kwargs=kwargs))

    def request_id(self) -> str:
        """The caller's ``Idempotency-Key``, or a fresh one."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return f"rest-{uuid.uuid4().hex}"
        if not _KEY.fullmatch(key):
            raise InvalidRequest(
                "Idempotency-Key is 1 to 200 visible ASCII characters, such as a UUID.",
                field="Idempotency-Key",
            )
        return key

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, Response) and response.content_type == PROBLEM:
            # Whatever format was asked for, an error has one form.
            renderer: BaseRenderer = ProblemRenderer()
            response.accepted_renderer = renderer
            response.accepted_media_type = PROBLEM
        return response
