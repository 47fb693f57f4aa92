"""What the commands have in common: they end in time, and in good order when they are interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from deploy.errors import CommandError

R = TypeVar("R", bound="Outcome")


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


def run_within(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Do work in an event loop of its own.

    Raises:
        CommandError: it was not done in time, or interrupted.
    """
    try:
        asyncio.run(bounded(work, seconds))
    except TimeoutError:
        raise CommandError(f"not ended within {seconds / 60:g} minutes") from None


@contextlib.contextmanager
def workplace(keep: Path | None) -> Iterator[Path]:
    """A directory to work in: ``keep``, or one that is gone afterwards."""
    directory = (keep or Path(tempfile.mkdtemp(prefix="mlt-bench-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        yield directory
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)


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


class Outcome(Protocol):
    """What a run has found."""

    @property
    def passed(self) -> bool:
        """True if everything is as promised."""
        ...

    def model_dump_json(self) -> str:
        """It in one line."""
        ...


def told(result: R | None, show: Callable[[Console, R], None]) -> bool:
    """Print what was found, for people and, as the last line, as JSON; True if it is as promised."""
    if result is None:
        return False
    show(Console(width=None if sys.stdout.isatty() else 110), result)
    print(result.model_dump_json(), flush=True)
    return result.passed


def run_in_workplace(
    name: str, keep: Path | None, run: Callable[[Path], bool], failure: type[Exception]
) -> int:
    """Run in a `workplace`; the exit status: 0 if everything is as promised.

    Args:
        failure: which, besides CommandError, is told in one line.
    """
    try:
        with workplace(keep) as directory:
            return 0 if run(directory) else 1
    except (CommandError, failure) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
