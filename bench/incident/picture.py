"""A timeline: what was wrong, when it was alerted, and what it did to the events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.svg import Scale, document, ticks

WIDTH = 880
LEFT, RIGHT, TOP = 64, 24, 40
ROW, PANEL = 22, 170
MOST_TICKS = 8
LEAST = 0.005
"""Seconds; less is drawn as this."""

LIGHT = """
  .wrong { fill: #cf222e; fill-opacity: .18 }
  .alert { fill: #bc4c00 }
  .curve { fill: none; stroke-width: 2 }
  .c0 { stroke: #0969da } .t0 { fill: #0969da }
  .c1 { stroke: #8250df } .t1 { fill: #8250df }"""
DARK = """
    .wrong { fill: #f85149; fill-opacity: .25 }
    .alert { fill: #f0883e }
    .c0 { stroke: #4493f8 } .t0 { fill: #4493f8 }
    .c1 { stroke: #ab7df8 } .t1 { fill: #ab7df8 }"""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was wrong. Seconds from the beginning of the incident, as all times here."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Mark:
    """An alert that fired."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Times and seconds."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(
    first: float, last: float, spans: Sequence[Span], marks: Sequence[Mark], curves: Sequence[Curve]
) -> str:
    """The picture, from one time to another.

    Raises:
        ValueError: there is no curve with a value.
    """
    values = [max(value, LEAST) for curve in curves for _, value in curve.points]
    if not values:
        raise ValueError("there is nothing to draw")
    rows = TOP + ROW * (len(spans) + len(marks)) + 34
    bottom = rows + PANEL
    scale = ticks(min(values), max(values))
    if len(scale) > MOST_TICKS:
        low, high = (round(math.log10(end) + lean) for end, lean in ((scale[0], -0.49), (scale[-1], 0.49)))
        scale = [10.0**power for power in range(low, high + 1)]
    height = Scale(scale[0], scale[-1], bottom, rows)

    def x(at: float) -> float:
        return LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<text class="title" x="{LEFT}" y="22">An endpoint hangs, and WhatsApp answers no question</text>'
    ]
    y = TOP
    for span in spans:
        wide = max(2.0, x(span.end) - x(span.start))
        parts.append(
            f'<rect class="wrong" x="{x(span.start):.1f}" y="{y}" width="{wide:.1f}" height="{ROW - 4}"/>'
        )
        parts.append(f'<text x="{x(span.start) + 6:.1f}" y="{y + 14}">{escape(span.name)}</text>')
        y += ROW
    for mark in sorted(marks, key=lambda one: one.at):
        right = x(mark.at) < WIDTH * 0.6
        where, anchor = (x(mark.at) + 10, "start") if right else (x(mark.at) - 10, "end")
        said = f"{escape(mark.name)}, {mark.at:.0f} s"
        parts.append(f'<circle class="alert" cx="{x(mark.at):.1f}" cy="{y + 9}" r="5"/>')
        parts.append(f'<text x="{where:.1f}" y="{y + 14}" text-anchor="{anchor}">{said}</text>')
        y += ROW
    for place, curve in enumerate(curves):
        parts.append(
            f'<text class="t{place}" x="{LEFT + place * 260}" y="{rows - 12}">{escape(curve.name)}</text>'
        )
    for tick in scale:
        level = height(tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        )
        said = f"{tick * 1000:g} ms" if tick < 1 else f"{tick:g} s"
        parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{said}</text>')
    for place, curve in enumerate(curves):
        line = " ".join(f"{x(at):.1f},{height(max(value, LEAST)):.1f}" for at, value in curve.points)
        parts.append(f'<polyline class="curve c{place}" points="{line}"/>')
    step = 30
    for at in range(int(first // step + 1) * step, int(last) + 1, step):
        parts.append(f'<text x="{x(at):.1f}" y="{bottom + 22}" text-anchor="middle">{at} s</text>')
    summary = "; ".join(
        [*(span.name for span in spans), *(f"{one.name} after {one.at:.0f} s" for one in marks)]
    )
    return document(WIDTH, bottom + 34, summary, LIGHT, DARK, parts)
