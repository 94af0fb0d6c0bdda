"""Sessions, their messages and their events."""

from rest_framework import serializers

from gateway.rest.fields import Id, OneOf, Strict, Text
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.common import ConnectionRef, Out, PrincipalOut
from recordings.kinds import EventKind

ROLES = ("user", "assistant", "system", "tool")
MESSAGE_LENGTH = 100_000


class SessionIn(Strict):
    """A session to record into."""

    connection = Text(max_length=60, help_text="Name or id of the connection.")
    title = Text(required=False, allow_blank=True, max_length=200)


class SessionQuery(PageQuery):
    """Filters of the list."""

    connection = Id(required=False)
    state = OneOf(choices=["open", "sealed"], required=False)


class SessionOut(Out):
    """One recorded stretch of work."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    state = serializers.SerializerMethodField()
    principal = PrincipalOut(source="*")
    connection = ConnectionRef(source="*")
    door = serializers.CharField()
    client = serializers.CharField()
    started_at = serializers.DateTimeField()
    last_event_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    event_count = serializers.IntegerField()
    head = serializers.CharField(help_text="Hash of the last event.")
    seal = serializers.CharField(help_text="Hash over the whole session; empty while it is open.")

    def get_state(self, row: object) -> str:
        return "open" if getattr(row, "is_open", False) else "sealed"


class MessageIn(Strict):
    """A turn of your conversation, for the recording."""

    role = OneOf(choices=ROLES)
    text = Text(max_length=MESSAGE_LENGTH)


class PayloadRef(Out):
    """A sealed body that the event names by digest."""

    name = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    media_type = serializers.CharField()


class EventOut(Out):
    """One entry of the chain. `hash` covers everything else of it and its predecessor's hash."""

    number = serializers.IntegerField()
    kind = OneOf(choices=[k.value for k in EventKind])
    at = serializers.DateTimeField()
    actor = serializers.DictField(child=serializers.CharField(allow_blank=True))
    statement_id = serializers.UUIDField(allow_null=True)
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]
    payloads = PayloadRef(many=True)
    previous = serializers.CharField()
    hash = serializers.CharField()
