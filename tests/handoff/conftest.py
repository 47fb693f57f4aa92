"""One fleet for all tests of handoffs: what each of them breaks has to mend itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.handoff.fleet import Fleet


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fleet.environment.items():
            patch.setenv(name, value)
        async with fleet:
            yield fleet
