"""Checkpoints, as they were signed."""

from rest_framework import serializers

from gateway.rest.serializers.common import Out


class CheckpointOut(Out):
    """A signed tree head over all sealed sessions; `body` is what was signed."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    session_count = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]
    previous = serializers.CharField()
    key_id = serializers.CharField()
    body = serializers.DictField(child=serializers.JSONField())
    signature = serializers.CharField()
