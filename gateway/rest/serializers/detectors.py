"""Detectors of results, and what is chosen for each."""

from rest_framework import serializers

from connections.masking.detectors import ACTIONS
from gateway.rest.fields import OneOf, Strict, Text, Whole
from gateway.rest.serializers.common import ConnectionRef, Out


class DetectorOut(Out):
    """What looks through every result, and what it does about what it finds."""

    name = serializers.CharField()
    connection = ConnectionRef(source="*")
    label = serializers.CharField()  # type: ignore[assignment]
    built_in = serializers.BooleanField()
    finds = serializers.CharField(help_text="In words; empty for a pattern of one's own.")
    pattern = serializers.CharField(help_text="As RE2 reads it; empty for one that is built in.")
    action = OneOf(choices=ACTIONS)
    revision = serializers.IntegerField()


class DetectorsOut(Out):
    """All of a connection, in the order in which they look."""

    results = DetectorOut(many=True)


class DetectorChange(Strict):
    """Fields to change; the rest stays. Of one that is built in, `action` alone can change."""

    action = OneOf(choices=ACTIONS, required=False)
    label = Text(required=False, allow_blank=True, max_length=80)  # type: ignore[assignment]
    pattern = Text(required=False, max_length=500)
    revision = Whole(required=False, min_value=0, max_value=2**31 - 1)


class DetectorIn(Strict):
    """A pattern of one's own. Readers see `[name]` in place of what it finds."""

    name = Text(max_length=41)
    pattern = Text(max_length=500, help_text="As RE2 reads it: no look-around, no back-references.")
    label = Text(required=False, allow_blank=True, max_length=80)  # type: ignore[assignment]
    action = OneOf(choices=ACTIONS, required=False)
