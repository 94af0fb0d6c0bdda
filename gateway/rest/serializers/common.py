"""Shapes that several resources share."""

from typing import Any

from rest_framework import serializers

from gateway.rest.fields import OneOf

Out = serializers.Serializer[Any]


class Ref(Out):
    """An id with the name that people know it by."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class PrincipalOut(Out):
    """Who acted."""

    kind = OneOf(choices=["agent", "person"], source="principal_kind")
    id = serializers.UUIDField(source="principal_id")
    name = serializers.CharField(source="principal_name")
    on_behalf_of = serializers.SerializerMethodField(
        help_text="The person an agent acts for; empty for people."
    )

    def get_on_behalf_of(self, row: Any) -> str:
        kept = getattr(row, "principal", None)
        if isinstance(kept, dict):
            return str(kept.get("on_behalf_of") or "")
        return str(getattr(row, "on_behalf_of", ""))


class ConnectionRef(Out):
    """The connection, whose name is kept where the connection itself may change."""

    id = serializers.UUIDField(source="connection_id")
    name = serializers.SerializerMethodField()

    def get_name(self, row: Any) -> str:
        return str(getattr(row, "connection_name", None) or row.connection.name)


class ReasonOut(Out):
    """Why, and what would be allowed instead."""

    code = serializers.CharField()
    text = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    way_out = serializers.CharField(help_text="What would be allowed; empty where nothing would.")


class ProtectionUse(Out):
    """A protected column that the statement meets, and the mask it wears."""

    column = serializers.CharField()
    strategy = serializers.CharField()
    uses = serializers.ListField(child=serializers.CharField())


class ColumnOut(Out):
    """A result column. The values of a masked one are not the stored ones."""

    name = serializers.CharField()
    type = serializers.CharField()
    masked = serializers.BooleanField()
