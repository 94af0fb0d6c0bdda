"""Columns made in bulk: money, cards, numbers, picks."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Prefixes that payment providers publish for tests; no bank issues them.
_CARD_PREFIXES = ("411111", "424242", "555555", "510510", "601111")
_CARD_LENGTH = 16


def money(cents: Ints) -> pa.Array:
    """Cents as decimals with two places, without a float between."""
    whole = pa.array(cents, pa.int64()).cast(pa.decimal128(38, 0))
    return pa.Array.from_buffers(pa.decimal128(38, 2), len(whole), whole.buffers())


def texts(picks: Any, values: Any) -> pa.Array:
    """``values[picks]`` as text."""
    indices = pa.array(np.asarray(picks, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(
        indices, pa.array(values, pa.string())
    ).dictionary_decode()


def joined(separator: str, *parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, separator)


def padded(numbers: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), width, "0")


def dates(days: Ints) -> pa.Array:
    """Days since the epoch as dates."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def moments(seconds: Ints) -> pa.Array:
    return pa.array(seconds.astype(np.int64) * 1_000_000).cast(pa.timestamp("us"))


def cards(rng: np.random.Generator, count: int) -> pa.Array:
    """Card numbers that pass the Luhn check."""
    digits = rng.integers(0, 10, (count, _CARD_LENGTH), dtype=np.int64)
    prefixes = np.array([[int(digit) for digit in prefix] for prefix in _CARD_PREFIXES])
    digits[:, :6] = prefixes[rng.integers(0, len(prefixes), count)]
    weighed = digits[:, :-1].copy()
    weighed[:, ::2] *= 2
    weighed -= np.where(weighed > 9, 9, 0)  # noqa: PLR2004 - the digit sum of a doubled digit
    digits[:, -1] = -weighed.sum(axis=1) % 10
    letters = (digits + ord("0")).astype(np.uint8).tobytes()
    return pa.array([letters[i : i + _CARD_LENGTH].decode() for i in range(0, len(letters), 16)])


def social_numbers(rng: np.random.Generator, count: int) -> pa.Array:
    """Numbers in the 900s with a middle below 50: given out neither as SSN nor as tax number."""
    picks = rng.choice(100 * 49 * 9999, count, replace=False)
    areas, rest = picks % 100 + 900, picks // 100
    return joined("-", padded(areas, 3), padded(rest % 49 + 1, 2), padded(rest // 49 + 1, 4))


def weighted(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """``count`` picks with replacement, likelier where the weight is larger."""
    edges = np.cumsum(weights)
    return _ints(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"))


def sampled(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """``count`` different picks, likelier where the weight is larger."""
    keys = rng.exponential(size=len(weights)) / weights
    return _ints(np.sort(np.argpartition(keys, count)[:count]))


def _ints(values: Any) -> Ints:
    return np.asarray(values, dtype=np.int64)
