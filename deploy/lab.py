"""``malote lab``: the network alone, in the foreground."""

from __future__ import annotations

from pathlib import Path

from deploy.children import Say
from deploy.errors import CommandError
from lab.__main__ import serve
from lab.network import Lab


async def run_lab(directory: Path, *, port: int, control_port: int, say: Say) -> None:
    """Run a lab until SIGINT or SIGTERM.

    Raises:
        CommandError: a port is taken, or the directory cannot be written.
    """

    def ready(lab: Lab) -> None:
        say(f"  network  {lab.target.address}")
        say(f"  control  {lab.control_url}  (described at /openapi.json)")
        say(f"  state    {directory}")
        say("")
        say(f"Ready. For `malote up`: export MALOTE_LAB_DIRECTORY={directory}")

    try:
        await serve(directory, port=port, control_port=control_port, ready=ready)
    except OSError as error:
        raise CommandError(
            f"the lab cannot start: {error}", "Choose other ports with --port and --control-port."
        ) from error
