"""``python -m lab``: the network as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from lab.contacts import ENGINE
from lab.network import Lab


async def serve(
    state_dir: Path,
    *,
    port: int = 0,
    control_port: int = 0,
    engine: Path = ENGINE,
    ready: Callable[[Lab], None] | None = None,
) -> None:
    """Run a lab until SIGINT or SIGTERM; ``lab.json`` in its folder says where it is.

    Args:
        state_dir: where everything is kept that outlives a restart.
        port: of the network, 0 for a free one.
        control_port: of the control interface, 0 for a free one.
        engine: the lab build of the engine, for contacts.
        ready: called once the lab serves.

    Raises OSError if a port is taken or the folder can't be written.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lab = await Lab.start(state_dir, port=port, control_port=control_port, engine=engine)
    try:
        if ready:
            ready(lab)
        await stop.wait()
    finally:
        await lab.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="A WhatsApp network on this machine.")
    parser.add_argument("--state", type=Path, required=True, help="folder of everything it remembers")
    parser.add_argument("--port", type=int, default=0, help="of the network (default: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="of the control interface")
    parser.add_argument("--engine", type=Path, default=ENGINE, help="lab build of the engine, for contacts")
    options = parser.parse_args()
    try:
        asyncio.run(
            serve(
                options.state,
                port=options.port,
                control_port=options.control_port,
                engine=options.engine,
                ready=_announce,
            )
        )
    except OSError as error:
        sys.exit(f"the lab can't start: {error}")


def _announce(lab: Lab) -> None:
    print(f"network {lab.board.address}\ncontrol {lab.control_url} (described at /openapi.json)", flush=True)


if __name__ == "__main__":
    main()
