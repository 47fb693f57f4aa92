"""A picture of the blackouts: every handoff a dot, as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.figures import percentile
from bench.handoff.moves import MOVED, Move
from bench.svg import Scale, document, ticks

WIDTH, HEIGHT = 880, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 56, 48

LIGHT = """
  .move { fill: #0969da; fill-opacity: .65 }
  .drain { fill: #bc4c00; fill-opacity: .75 }"""
DARK = """
    .move { fill: #4493f8 }
    .drain { fill: #f0883e }"""


def draw(moves: Sequence[Move], subtitle: str) -> str:
    """The picture of those handoffs that succeeded and whose blackout is known.

    Raises:
        ValueError: there is none.
    """
    shown = [move for move in moves if move.outcome == MOVED and move.blackout_ms]
    values = [move.blackout_ms for move in shown if move.blackout_ms]
    if not values:
        raise ValueError("there is no blackout to draw")
    marks = ticks(min(values), max(values))
    height = Scale(marks[0], marks[-1], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<text class="title" x="{LEFT}" y="22">Blackout of {len(values)} handoffs</text>',
        f'<text x="{LEFT}" y="42">{escape(subtitle)}</text>',
    ]
    for tick in marks:
        y = height(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g} ms</text>')
    parts += _dots(shown, height)
    parts += _levels(values, height)
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 14}">handoffs in the order they were ordered</text>')
    return document(WIDTH, HEIGHT, _summary(values), LIGHT, DARK, parts)


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
