"""How many of a few values the detectors hit. Pure: values in, numbers out, no value kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connections.masking.detectors import DETECTORS, Detector, compiled


@dataclass(frozen=True, slots=True)
class Count:
    """What one detector found among ``sampled`` values that are neither null nor blank.

    ``whole`` of them are such a thing and nothing else; ``within`` of them contain one.
    """

    detector: str
    sampled: int
    whole: int
    within: int


def count(
    values: Iterable[Any], detectors: Sequence[Detector] = DETECTORS
) -> tuple[int, list[Count]]:
    """How many values there were to look at, and a count for each detector that hit."""
    texts = [text for value in values if value is not None and (text := str(value).strip())]
    found = []
    for detector in detectors:
        hits = [_hit(text, detector) for text in texts]
        within = sum(hit is not None for hit in hits)
        if within:
            found.append(Count(detector.name, len(texts), sum(hit is True for hit in hits), within))
    return len(texts), found


def _hit(text: str, detector: Detector) -> bool | None:
    """True when the text is a hit, False when it contains one, None when it has none."""
    if detector.hint and detector.hint not in text:
        return None
    within = False
    for match in compiled(detector.pattern).finditer(text):
        if detector.check is not None and not detector.check(match.group(0)):
            continue
        if match.group(0) == text:
            return True
        within = True
    return False if within else None
