"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], T | Awaitable[T]], *, timeout: float = 30.0, what: str = "") -> T:
    """Return the condition's first truthy result; fail, saying what was waited for, if none comes."""
    result: T | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                value = condition()
                result = await value if inspect.isawaitable(value) else value
                if result:
                    return result
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never happened: {what or condition}; last result {result!r}") from None
