"""``python -m deploy.node head|worker`` runs a node; ``health`` says whether the one that runs here works."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_settings import SettingsError

from actors import logs
from actors.settings import Settings
from actors.settings.errors import REMEDY, explained
from deploy.errors import CommandError, Exit
from deploy.node import health, plan
from deploy.node.ecs import EcsError
from deploy.node.entry import Node
from deploy.node.plan import Role


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in (*Role, "health"):
        print(__doc__, file=sys.stderr)
        return Exit.USAGE
    try:
        settings = Settings()
        logs.configure(settings.log_level, events=settings.log_events)
        if arguments[0] == "health":
            environment = plan.environment(Role.WORKER, settings, os.environ)
            health.check(settings.data_dir / "node.json", environment)
            return Exit.OK
        return asyncio.run(Node(Role(arguments[0]), settings).run())
    except CommandError as error:
        print(f"{error.problem}. {error.remedy}".strip(), file=sys.stderr)
        return error.status
    except (ValidationError, SettingsError) as error:
        print(*explained(error), REMEDY, sep="\n", file=sys.stderr)
        return Exit.USAGE
    except EcsError as error:
        print(error, file=sys.stderr)
        return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
