"""What pictures have in common: SVG that follows the reader's theme, light or dark, and a scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

DECADE = (1, 2, 5)

LIGHT = """
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 16px; font-weight: 600; fill: #1f2328 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .level { stroke: #1f2328; stroke-width: 1; stroke-dasharray: 5 4 }
  .level-name { fill: #1f2328 }"""
DARK = """
    text { fill: #9198a1 }
    .title, .level-name { fill: #f0f6fc }
    .grid { stroke: #3d444d }
    .level { stroke: #f0f6fc }"""


class Scale:
    """Maps values to positions, by their logarithm."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._low, self._high = math.log10(least), math.log10(most)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)


def ticks(least: float, most: float) -> list[float]:
    """1, 2, 5, 10 … from the last one below to the first one above."""
    decades = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2)
    marks = [step * 10.0**decade for decade in decades for step in DECADE]
    below = max(mark for mark in marks if mark < least)
    above = min(mark for mark in marks if mark > most)
    return [mark for mark in marks if below <= mark <= above]


def document(width: int, height: int, summary: str, light: str, dark: str, parts: Iterable[str]) -> str:
    """A whole picture.

    Args:
        summary: said to those who do not see it.
        light: rules of the picture's own.
        dark: rules that replace them where the reader's theme is dark.
        parts: its elements.
    """
    style = f"{LIGHT}{light}\n  @media (prefers-color-scheme: dark) {{{DARK}{dark}\n  }}\n"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(summary)}">'
    )
    return "\n".join((head, f"<style>{style}</style>", *parts, "</svg>")) + "\n"
