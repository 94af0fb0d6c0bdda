"""How large the warehouse is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """How many rows of each."""

    customers: int = 50_000
    orders: int = 300_000
    lines: int = 1_000_000
    products: int = 2_000
    stores: int = 120
    returns: int = 60_000
    contacts: int = 100_000
    tickets: int = 40_000


SMALL = Scale(
    customers=1_000,
    orders=6_000,
    lines=20_000,
    products=200,
    stores=120,
    returns=1_200,
    contacts=2_000,
    tickets=800,
)
