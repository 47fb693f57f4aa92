"""What an instance asks its own phone for. Answers are in JSON's types."""

from __future__ import annotations

from actors.instance.groups import Query


class HistoryQueries:
    """Requests for history. All raise CallFailed.

    Args:
        query: a bounded place for a query.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    async def older(self, chat: str, message_id: str, from_me: bool, timestamp_ms: int, count: int) -> None:
        """Ask for messages of a chat that are older than one. The phone answers with an offer, if at all."""
        async with self._query() as connection:
            await connection.history.ask(
                chat, message_id, from_me=from_me, timestamp_ms=timestamp_ms, count=count
            )
