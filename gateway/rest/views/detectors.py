"""Detectors of a connection's results: read by people, chosen by its admins."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import address_of
from accounts.principal import TokenScope
from connections import services
from connections.models import Connection, Detector
from gateway.rest.door import Door, Scopes
from gateway.rest.serializers.detectors import (
    DetectorChange,
    DetectorIn,
    DetectorOut,
    DetectorsOut,
)
from gateway.rest.serializers.policy import RevisionQuery
from hoopweb.lib.errors import InvalidRequest, NotFound


class _Detectors(Door):
    """People see the detectors of the connections that they see; agents do not."""

    def connection(self, connection_id: UUID) -> Connection:
        return self.one(Connection.objects.visible_to(self.person), connection_id, "connection")

    def chosen(self, connection: Connection, name: str) -> services.Chosen:
        for each in services.chosen_detectors(connection):
            if each.name == name:
                return each
        raise NotFound(f"{connection.name} has no such detector, or you may not see it.")

    @property
    def acting(self) -> dict[str, Any]:
        return {"by": self.person, "address": address_of(self.request)}


class Detectors(_Detectors):
    """All of a connection."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SIMULATE, "POST": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="get_detectors",
        summary="List the detectors of a connection",
        responses=DetectorsOut,
    )
    def get(self, _request: Request, connection_id: UUID) -> Response:
        found = services.chosen_detectors(self.connection(connection_id))
        return Response(DetectorsOut({"results": found}).data)

    @extend_schema(
        operation_id="create_detector",
        summary="Look for a pattern of your own",
        request=DetectorIn,
        responses={201: DetectorOut},
    )
    def post(self, _request: Request, connection_id: UUID) -> Response:
        connection = self.connection(connection_id)
        made = services.create_detector(
            connection=connection, **self.body(DetectorIn), **self.acting
        )
        return Response(
            DetectorOut(self.chosen(connection, made.name)).data,
            status=201,
            headers={
                "Location": self.address(
                    "detector", connection_id=connection.pk, detector=made.name
                )
            },
        )


class DetectorDetail(_Detectors):
    """One of them."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SIMULATE, "PATCH": None, "DELETE": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"PATCH": (409,), "DELETE": (409,)}

    @extend_schema(operation_id="get_detector", summary="Get a detector", responses=DetectorOut)
    def get(self, _request: Request, connection_id: UUID, detector: str) -> Response:
        return Response(DetectorOut(self.chosen(self.connection(connection_id), detector)).data)

    @extend_schema(
        operation_id="update_detector",
        summary="Change what a detector does",
        description="409 when `revision` is given and someone saved the detector meanwhile.",
        request=DetectorChange,
        responses=DetectorOut,
    )
    def patch(self, _request: Request, connection_id: UUID, detector: str) -> Response:
        connection = self.connection(connection_id)
        item = self.chosen(connection, detector)
        asked = self.body(DetectorChange)
        if not item.built_in:
            services.update_detector(detector=_row(item), **asked, **self.acting)
        elif "label" in asked or "pattern" in asked:
            raise InvalidRequest(f"{item.name} is built in: its action alone can change.")
        else:
            services.set_detector_action(
                connection=connection,
                name=item.name,
                action=asked.get("action", item.action),
                revision=asked.get("revision"),
                **self.acting,
            )
        return Response(DetectorOut(self.chosen(connection, detector)).data)

    @extend_schema(
        operation_id="delete_detector",
        summary="Stop looking for a pattern of your own",
        parameters=[RevisionQuery],
        responses={204: None},
    )
    def delete(self, _request: Request, connection_id: UUID, detector: str) -> Response:
        item = self.chosen(self.connection(connection_id), detector)
        asked = self.query(RevisionQuery)
        if item.built_in:
            raise InvalidRequest(f"{item.name} is built in. Set its action to off instead.")
        services.delete_detector(detector=_row(item), **asked, **self.acting)
        return Response(status=204)


def _row(item: services.Chosen) -> Detector:
    return Detector(id=item.id, connection=item.connection, name=item.name)
