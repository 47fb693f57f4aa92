"""``python -m tests.api.answering``: a gateway whose instances and nodes are `Instances`, without Ray."""

from __future__ import annotations

import gateway
from actors.registry import Registry
from actors.settings import Settings
from tests.api.world import FIRST, SECOND, Instances, handoff, node


class Answering(Instances):
    """Answers every call, as an instance and a supervisor would that have nothing to complain of."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        super().__init__()
        self.fleet = [node(FIRST, 1), node(SECOND)]
        self.past = [handoff("inst_1")]

    async def run(self) -> None:
        """Be connected."""

    async def close(self) -> None:
        """Leave."""


if __name__ == "__main__":
    gateway.RayCalls = Answering  # type: ignore[assignment,misc]
    gateway.main()
