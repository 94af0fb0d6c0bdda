"""The CRM schema: people, what they paid, what they wrote. Nobody in it exists."""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connections.upstream.emulator.warehouse import words
from connections.upstream.emulator.warehouse.numbers import (
    cards,
    dates,
    joined,
    moments,
    money,
    padded,
    social_numbers,
    texts,
    weighted,
)
from connections.upstream.emulator.warehouse.places import CITIES
from connections.upstream.emulator.warehouse.retail import DAYS, FIRST, Retail

_METHODS = ("Card", "Card", "Card", "Transfer", "Wallet", "Invoice")
_PRIORITIES = ("Low", "Normal", "High", "Urgent")
_STATES = ("Closed", "Closed", "Closed", "Waiting", "Open")


class Crm:
    """Contacts belong to the customers of ``retail`` first; the rest are prospects."""

    def __init__(self, retail: Retail) -> None:
        self.retail = retail
        self.count = retail.scale.contacts
        rng = retail.rng(31)
        self.customers = min(retail.scale.customers, self.count)
        self._first = rng.integers(0, len(words.FIRST_NAMES), self.count)
        self._last = rng.integers(0, len(words.LAST_NAMES), self.count)
        others = weighted(rng, retail.city_weights, self.count - self.customers)
        self._city = np.concatenate([retail.customer_city[: self.customers], others])
        self.emails = self._emails(rng)
        self.phones = self._phones(rng)
        self.cards = cards(rng, self.count)

    def _emails(self, rng: np.random.Generator) -> pa.Array:
        name = joined(
            ".",
            texts(self._first, [_ascii(name) for name in words.FIRST_NAMES]),
            texts(self._last, [_ascii(name) for name in words.LAST_NAMES]),
        )
        # The number makes each address the only one.
        number = pa.array(np.arange(self.count) + 1).cast(pa.string())
        domain = texts(rng.integers(0, len(words.EMAIL_DOMAINS), self.count), words.EMAIL_DOMAINS)
        return joined("@", joined("", name, number), domain)

    def _phones(self, rng: np.random.Generator) -> pa.Array:
        code = texts(self._city, [f"+{city.dialling}" for city in CITIES])
        number = padded(rng.integers(0, 10_000, self.count), 4)
        prefix = padded(rng.integers(100, 200, self.count), 3)
        return joined(" ", code, pa.array(["555"] * self.count), prefix, number)

    def contacts(self) -> pa.Table:
        rng = self.retail.rng(32)
        number = np.arange(self.count)
        consent = rng.random(self.count) < 0.71  # noqa: PLR2004 - a share
        known = rng.integers(0, 2400, self.count)
        return pa.table(
            {
                "CONTACT_ID": number + 1,
                "CUSTOMER_ID": pa.array(
                    np.where(number < self.customers, number + 1, 0),
                    mask=number >= self.customers,
                ),
                "FULL_NAME": joined(
                    " ", texts(self._first, words.FIRST_NAMES), texts(self._last, words.LAST_NAMES)
                ),
                "EMAIL": self.emails,
                "PHONE": self.phones,
                "SSN": social_numbers(rng, self.count),
                "CARD_NUMBER": self.cards,
                "BIRTH_DATE": dates(FIRST - rng.integers(19 * 365, 82 * 365, self.count)),
                "STREET": joined(
                    " ",
                    texts(rng.integers(0, len(words.STREETS), self.count), words.STREETS),
                    pa.array(["Street"] * self.count),
                    pa.array(rng.integers(1, 190, self.count)).cast(pa.string()),
                ),
                "CITY": texts(self._city, [city.name for city in CITIES]),
                "COUNTRY": texts(self._city, [city.country for city in CITIES]),
                "CONSENT": pa.array(consent),
                "CREATED_AT": moments(
                    (FIRST - known) * 86_400 + rng.integers(0, 86_400, self.count)
                ),
            }
        )

    def payments(self) -> pa.Table:
        retail, rng = self.retail, self.retail.rng(33)
        order = np.flatnonzero(retail.order_status != 2)  # noqa: PLR2004 - what was not cancelled
        customer = retail.order_customer[order]
        count = len(order)
        method = rng.integers(0, len(_METHODS), count)
        last_digits = pc.utf8_slice_codeunits(self.cards, 12, 16).take(
            pa.array(customer % self.count)
        )
        by_card = pa.array(method < 3)  # noqa: PLR2004 - the first three are cards
        return pa.table(
            {
                "PAYMENT_ID": np.arange(count) + 1,
                "ORDER_ID": order + 1,
                "CONTACT_ID": customer % self.count + 1,
                "METHOD": texts(method, _METHODS),
                "CARD_LAST4": pc.if_else(by_card, last_digits, pa.scalar(None, pa.string())),
                "AMOUNT": money(retail.order_total[order]),
                "PAID_AT": moments(retail.order_second[order] + rng.integers(20, 900, count)),
                "IS_SETTLED": pa.array(rng.random(count) < 0.985),  # noqa: PLR2004 - a share
            }
        )

    def tickets(self) -> pa.Table:
        rng = self.retail.rng(34)
        count = self.retail.scale.tickets
        topic = rng.integers(0, len(words.SUBJECTS), count)
        contact = rng.integers(0, self.count, count)
        state = rng.integers(0, len(_STATES), count)
        opened = (FIRST + rng.integers(0, DAYS, count)) * 86_400 + rng.integers(0, 86_400, count)
        place = pa.array(contact)
        # Some leave a way to reach them in the text, as people do.
        hint = rng.random(count)
        stop = pa.array(["."] * count)
        email = joined("", pa.array(["Write to me at "] * count), self.emails.take(place), stop)
        phone = joined("", pa.array(["Call me on "] * count), self.phones.take(place), stop)
        nothing = pa.array([""] * count)
        reach = pc.if_else(
            pa.array(hint < 0.3),  # noqa: PLR2004 - a share
            email,
            pc.if_else(pa.array(hint > 0.8), phone, nothing),  # noqa: PLR2004 - a share
        )
        body = joined(
            " ",
            texts(rng.integers(0, len(words.OPENINGS), count), words.OPENINGS),
            texts(topic, words.COMPLAINTS),
            reach,
            texts(rng.integers(0, len(words.CLOSINGS), count), words.CLOSINGS),
        )
        return pa.table(
            {
                "TICKET_ID": np.arange(count) + 1,
                "CONTACT_ID": contact + 1,
                "OPENED_AT": moments(opened),
                "CHANNEL": texts(rng.integers(0, 3, count), ("E-mail", "Chat", "Phone")),
                "PRIORITY": texts(weighted(rng, np.array([30.0, 50, 15, 5]), count), _PRIORITIES),
                "STATUS": texts(state, _STATES),
                "SUBJECT": texts(topic, words.SUBJECTS),
                "BODY": pc.replace_substring(body, "  ", " "),
            }
        )


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.lower()
