"""The RETAIL schema: who bought what, where, and what came back."""

from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
import pyarrow as pa

from connections.upstream.emulator.warehouse import words
from connections.upstream.emulator.warehouse.numbers import (
    Floats,
    Ints,
    dates,
    joined,
    moments,
    money,
    padded,
    sampled,
    texts,
    weighted,
)
from connections.upstream.emulator.warehouse.places import CITIES, LOSSES, RETURN_FACTORS
from connections.upstream.emulator.warehouse.scale import Scale

# Fixed, so that every run tells the same story.
LAST_DAY = date(2026, 10, 31)
DAYS = 730
QUARTER = 92
_EPOCH_DAY = int(datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC).timestamp()) // (
    86_400
)
FIRST = _EPOCH_DAY - DAYS + 1

_SEGMENTS = ("Consumer", "Small business", "Education", "Trade")
_TIERS = ("Basic", "Silver", "Gold", "Platinum")
_CHANNELS = ("Store", "Web", "App")
_STATUSES = ("Delivered", "Shipped", "Cancelled")


class Retail:
    """All tables of the schema, as Arrow; each draws from a generator of its own seed."""

    def __init__(self, scale: Scale, seed: int) -> None:
        self.scale = scale
        self._seed = seed
        self.city_weights = np.array([city.weight for city in CITIES])

    def rng(self, table: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, table])

    @cached_property
    def customer_city(self) -> Ints:
        return weighted(self.rng(1), self.city_weights, self.scale.customers)

    @cached_property
    def store_city(self) -> Ints:
        """Every city has a store; the rest follow the customers."""
        more = weighted(self.rng(2), self.city_weights, self.scale.stores - len(CITIES))
        return np.sort(np.concatenate([np.arange(len(CITIES)), more]))

    def _store_in(self, rng: np.random.Generator, city: Ints) -> Ints:
        first = np.searchsorted(self.store_city, city, side="left")
        last = np.searchsorted(self.store_city, city, side="right")
        return first + (rng.random(len(city)) * (last - first)).astype(np.int64)

    @cached_property
    def prices(self) -> Ints:
        rng = self.rng(3)
        low = np.array([category[2] for category in words.CATEGORIES])[self.product_category]
        high = np.array([category[3] for category in words.CATEGORIES])[self.product_category]
        cents = np.exp(np.log(low) + rng.beta(1.6, 3.2, len(low)) * (np.log(high) - np.log(low)))
        return np.asarray((np.round(cents / 100) * 100 - 1).clip(99), dtype=np.int64)

    @cached_property
    def product_category(self) -> Ints:
        return self.rng(4).integers(0, len(words.CATEGORIES), self.scale.products)

    @property
    def order_customer(self) -> Ints:
        return self._placed[0]

    @property
    def order_day(self) -> Ints:
        """Days since the first."""
        return self._placed[1]

    @cached_property
    def _placed(self) -> tuple[Ints, Ints]:
        """Who ordered, and when: busy before Christmas, slow in February, growing all along."""
        rng = self.rng(5)
        loyalty = rng.pareto(1.9, self.scale.customers) + 0.15
        customer = weighted(rng, loyalty, self.scale.orders)
        weights = self._season(np.arange(DAYS))
        days = weighted(rng, weights, self.scale.orders)
        # Cities that lost custom: part of what would be last quarter's happened earlier.
        loss = np.array([LOSSES.get(city.name, 0.0) for city in CITIES])
        city = self.customer_city[customer]
        moved = (days >= DAYS - QUARTER) & (rng.random(len(days)) < loss[city])
        days[moved] = weighted(rng, weights[: DAYS - QUARTER], int(moved.sum()))
        # Orders are numbered as they come in.
        order = np.argsort(days, kind="stable")
        return customer[order], days[order]

    def _season(self, day: Ints) -> Floats:
        of_year = (day + FIRST) % 365.25
        yearly = 1 + 0.18 * np.sin((of_year - 110) / 365.25 * 2 * np.pi)
        christmas = 1.1 * np.exp(-(((of_year - 345) / 16) ** 2))
        weekday = np.array([0.86, 0.84, 0.9, 1.0, 1.24, 1.42, 0.92])[(day + FIRST + 3) % 7]
        growth = 1 + 0.16 * day / DAYS
        return np.asarray((yearly + christmas) * weekday * growth, dtype=np.float64)

    @cached_property
    def lines_of_order(self) -> Ints:
        orders, lines = self.scale.orders, self.scale.lines
        extra = self.rng(7).integers(0, orders, lines - orders)
        return 1 + np.bincount(extra, minlength=orders)

    @cached_property
    def line_order(self) -> Ints:
        return np.repeat(np.arange(self.scale.orders), self.lines_of_order)

    @cached_property
    def line_product(self) -> Ints:
        rng = self.rng(8)
        return weighted(rng, rng.pareto(1.3, self.scale.products) + 0.1, self.scale.lines)

    @cached_property
    def line_quantity(self) -> Ints:
        return 1 + weighted(self.rng(9), np.array([70.0, 18.0, 7.0, 3.0, 2.0]), self.scale.lines)

    @cached_property
    def line_discount(self) -> Ints:
        """Percent."""
        steps = np.array([0, 0, 0, 0, 5, 10, 15, 20])
        return steps[self.rng(10).integers(0, len(steps), self.scale.lines)]

    @cached_property
    def line_amount(self) -> Ints:
        gross = self.prices[self.line_product] * self.line_quantity
        return np.asarray(gross * (100 - self.line_discount) // 100, dtype=np.int64)

    @cached_property
    def order_total(self) -> Ints:
        starts = np.concatenate([[0], np.cumsum(self.lines_of_order)[:-1]])
        return np.add.reduceat(self.line_amount, starts)

    @cached_property
    def order_second(self) -> Ints:
        """Seconds since the epoch, in the hours in which people shop."""
        rng = self.rng(11)
        hours = np.clip(rng.normal(14.5, 4.2, self.scale.orders), 0, 23.99)
        return np.asarray((self.order_day + FIRST) * 86_400 + (hours * 3600), dtype=np.int64)

    @cached_property
    def order_status(self) -> Ints:
        status = weighted(self.rng(12), np.array([94.0, 0.0, 6.0]), self.scale.orders)
        return np.where((self.order_day > DAYS - 6) & (status == 0), 1, status)

    def dates(self) -> pa.Table:
        day = np.arange(DAYS) + FIRST
        stamps = day.astype("datetime64[D]")
        months = stamps.astype("datetime64[M]").astype(np.int64)
        weekday = (day + 3) % 7
        return pa.table(
            {
                "DAY": dates(day),
                "YEAR": 1970 + months // 12,
                "QUARTER": months % 12 // 3 + 1,
                "MONTH": months % 12 + 1,
                "WEEKDAY": texts(weekday, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")),
                "IS_WEEKEND": pa.array(weekday > 4),  # noqa: PLR2004 - Saturday and Sunday
            }
        )

    def stores(self) -> pa.Table:
        city = self.store_city
        rng = self.rng(13)
        number = np.arange(len(city)) + 1
        opened = FIRST - rng.integers(400, 7000, len(city))
        cities = texts(city, [c.name for c in CITIES])
        street = texts(rng.integers(0, len(words.STREETS), len(city)), words.STREETS)
        return pa.table(
            {
                "STORE_ID": number,
                "NAME": joined(" ", cities, street, pa.array(["Street"] * len(city))),
                "CITY": cities,
                "COUNTRY": texts(city, [c.country for c in CITIES]),
                "OPENED_ON": dates(opened),
                "FLOOR_SPACE": rng.integers(180, 2600, len(city)),
            }
        )

    def products(self) -> pa.Table:
        rng = self.rng(14)
        count = self.scale.products
        goods = np.array([category[1] for category in words.CATEGORIES])
        noun = goods[self.product_category, rng.integers(0, goods.shape[1], count)]
        brand = texts(rng.integers(0, len(words.BRANDS), count), words.BRANDS)
        finish = texts(rng.integers(0, len(words.FINISHES), count), words.FINISHES)
        return pa.table(
            {
                "PRODUCT_ID": np.arange(count) + 1,
                "SKU": joined("-", pa.array(["HW"] * count), padded(np.arange(count) + 1001, 6)),
                "NAME": joined(" ", brand, pa.array(noun, pa.string()), finish),
                "CATEGORY": texts(self.product_category, [c[0] for c in words.CATEGORIES]),
                "BRAND": brand,
                "UNIT_COST": money((self.prices * rng.uniform(0.42, 0.71, count)).astype(np.int64)),
                "LIST_PRICE": money(self.prices),
                "LAUNCHED_ON": dates(FIRST - rng.integers(0, 1500, count)),
                "IS_ACTIVE": pa.array(rng.random(count) < 0.93),  # noqa: PLR2004 - a share
            }
        )

    def customers(self) -> pa.Table:
        rng = self.rng(15)
        count, city = self.scale.customers, self.customer_city
        return pa.table(
            {
                "CUSTOMER_ID": np.arange(count) + 1,
                "CUSTOMER_CODE": joined(
                    "-", pa.array(["C"] * count), padded(np.arange(count) + 1, 7)
                ),
                "CITY": texts(city, [c.name for c in CITIES]),
                "COUNTRY": texts(city, [c.country for c in CITIES]),
                "SEGMENT": texts(weighted(rng, np.array([78.0, 12, 6, 4]), count), _SEGMENTS),
                "LOYALTY_TIER": texts(weighted(rng, np.array([60.0, 25, 11, 4]), count), _TIERS),
                "HOME_STORE_ID": self._store_in(rng, city) + 1,
                "SIGNED_UP_ON": dates(FIRST - rng.integers(0, 2600, count)),
            }
        )

    def orders(self) -> pa.Table:
        rng = self.rng(16)
        count, day = self.scale.orders, self.order_day
        customer = self.order_customer
        return pa.table(
            {
                "ORDER_ID": np.arange(count) + 1,
                "CUSTOMER_ID": customer + 1,
                "STORE_ID": self._store_in(rng, self.customer_city[customer]) + 1,
                "ORDER_DATE": dates(day + FIRST),
                "ORDERED_AT": moments(self.order_second),
                "CHANNEL": texts(weighted(rng, np.array([46.0, 37, 17]), count), _CHANNELS),
                "STATUS": texts(self.order_status, _STATUSES),
                "TOTAL": money(self.order_total),
            }
        )

    def order_lines(self) -> pa.Table:
        lines = self.scale.lines
        starts = np.cumsum(self.lines_of_order) - self.lines_of_order
        return pa.table(
            {
                "LINE_ID": np.arange(lines) + 1,
                "ORDER_ID": self.line_order + 1,
                "LINE_NO": np.arange(lines) - starts[self.line_order] + 1,
                "PRODUCT_ID": self.line_product + 1,
                "QUANTITY": self.line_quantity,
                "UNIT_PRICE": money(self.prices[self.line_product]),
                "DISCOUNT_PERCENT": self.line_discount,
                "AMOUNT": money(self.line_amount),
            }
        )

    def returns(self) -> pa.Table:
        rng = self.rng(17)
        by_city = np.array([RETURN_FACTORS.get(city.name, 1.0) for city in CITIES])
        by_category = np.array([category[4] for category in words.CATEGORIES])
        order = self.line_order
        city = self.customer_city[self.order_customer[order]]
        day = self.order_day[order]
        recent = day >= DAYS - 2 * QUARTER
        weights = np.where(recent, by_city[city], np.sqrt(by_city[city]))
        weights = weights * by_category[self.product_category[self.line_product]]
        # Neither what was cancelled nor what has only just been ordered can have come back.
        possible = (self.order_status[order] == 0) & (day < DAYS - 8)
        weights = np.where(possible, weights, 1e-9)
        line = sampled(rng, weights, self.scale.returns)
        order, count = order[line], len(line)
        returned = np.minimum(self.order_day[order] + rng.integers(3, 30, count), DAYS - 1)
        reasons = np.array([18.0, 14, 12, 20, 26, 10])
        quantity = np.ceil(self.line_quantity[line] * rng.uniform(0.3, 1, count)).astype(np.int64)
        refund = self.line_amount[line] * quantity // self.line_quantity[line]
        return pa.table(
            {
                "RETURN_ID": np.arange(count) + 1,
                "LINE_ID": line + 1,
                "ORDER_ID": order + 1,
                "CUSTOMER_ID": self.order_customer[order] + 1,
                "PRODUCT_ID": self.line_product[line] + 1,
                "RETURNED_ON": dates(returned + FIRST),
                "QUANTITY": quantity,
                "REASON": texts(weighted(rng, reasons, count), words.RETURN_REASONS),
                "REFUND": money(refund),
            }
        )
