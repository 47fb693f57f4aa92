"""A picture of the blackouts: every handoff a dot, as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.handoff.books import percentile
from bench.handoff.moves import MOVED, Move

WIDTH, HEIGHT = 880, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 56, 48
DECADE = (1, 2, 5)

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 16px; font-weight: 600; fill: #1f2328 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .level { stroke: #1f2328; stroke-width: 1; stroke-dasharray: 5 4 }
  .level-name { fill: #1f2328 }
  .move { fill: #0969da; fill-opacity: .65 }
  .drain { fill: #bc4c00; fill-opacity: .75 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title, .level-name { fill: #f0f6fc }
    .grid { stroke: #3d444d }
    .level { stroke: #f0f6fc }
    .move { fill: #4493f8 }
    .drain { fill: #f0883e }
  }
"""


class Scale:
    """Maps values to positions, by their logarithm."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = math.log10(least), math.log10(most)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)


def draw(moves: Sequence[Move], subtitle: str) -> str:
    """The picture of those handoffs that succeeded and whose blackout is known.

    Raises:
        ValueError: there is none.
    """
    shown = [move for move in moves if move.outcome == MOVED and move.blackout_ms]
    values = [move.blackout_ms for move in shown if move.blackout_ms]
    if not values:
        raise ValueError("there is no blackout to draw")
    ticks = _ticks(min(values), max(values))
    height = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_summary(values))}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="22">Blackout of {len(values)} handoffs</text>',
        f'<text x="{LEFT}" y="42">{escape(subtitle)}</text>',
    ]
    for tick in ticks:
        y = height(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g} ms</text>')
    parts += _dots(shown, height)
    parts += _levels(values, height)
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 14}">handoffs in the order they were ordered</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _ticks(least: float, most: float) -> list[float]:
    """1, 2, 5, 10 … from the last one below to the first one above."""
    decades = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2)
    marks = [step * 10.0**decade for decade in decades for step in DECADE]
    below = max(mark for mark in marks if mark < least)
    above = min(mark for mark in marks if mark > most)
    return [mark for mark in marks if below <= mark <= above]


def _dots(moves: Sequence[Move], height: Scale) -> list[str]:
    step = (WIDTH - LEFT - RIGHT) / len(moves)
    dots = []
    for place, move in enumerate(moves):
        assert move.blackout_ms
        kind = "drain" if move.drain else "move"
        x, y = LEFT + (place + 0.5) * step, height(move.blackout_ms)
        title = f"{move.instance_id}: {move.blackout_ms:.0f} ms{', drained' if move.drain else ''}"
        dots.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(title)}</title></circle>'
        )
    if any(move.drain for move in moves):
        x, y = WIDTH - RIGHT + 12, HEIGHT - BOTTOM
        dots.append(f'<circle class="drain" cx="{x}" cy="{y - 4}" r="4"/>')
        dots.append(f'<text x="{x + 10}" y="{y}">drain of a node</text>')
    return dots


def _levels(values: Sequence[float], height: Scale) -> list[str]:
    levels = []
    lowest = float("inf")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = percentile(values, share)
        assert value is not None
        y = height(value)
        # Two names at the same height would cover each other.
        label = min(y + 4, lowest - 16)
        lowest = label
        levels.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        levels.append(
            f'<text class="level-name" x="{WIDTH - RIGHT + 8}" y="{label:.1f}">{name} {value:.0f} ms</text>'
        )
    return levels


def _summary(values: Sequence[float]) -> str:
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return f"Blackout of {len(values)} handoffs: p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {max(values):.0f} ms"
