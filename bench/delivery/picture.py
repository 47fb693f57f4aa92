"""A picture of the isolation: every healthy endpoint two dots, without bad ones beside it and with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from bench.delivery.isolation import by_endpoint
from bench.figures import percentile
from bench.svg import Scale, document, ticks

WIDTH, HEIGHT = 880, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 90, 44
PANEL = (WIDTH - 2 * LEFT - 2 * RIGHT) / 2
"""Each half has its scale to the left and its levels to the right."""
SHARES = (("p50", 0.5), ("p99", 0.99))

LIGHT = """
  .p50 { fill: #0969da; fill-opacity: .75 }
  .p99 { fill: #bc4c00; fill-opacity: .8 }"""
DARK = """
    .p50 { fill: #4493f8 }
    .p99 { fill: #f0883e }"""

Samples = Mapping[str, list[float]]


def draw(well: Samples, bad: Samples, subtitle: str, said: tuple[str, str]) -> str:
    """The picture.

    Args:
        well, bad: latencies of each healthy endpoint in seconds, without bad endpoints and with them.
        said: above the one and above the other half.

    Raises:
        ValueError: there are none.
    """
    if not any(well.values()) or not any(bad.values()):
        raise ValueError("there are no latencies to draw")
    dots = [{name: by_endpoint(samples, share) for name, share in SHARES} for samples in (well, bad)]
    values = [value for half in dots for row in half.values() for value in row]
    pooled = [[value * 1000 for row in samples.values() for value in row] for samples in (well, bad)]
    levels = [{name: percentile(half, share) or 0.0 for name, share in SHARES} for half in pooled]
    marks = ticks(min(values), max(values))
    height = Scale(marks[0], marks[-1], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<text class="title" x="{LEFT}" y="22">Latency of {len(well)} healthy endpoints</text>',
        f'<text x="{LEFT}" y="42">{escape(subtitle)}</text>',
    ]
    for place in range(2):
        left = LEFT + place * (PANEL + RIGHT + LEFT)
        parts.append(f'<text class="level-name" x="{left:.1f}" y="{TOP - 18}">{escape(said[place])}</text>')
        for mark in marks:
            parts.append(_line("grid", left, height(mark)))
            parts.append(
                f'<text x="{left - 8:.1f}" y="{height(mark) + 4:.1f}" text-anchor="end">{mark:g} ms</text>'
            )
        parts += _dots(dots[place], left, height)
        parts += _levels(levels[place], left, height)
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT - 14}">a pair of dots for each endpoint: its p50 and its p99; '
        "dashed: of all of them together</text>"
    )
    summary = "; ".join(
        f"{text}: p50 {level['p50']:.1f} ms, p99 {level['p99']:.1f} ms"
        for text, level in zip(said, levels, strict=True)
    )
    return document(WIDTH, HEIGHT, summary, LIGHT, DARK, parts)


def _line(kind: str, left: float, y: float) -> str:
    return f'<line class="{kind}" x1="{left:.1f}" x2="{left + PANEL:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _dots(rows: Mapping[str, Sequence[float]], left: float, height: Scale) -> list[str]:
    return [
        f'<circle class="{name}" cx="{left + (place + 0.5) * PANEL / len(values):.1f}" '
        f'cy="{height(value):.1f}" r="4"><title>{name} {value:.1f} ms</title></circle>'
        for name, values in rows.items()
        for place, value in enumerate(values)
    ]


def _levels(levels: Mapping[str, float], left: float, height: Scale) -> list[str]:
    parts = []
    lowest = float("inf")
    for name, value in levels.items():
        # Two names at the same height would cover each other.
        lowest = min(height(value) + 4, lowest - 16)
        parts.append(_line("level", left, height(value)))
        x, text = left + PANEL + 6, f"{name} {value:.1f} ms"
        parts.append(f'<text class="level-name" x="{x:.1f}" y="{lowest:.1f}">{text}</text>')
    return parts
