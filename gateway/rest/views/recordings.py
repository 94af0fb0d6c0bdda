"""Recordings to take away, and the checkpoints they are held against."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.principal import TokenScope
from gateway.rest.door import Door, Scopes
from gateway.rest.paging import PageQuery
from gateway.rest.result_formats import RawRenderer
from gateway.rest.serializers.recordings import CheckpointOut
from hoopweb.lib.errors import NotAllowed
from recordings import export
from recordings.models import Checkpoint, Session
from recordings.services import audit


class ZipRenderer(RawRenderer):
    """A bundle of files."""

    media_type = "application/zip"
    format = "zip"


class RecordingExport(Door):
    """A session as a bundle that proves itself."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SESSIONS}
    renderer_classes = [ZipRenderer]

    @extend_schema(
        operation_id="export_recording",
        summary="Export a recording",
        description="Events, bodies and their proof as a zip; `VERIFY.md` in it says how to check "
        "it without this installation. The export is itself recorded.",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, _request: Request, session_id: UUID) -> HttpResponse:
        session = self.one(Session.objects.visible_to(self.viewer), session_id, "recording")
        audit(
            actor=self.principal.as_actor(),
            action="recording-exported",
            kind="session",
            object_id=str(session.pk),
            object_name=str(session),
            address=self.principal.address,
        )
        answer = HttpResponse(export.bundle(session), content_type="application/zip")
        answer["Content-Disposition"] = f'attachment; filename="{export.name_of(session)}"'
        return answer


def _checkpoints(viewer: Any) -> Any:
    """Raises NotAllowed for those who neither audit nor administer anything."""
    if not isinstance(viewer, User) or not (viewer.audits or viewer.is_admin):
        raise NotAllowed("Only auditors and admins read checkpoints. Ask an admin for the role.")
    return Checkpoint.objects.all()


class Checkpoints(Door):
    """Signed tree heads."""

    scopes: ClassVar[Scopes] = {"GET": None}
    ordering = ("-number",)

    @extend_schema(
        operation_id="list_checkpoints",
        summary="List checkpoints",
        parameters=[PageQuery],
        responses=CheckpointOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        rows = _checkpoints(self.viewer)
        return self.page(rows, CheckpointOut, self.query(PageQuery))


class CheckpointDetail(Door):
    """One of them."""

    scopes: ClassVar[Scopes] = {"GET": None}

    @extend_schema(
        operation_id="get_checkpoint", summary="Get a checkpoint", responses=CheckpointOut
    )
    def get(self, _request: Request, number: int) -> Response:
        found = self.one(_checkpoints(self.viewer), number, "checkpoint")
        return Response(CheckpointOut(found).data)
