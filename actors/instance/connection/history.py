"""The account's history, as an engine reads it."""

from __future__ import annotations

from pathlib import Path

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.groups import QUERY_TIMEOUT, Ask

READ_TIMEOUT = 310.0
"""Seconds. A little more than the engine's own deadline."""


class EngineHistory:
    """Implements `base.History`.

    Args:
        call: puts a command to the engine.
    """

    def __init__(self, call: Ask) -> None:
        self._call = call

    async def read(
        self, notification: bytes, *, start: int, max_bytes: int, max_part_bytes: int, folder: Path
    ) -> pb.HistoryPage:
        """Read a page of a part that the phone has offered."""
        command = pb.ReadHistory(
            notification=notification,
            start=start,
            max_bytes=max_bytes,
            max_part_bytes=max_part_bytes,
            folder=str(folder),
        )
        return (await self._call(pb.ToEngine(read_history=command), READ_TIMEOUT)).history

    async def finish(self, notification: bytes, message_id: str) -> None:
        """Tell the phone that a part was read, and WhatsApp that its file can go. Again is harmless."""
        command = pb.FinishHistory(notification=notification, message_id=message_id)
        await self._call(pb.ToEngine(finish_history=command), QUERY_TIMEOUT)

    async def ask(self, chat: str, message_id: str, *, from_me: bool, timestamp_ms: int, count: int) -> None:
        """Ask the phone for messages of a chat that are older than one."""
        command = pb.AskHistory(
            chat=chat, message_id=message_id, from_me=from_me, timestamp_ms=timestamp_ms, count=count
        )
        await self._call(pb.ToEngine(ask_history=command), QUERY_TIMEOUT)
