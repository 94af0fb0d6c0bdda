"""Small charts as SVG, drawn here so that they need no script and print well. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

# The order in which tones stack, from the base line up: the ordinary below, the grave on top.
ORDER = ("allowed", "masked", "running", "neutral", "waiting", "failed", "denied")


@dataclass(frozen=True, slots=True)
class Spark:
    """A line without axes: ``points`` for the line, ``area`` for the ground below it."""

    width: int
    height: int
    line: str
    area: str
    end: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One drawn rectangle; ``title`` says what it stands for."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    title: str


def spark(values: Sequence[float], *, width: int = 96, height: int = 24) -> Spark | None:
    """The line through ``values``; None when there is nothing to draw."""
    if len(values) < 2:  # noqa: PLR2004  a line has two ends
        return None
    top, pad = max(*values, 1e-9), 2.0
    step = (width - 2 * pad) / (len(values) - 1)
    points = [
        (round(pad + i * step, 1), round(height - pad - (v / top) * (height - 2 * pad), 1))
        for i, v in enumerate(values)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    area = f"{pad},{height} {line} {points[-1][0]},{height}"
    return Spark(width, height, line, area, points[-1])


def nice(top: float) -> float:
    """The round number at or above ``top`` that an axis ends with."""
    if top <= 0:
        return 1
    magnitude: float = 1
    while magnitude * 10 < top:
        magnitude *= 10
    for factor in (1, 2, 4, 5, 8, 10):
        if factor * magnitude >= top:
            return factor * magnitude
    return 10 * magnitude


def bars(
    rows: Sequence[tuple[str, Mapping[str, float]]], *, width: int = 720, height: int = 120
) -> tuple[list[Bar], float]:
    """Stacked bars for (label, {tone: amount}), and the value of the upper edge."""
    top = nice(max((sum(v.values()) for _, v in rows), default=0))
    slot = width / max(len(rows), 1)
    gap = min(slot * 0.25, 4)
    drawn: list[Bar] = []
    for i, (label, amounts) in enumerate(rows):
        base = float(height)
        for tone in sorted(amounts, key=lambda t: ORDER.index(t) if t in ORDER else len(ORDER)):
            amount = amounts[tone]
            if amount <= 0:
                continue
            # Nothing that happened may vanish: the smallest amount still shows as a hairline.
            tall = max(amount / top * height, 1.5)
            base -= tall
            drawn.append(
                Bar(
                    round(i * slot + gap / 2, 2),
                    round(base, 2),
                    round(slot - gap, 2),
                    round(tall, 2),
                    tone,
                    f"{label}: {amount:g} {tone}",
                )
            )
    return drawn, top


def nothing() -> SafeString:
    """What stands in for a chart that has no data."""
    return mark_safe('<span class="faint">—</span>')
