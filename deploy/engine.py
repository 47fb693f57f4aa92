"""Which engine binary is used."""

from __future__ import annotations

from pathlib import Path

from actors.settings import Settings
from deploy.errors import CommandError

BUILT = Path(__file__).resolve().parent.parent / "engine" / "bin"


def engine_binary(settings: Settings) -> Path:
    """The engine to run: the one that was set, else the one that `make engine` built.

    Only a lab build can be pointed at a lab, so that is what a lab gets.

    Raises:
        CommandError: it is not there.
    """
    built = BUILT / ("malote-engine-lab" if settings.lab.directory else "malote-engine")
    binary = (settings.engine or built).expanduser().absolute()
    if not binary.is_file():
        remedy = "Correct MALOTE_ENGINE." if settings.engine else "Build it with `make engine`."
        raise CommandError(f"there is no engine at {binary}", remedy)
    return binary
