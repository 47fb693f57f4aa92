"""``malote down``: end what was started elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from deploy.children import Say
from deploy.errors import CommandError, Exit
from deploy.lock import running


def not_running(data_dir: Path) -> CommandError:
    """Nothing runs on this directory."""
    return CommandError(
        f"nothing runs on {data_dir}",
        "Start it with `malote up`, or name the directory it uses with --data-dir (--demo: the demo's).",
        status=Exit.NOT_RUNNING,
    )


async def end_running(data_dir: Path, *, timeout: float, say: Say) -> None:
    """Ask it to end, and wait until its lock is free: the very last thing that it gives back.

    Raises:
        CommandError: nothing runs there, or it did not end in time.
    """
    found = running(data_dir)
    if found is None:
        raise not_running(data_dir)
    say(f"Ending malote {found.command}, process {found.pid}.")
    try:
        os.kill(found.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended by itself just now
    except PermissionError:
        raise CommandError(
            f"process {found.pid} belongs to another user", "Run `malote down` as that user."
        ) from None
    deadline = asyncio.get_running_loop().time() + timeout
    while (present := running(data_dir)) is not None and present.pid == found.pid:
        if asyncio.get_running_loop().time() > deadline:
            raise CommandError(
                f"process {found.pid} has not ended within {timeout:.0f} s",
                f"Ask again to make it stop waiting, or end it with `kill -9 {found.pid}`: nothing that was "
                "accepted is lost by that, and the next start recovers.",
            )
        await asyncio.sleep(0.1)
    say("Ended.")
