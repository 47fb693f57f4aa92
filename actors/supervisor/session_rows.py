"""Removes the session of a deleted instance from PostgreSQL. Imported only where sessions are kept there."""

from __future__ import annotations

import psycopg

from actors.supervisor.session_locks_postgres import understood

# The engine's tables. What else is kept of a device goes with it (ON DELETE CASCADE).
_THERE = "SELECT to_regclass('malote_session') IS NOT NULL"
_DEVICE = """
DELETE FROM whatsmeow_device WHERE jid IN (
  SELECT device FROM malote_session AS mine WHERE name = %(name)s AND NOT EXISTS (
    SELECT FROM malote_session AS other WHERE other.device = mine.device AND other.name <> %(name)s))
"""
_SESSION = "DELETE FROM malote_session WHERE name = %(name)s"


async def remove(url: str, session: str) -> None:
    """Remove a session and its device. Again is harmless. Whoever found it by its name would be that account.

    Raises:
        psycopg.Error: the server could not be asked, or refused.
    """
    async with await psycopg.AsyncConnection.connect(understood(url)) as connection:
        if await (await connection.execute(_THERE)).fetchone() == (True,):
            await connection.execute(_DEVICE, {"name": session})
            await connection.execute(_SESSION, {"name": session})
