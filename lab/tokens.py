"""The dictionaries of the binary XML: words that are written as one or two bytes."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path
from typing import Any


def _tables() -> dict[str, Any]:
    # By file, because importing the package also imports its client, its cryptography and a warning.
    spec = importlib.util.find_spec("pywhats")
    if spec is None or spec.origin is None:
        raise ImportError("the package pywhats is not installed: pip install pywhats==0.2.0")
    return runpy.run_path(str(Path(spec.origin).parent / "binary" / "tokens.py"))


_loaded = _tables()
SINGLE: list[str] = _loaded["SINGLE_BYTE_TOKENS"]
"""Words of one byte, by their byte. Index 0 stands for the empty list and is no word."""
DOUBLE: list[list[str]] = _loaded["DOUBLE_BYTE_TOKENS"]
"""Words of two bytes: four dictionaries, each by its second byte."""

CODE_OF_WORD: dict[str, bytes] = {
    word: bytes((236 + number, index))
    for number, words in reversed(list(enumerate(DOUBLE)))
    for index, word in reversed(list(enumerate(words)))
    if word
} | {word: bytes((index,)) for index, word in enumerate(SINGLE) if word}
"""The shortest code of every word."""
