"""Filters of a query: a part that the database can answer first, then the whole to the letter."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from scim2_models import ScimFilter
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

# Where the database keeps an attribute, and whether capitals count there.
USER_FIELDS = {
    "id": ("pk", True),
    "username": ("user__username", False),
    "externalid": ("external_id", True),
}
GROUP_FIELDS = {
    "id": ("pk", True),
    "displayname": ("name", False),
    "externalid": ("external_id", True),
}


def narrowing(filter_: ScimFilter[Any], fields: dict[str, tuple[str, bool]]) -> Q:
    """A condition that every match meets; what it lets through is matched again."""
    return _of(filter_.ast, fields)


def _of(node: FilterNode, fields: dict[str, tuple[str, bool]]) -> Q:
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_:
        found = Q()
        for each in node.terms:
            found &= _of(each, fields)
        return found
    if not isinstance(node, Comparison) or node.op != CompareOperator.eq:
        return Q()
    path = node.attr_path
    known = fields.get(path.attr.lower()) if not path.sub_attr else None
    if known is None or not isinstance(node.value, str):
        return Q()
    name, exact = known
    if name == "pk":
        return _with_id(node.value)
    return Q(**{name if exact else f"{name}__iexact": node.value})


def _with_id(text: str) -> Q:
    try:
        return Q(pk=UUID(text))
    except ValueError:
        return Q(pk__in=[])
