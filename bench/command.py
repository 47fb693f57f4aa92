"""What the commands have in common: they end in time, and in good order when they are interrupted."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable

from deploy.errors import CommandError


async def bounded(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Await work for a limited time; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        # Once: a second signal must not break the end off.
        if not interrupted:
            interrupted = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    try:
        async with asyncio.timeout(seconds):
            await work()
    except asyncio.CancelledError:
        raise CommandError("interrupted") from None


def count(text: str) -> int:
    """An argument that is a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def positive(text: str) -> float:
    """An argument that is a number above 0."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return number
