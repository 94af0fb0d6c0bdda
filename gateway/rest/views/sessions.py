"""Sessions: opened, spoken into, read, closed."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.principal import TokenScope
from gateway.rest.door import Door, Scopes
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.sessions import (
    EventOut,
    MessageIn,
    SessionIn,
    SessionOut,
    SessionQuery,
)
from hoopweb.lib.errors import NotAllowed
from recordings import services
from recordings.models import Session

_CLIENT = 200


class _Session(Door):
    """What every view of one session needs."""

    def seen(self, session_id: UUID) -> Session:
        return self.one(Session.objects.visible_to(self.viewer), session_id, "session")

    def mine(self, session_id: UUID) -> Session:
        """Raises NotAllowed for those who may read it and did not make it."""
        session = self.seen(session_id)
        if session.principal_id != self.principal.id:
            raise NotAllowed(
                f"Only {session.principal_name}, whose session this is, writes into it."
            )
        return session


class Sessions(Door):
    """Open one, or list those you may see."""

    scopes: ClassVar[Scopes] = {
        "GET": TokenScope.SESSIONS,
        "POST": TokenScope.RUN,
    }
    ordering = ("-started_at", "-id")
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (404,)}

    @extend_schema(
        operation_id="list_sessions",
        summary="List sessions",
        parameters=[SessionQuery],
        responses=SessionOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        asked = self.query(SessionQuery)
        rows: Any = Session.objects.visible_to(self.viewer)
        if "connection" in asked:
            rows = rows.filter(connection_id=asked["connection"])
        if "state" in asked:
            rows = rows.filter(ended_at__isnull=asked["state"] == "open")
        return self.page(rows, SessionOut, asked)

    @extend_schema(
        operation_id="open_session",
        summary="Open a session",
        description="Not needed before a statement: one is opened for you, and continued.",
        request=SessionIn,
        responses={201: SessionOut},
    )
    def post(self, request: Request) -> Response:
        asked = self.body(SessionIn)
        connection = self.connection_named(asked["connection"])
        principal = self.principal
        session = services.open_session(
            actor=principal.as_actor(),
            owner_id=principal.owner_id,
            connection_id=connection.pk,
            connection_name=connection.name,
            door="rest",
            client=request.headers.get("User-Agent", "")[:_CLIENT],
            address=principal.address,
            title=asked.get("title", ""),
        )
        return Response(
            SessionOut(session).data,
            status=201,
            headers={"Location": self.address("session", session_id=session.pk)},
        )


class SessionDetail(_Session):
    """One session."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SESSIONS}

    @extend_schema(operation_id="get_session", summary="Get a session", responses=SessionOut)
    def get(self, _request: Request, session_id: UUID) -> Response:
        return Response(SessionOut(self.seen(session_id)).data)


class SessionClose(_Session):
    """The end of a session."""

    scopes: ClassVar[Scopes] = {"POST": TokenScope.RUN}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="close_session",
        summary="Close and seal a session",
        description="Idempotent. 409 while a statement of it is unfinished.",
        request=None,
        responses=SessionOut,
    )
    def post(self, _request: Request, session_id: UUID) -> Response:
        session = services.close_session(
            session_id=self.mine(session_id).pk, actor=self.principal.as_actor()
        )
        return Response(SessionOut(session).data)


class SessionMessages(_Session):
    """What the agent says while it works."""

    scopes: ClassVar[Scopes] = {"POST": TokenScope.RUN}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="post_message",
        summary="Record a message",
        description="A turn of your conversation, reasoning included. It appears in the replay.",
        request=MessageIn,
        responses={201: OpenApiResponse(EventOut, description="The event that keeps it.")},
    )
    def post(self, _request: Request, session_id: UUID) -> Response:
        session = self.mine(session_id)
        asked = self.body(MessageIn)
        event = services.add_message(
            session_id=session.pk,
            actor=self.principal.as_actor(),
            role=asked["role"],
            text=asked["text"],
        )
        return Response(
            EventOut(event).data,
            status=201,
            headers={"Location": self.address("session-events", session_id=session.pk)},
        )


class SessionEvents(_Session):
    """The chain, oldest first."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SESSIONS}
    ordering = ("number",)

    @extend_schema(
        operation_id="list_events",
        summary="Read a session's events",
        description="Oldest first. Reading someone else's session is itself recorded.",
        parameters=[PageQuery],
        responses=EventOut(many=True),
    )
    def get(self, _request: Request, session_id: UUID) -> Response:
        session = self.seen(session_id)
        asked = self.query(PageQuery)
        if session.principal_id != self.principal.id and "cursor" not in asked:
            services.audit(
                actor=self.principal.as_actor(),
                action="recording-viewed",
                kind="session",
                object_id=str(session.pk),
                object_name=str(session),
                address=self.principal.address,
            )
        return self.page(session.events.all(), EventOut, asked)
