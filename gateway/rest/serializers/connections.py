"""Connections, as those who send statements through them see them."""

from rest_framework import serializers

from connections.models import Connection
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.common import Out


class ConnectionQuery(PageQuery):
    """Filters of the list."""

    usable = serializers.BooleanField(
        required=False, help_text="Only those through which you may send statements now."
    )


class ConnectionOut(Out):
    """Where it leads and how much a statement may take. Host and credential are not shown."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    account = serializers.CharField()
    warehouse = serializers.CharField()
    database = serializers.CharField()
    schema = serializers.CharField()
    role = serializers.CharField()
    max_rows = serializers.IntegerField()
    timeout_seconds = serializers.IntegerField()
    active = serializers.BooleanField(source="is_active")
    usable = serializers.SerializerMethodField(help_text="You may send statements through it now.")
    policy_revision = serializers.IntegerField()
    catalogue_version = serializers.IntegerField()

    def get_usable(self, row: Connection) -> bool:
        return bool(getattr(row, "usable", False))
