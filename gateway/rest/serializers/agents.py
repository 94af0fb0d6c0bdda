"""Agents' tokens. The text of one stands in the answer to the request that made it, and nowhere
else.
"""

from django.utils import timezone
from rest_framework import serializers

from accounts.models import AgentToken
from accounts.principal import TokenScope
from accounts.services.tokens import MAX_OVERLAP, OVERLAP
from gateway.rest.fields import Id, OneOf, Strict, Text, Whole, Words
from gateway.rest.serializers.common import Out

_SCOPES = [str(scope) for scope in TokenScope]
_HOUR = 3600


class TokenOut(Out):
    """A token as it may be shown at any time: found by its key id, proved by nothing here."""

    id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]
    key_id = serializers.CharField(help_text="The part of the token that names it in the trail.")
    live = serializers.SerializerMethodField(help_text="It opens something now.")
    scopes = serializers.ListField(child=OneOf(choices=_SCOPES))
    connections = serializers.ListField(
        child=serializers.UUIDField(), help_text="Empty: every connection that the agent may use."
    )
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="Empty: from anywhere."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(allow_null=True)

    def get_live(self, row: AgentToken) -> bool:
        return row.is_live(timezone.now())


class TokenIssued(Out):
    """A new token. ``text`` is shown this once: nobody can show it again."""

    token = TokenOut()
    text = serializers.CharField(help_text="Put it into the agent's secret store at once.")


class TokenIn(Strict):
    """A token to issue. What is left out is as wide as it may be."""

    label = Text(max_length=120, help_text="Where it is used.")  # type: ignore[assignment]
    days = Whole(required=False, min_value=1, max_value=3650)
    scopes = serializers.ListField(
        child=OneOf(choices=_SCOPES), required=False, min_length=1, max_length=10
    )
    connections = serializers.ListField(child=Id(), required=False, max_length=100)
    networks = Words(required=False, max_length=50, help_text="In CIDR form.")


class TokenRotation(Strict):
    """For how long both tokens work."""

    overlap_hours = Whole(
        required=False,
        default=int(OVERLAP.total_seconds()) // _HOUR,
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()) // _HOUR,
    )
