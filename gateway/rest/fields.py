"""Fields that take what they say and nothing that can be bent into it."""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError


class Text(serializers.CharField):
    """A string. Numbers are not strings; white space is kept."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("This must be a string.")
        return str(super().to_internal_value(data))


class Id(serializers.UUIDField):
    """A UUID in its usual form."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        try:
            found = uuid.UUID(data) if isinstance(data, str) else None
        except ValueError:
            found = None
        if found is None or str(found) != data.lower():
            raise ValidationError("This must be an id such as 3f2b8c1e-….")
        return found


class Whole(serializers.IntegerField):
    """A whole number, not a string that looks like one, not true."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("This must be a whole number.")
        return data


class Seconds(serializers.FloatField):
    """A number of seconds."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise ValidationError("This must be a number of seconds.")
        return float(min(data, 10**9)) if isinstance(data, int) else data


class Flag(serializers.BooleanField):
    """true or false, not words for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise ValidationError("This must be true or false.")
        return data


class OneOf(serializers.ChoiceField):
    """One of a few words. A refusal names these, never what was sent: that may be a secret."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            raise ValidationError(f"This must be one of: {', '.join(map(str, self.choices))}.")
        return data


class Words(serializers.ListField):
    """A list of strings."""

    child = Text(max_length=400)


class Strict(serializers.Serializer[Any]):
    """A body or a query whose unknown fields are refused by name: a typing error never passes
    for a default.
    """

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError({"": ["The body must be a JSON object."]})
        unknown = sorted(str(name)[:80] for name in set(data) - set(self.fields))
        if unknown:
            known = ", ".join(self.fields)
            raise ValidationError(
                {name: [f"There is no such field. Known here: {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


class Query(Strict):
    """Parameters of the address. Each may stand there once."""

    def to_internal_value(self, data: Any) -> Any:
        if hasattr(data, "lists"):
            twice = {name: ["Give this once."] for name, values in data.lists() if len(values) > 1}
            if twice:
                raise ValidationError(twice)
            data = dict(data.items())
        return super().to_internal_value(data)


class QueryWhole(serializers.IntegerField):
    """A whole number in an address, where all is text."""

    default_error_messages = {"invalid": "This must be a whole number."}


class QuerySeconds(serializers.FloatField):
    """A number of seconds in an address."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if value != value:  # noqa: PLR0124  nan passes every bound
            raise ValidationError("This must be a number of seconds.")
        return float(value)
