"""Legal moves of a state, as the database checks them."""

from collections.abc import Iterable
from enum import StrEnum

from django.db.models import Q


def pairs(transitions: Iterable[tuple[StrEnum, StrEnum]]) -> Q:
    """A condition on ``source`` and ``target`` that holds for these moves and no other."""
    condition = Q(pk__in=[])
    for source, target in sorted(transitions):
        condition |= Q(source=source.value, target=target.value)
    return condition
