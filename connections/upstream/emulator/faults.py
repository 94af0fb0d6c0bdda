"""Faults to order: what a network and a service can do wrong, on demand."""

import re
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class Fault:
    """One order. ``match`` is a pattern on the statement's text; ``times`` how often it strikes;
    ``where`` is the request that it strikes: ``query``, ``result`` or ``chunk``.
    """

    match: str = ""
    where: str = "query"
    times: int = 1
    delay_before: float = 0.0
    delay_after: float = 0.0
    status_before: int = 0
    status_after: int = 0
    reset_after: bool = False
    expire_token: bool = False
    fail_code: str = ""
    fail_sqlstate: str = "42000"
    fail_message: str = "An error that was ordered."

    @classmethod
    def parse(cls, given: dict[str, Any]) -> "Fault":
        known = {field.name for field in fields(cls)}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"Unknown: {sorted(unknown)}. Known: {sorted(known)}.")
        fault = cls(**given)
        re.compile(fault.match)
        return fault


class Faults:
    """The orders that are still open."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []

    def take(self, where: str, sql: str) -> Fault:
        """The fault that strikes now, used up once; an empty one when nothing does."""
        for order in self.orders:
            if (
                order.where == where
                and order.times > 0
                and re.search(order.match, sql, re.IGNORECASE)
            ):
                order.times -= 1
                if order.times == 0:
                    self.orders.remove(order)
                return order
        return Fault(times=0)
