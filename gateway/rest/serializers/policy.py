"""Rules, protections, and what they would say of a statement."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from connections.policy.types import Effect
from gateway.rest.fields import Flag, Id, OneOf, Query, QueryWhole, Strict, Text, Whole, Words
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.common import ConnectionRef, Out, ProtectionUse, ReasonOut

EFFECTS = [e.value for e in Effect]


class PolicyQuery(PageQuery):
    """Filters of both lists."""

    connection = Id(required=False)


class RevisionQuery(Query):
    """The revision that was looked at; another one meanwhile is a 409."""

    revision = QueryWhole(required=False, min_value=0, max_value=2**31 - 1)


class RuleOut(Out):
    """One ordered line of policy. The first rule that matches decides."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    connection = ConnectionRef(source="*")
    position = serializers.IntegerField()
    effect = OneOf(choices=EFFECTS)
    match = serializers.DictField(child=serializers.JSONField())
    reviewers = serializers.ListField(child=serializers.CharField())
    votes = serializers.IntegerField()
    expires_minutes = serializers.IntegerField()
    note = serializers.CharField()
    enabled = serializers.BooleanField()
    revision = serializers.IntegerField()


class _Plain(serializers.JSONField):
    """JSON whose strings can be kept and whose numbers are not absurd."""

    def to_internal_value(self, data: Any) -> Any:
        _check(data)
        return data


def _check(data: Any) -> None:
    if isinstance(data, str):
        Text(allow_blank=True, max_length=1000).run_validation(data)
    elif isinstance(data, list):
        for each in data:
            _check(each)
    elif isinstance(data, dict):
        for key, each in data.items():
            _check(key)
            _check(each)
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        raise ValidationError("This number is too large.")


class _Match(serializers.DictField):
    """Keys that the engine knows; the service says which."""

    child = _Plain()

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        if not isinstance(data, dict):
            raise ValidationError("This must be a JSON object.")
        _check(data)
        return data


class RuleChange(Strict):
    """Fields to change; the rest stays. `revision` is the one you looked at."""

    effect = OneOf(choices=EFFECTS, required=False)
    match = _Match(required=False)
    reviewers = Words(required=False, max_length=50)
    votes = Whole(required=False, min_value=1, max_value=10)
    expires_minutes = Whole(required=False, min_value=1, max_value=10_080)
    note = Text(required=False, allow_blank=True, max_length=400)
    enabled = Flag(required=False)
    revision = Whole(required=False, min_value=0, max_value=2**31 - 1)


class RuleIn(Strict):
    """A new rule, at `place` (1 is first) or last."""

    connection = Text(max_length=60, help_text="Name or id of the connection.")
    slug = Text(max_length=60)
    effect = OneOf(choices=EFFECTS)
    match = _Match(required=False)
    reviewers = Words(required=False, max_length=50)
    votes = Whole(required=False, min_value=1, max_value=10)
    expires_minutes = Whole(required=False, min_value=1, max_value=10_080)
    note = Text(required=False, allow_blank=True, max_length=400)
    enabled = Flag(required=False)
    place = Whole(required=False, min_value=1, max_value=10_000)


class RuleMove(Strict):
    """A new place for the rule; 1 is first."""

    place = Whole(min_value=1, max_value=10_000)
    policy_revision = Whole(required=False, min_value=0, max_value=2**31 - 1)


class ProtectionOut(Out):
    """A protected column, or tag, and the mask its readers see."""

    id = serializers.UUIDField()
    connection = ConnectionRef(source="*")
    database = serializers.CharField()
    schema = serializers.CharField()
    table = serializers.CharField()
    column = serializers.CharField()
    tag = serializers.CharField()
    strategy = serializers.CharField()
    options = serializers.DictField(child=serializers.JSONField())
    note = serializers.CharField()
    enabled = serializers.BooleanField()
    revision = serializers.IntegerField()


class ProtectionChange(Strict):
    """Fields to change; the rest stays."""

    database = Text(required=False, max_length=120)
    schema = Text(required=False, max_length=120)
    table = Text(required=False, max_length=120)
    column = Text(required=False, allow_blank=True, max_length=120)
    tag = Text(required=False, allow_blank=True, max_length=200)
    strategy = Text(required=False, max_length=30)
    options = _Match(required=False)
    note = Text(required=False, allow_blank=True, max_length=400)
    enabled = Flag(required=False)
    revision = Whole(required=False, min_value=0, max_value=2**31 - 1)


class ProtectionIn(Strict):
    """A column (globs allowed) or a tag to protect."""

    connection = Text(max_length=60, help_text="Name or id of the connection.")
    database = Text(required=False, max_length=120)
    schema = Text(required=False, max_length=120)
    table = Text(required=False, max_length=120)
    column = Text(required=False, allow_blank=True, max_length=120)
    tag = Text(required=False, allow_blank=True, max_length=200)
    strategy = Text(max_length=30)
    options = _Match(required=False)
    note = Text(required=False, allow_blank=True, max_length=400)
    enabled = Flag(required=False)


class SimulateIn(Strict):
    """A statement to judge. Nothing runs and nothing is recorded."""

    connection = Text(max_length=60, help_text="Name or id of the connection.")
    sql = Text()
    agent = Id(
        required=False,
        allow_null=True,
        help_text="People: judge it as this agent's. Agents are always judged as themselves.",
    )
    door = OneOf(choices=["snowflake", "rest", "mcp"], required=False)


class ColumnUseOut(Out):
    """One column and one way in which the statement uses it."""

    column = serializers.CharField()
    use = serializers.CharField()
    function = serializers.CharField(allow_null=True)


class TermsOut(Out):
    """Who would have to agree."""

    reviewers = serializers.ListField(child=serializers.CharField())
    votes = serializers.IntegerField()
    expires_minutes = serializers.IntegerField()


class SimulateOut(Out):
    """What would happen to the statement now."""

    effect = OneOf(choices=EFFECTS)
    reasons = ReasonOut(many=True)
    protections = ProtectionUse(many=True)
    terms = TermsOut(allow_null=True)
    statement_class = serializers.CharField()
    reads = serializers.ListField(child=serializers.CharField())
    writes = serializers.ListField(child=serializers.CharField())
    columns = ColumnUseOut(many=True)
    sql_sent = serializers.CharField(allow_null=True)
    masked_outputs = serializers.ListField(child=serializers.CharField())
    policy_revision = serializers.IntegerField()
