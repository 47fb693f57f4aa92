"""What the tests of the media room share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actors.media.convert import Converter
from actors.media.kinds import Kind
from actors.media.worker.job import Made
from actors.settings import MediaSettings

Make = Callable[..., Awaitable[Made]]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
async def make(scratch: Path) -> AsyncIterator[Make]:
    """Make a file ready; what was made is there until the test's end."""
    async with AsyncExitStack() as stack:

        async def made(kind: Kind, source: Path, claimed: str | None = None, **settings: object) -> Made:
            converter = Converter(MediaSettings.model_validate(settings))
            return await stack.enter_async_context(converter.made(kind, source, scratch, claimed=claimed))

        yield made
