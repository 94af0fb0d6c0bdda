"""Connections that may be seen, and whether they may be used."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Exists, OuterRef
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from connections.models import Connection
from gateway.rest.door import Door, Scopes
from gateway.rest.serializers.connections import ConnectionOut, ConnectionQuery


def _connections(door: Door) -> Any:
    usable = Connection.objects.usable_by(door.principal).filter(pk=OuterRef("pk"))
    return Connection.objects.visible_to(door.viewer).annotate(usable=Exists(usable))


class Connections(Door):
    """What there is to send statements through."""

    scopes: ClassVar[Scopes] = {"GET": None}
    ordering = ("name", "id")

    @extend_schema(
        operation_id="list_connections",
        summary="List connections",
        parameters=[ConnectionQuery],
        responses=ConnectionOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        asked = self.query(ConnectionQuery)
        rows = _connections(self)
        if "usable" in asked:
            rows = rows.filter(usable=asked["usable"])
        return self.page(rows, ConnectionOut, asked)


class ConnectionDetail(Door):
    """One of them."""

    scopes: ClassVar[Scopes] = {"GET": None}

    @extend_schema(
        operation_id="get_connection", summary="Get a connection", responses=ConnectionOut
    )
    def get(self, _request: Request, connection_id: UUID) -> Response:
        return Response(
            ConnectionOut(self.one(_connections(self), connection_id, "connection")).data
        )
