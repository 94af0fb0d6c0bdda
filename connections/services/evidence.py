"""What detectors counted among sampled values, and what that says of a column. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from connections.services.kinds import DOMAIN, LAST4, Mask


@dataclass(frozen=True, slots=True)
class Sampled:
    """How many of a column's sampled values one detector hit; no value is in it."""

    database: str
    schema: str
    table: str
    column: str
    detector: str
    sampled: int  # values that were neither null nor blank
    whole: int  # of them, those that are such a thing
    within: int  # of them, those that contain one
    label: str = ""  # of a detector of one's own

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.database, self.schema, self.table, self.column

    @property
    def seen(self) -> "Seen":
        """The words, the least share and the masks of what the detector finds."""
        own = f"of detector {self.label or self.detector}"
        return SEEN.get(self.detector) or Seen(f"a hit {own}", f"hits {own}")

    @property
    def share(self) -> float:
        return self.within / self.sampled if self.sampled else 0.0

    @property
    def mostly(self) -> bool:
        """Whether the column holds such values, rather than texts that mention one."""
        return self.whole * 2 >= self.sampled

    def says(self) -> bool:
        """Whether this is enough to suggest something."""
        return self.within > 0 and self.share >= self.seen.share

    def reason(self) -> str:
        """Such as: 41 of 50 sampled values are e-mail addresses."""
        hits = self.whole if self.mostly else self.within
        if hits == 1:
            said = f"{'is' if self.mostly else 'contains'} {self.seen.one}"
        else:
            said = f"{'are' if self.mostly else 'contain'} {self.seen.many}"
        return f"{hits} of {self.sampled} sampled value{'s' * (self.sampled != 1)} {said}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector finds, from which share of the values on that means something, its masks."""

    one: str
    many: str
    share: float = 0.2
    masks: tuple[Mask, ...] = ()


# A key that stands in one value of a thousand is still a key.
_ANY = 0.0
SEEN = {
    "private-key": Seen("a private key", "private keys", _ANY),
    "jwt": Seen("a signed token", "signed tokens", _ANY),
    "cloud-key": Seen("an access key", "access keys", _ANY),
    "email": Seen("an e-mail address", "e-mail addresses", masks=(DOMAIN,)),
    "iban": Seen("a bank account", "bank accounts", masks=(LAST4,)),
    # One in ten long numbers passes a card's check by chance.
    "card": Seen("a card number", "card numbers", 0.5, (LAST4,)),
    "ssn": Seen("a social security number", "social security numbers"),
    "phone": Seen("a phone number", "phone numbers", masks=(LAST4,)),
}


def best_by_column(sampled: Iterable[Sampled]) -> dict[tuple[str, str, str, str], Sampled]:
    """For each column the detector that says most."""
    best: dict[tuple[str, str, str, str], Sampled] = {}
    for item in sampled:
        if not item.says():
            continue
        other = best.get(item.key)
        if other is None or (item.whole, item.within) > (other.whole, other.within):
            best[item.key] = item
    return best
