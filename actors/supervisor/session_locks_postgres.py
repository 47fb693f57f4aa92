"""Breaks the lock of a session in PostgreSQL. Imported only where sessions are kept there."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg import pq

from actors.supervisor.workers import Confirm, LockStands

log = logging.getLogger(__name__)

# By its key: the name of the holder's connection, made for people, is cut off after 63 bytes.
_HOLDERS = """
SELECT holder.pid, holder.backend_start
FROM pg_locks AS taken
JOIN pg_database AS here ON here.oid = taken.database AND here.datname = current_database()
JOIN pg_stat_activity AS holder ON holder.pid = taken.pid
WHERE taken.locktype = 'advisory' AND taken.granted
  AND taken.classid::bigint = %(high)s AND taken.objid::bigint = %(low)s AND taken.objsubid = 1
"""

# Its start tells a backend from a later one with the same number.
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"


def lock_key(name: str) -> int:
    """The key of the advisory lock for a session's name, unsigned; as `LockKey` of the engine."""
    return int.from_bytes(hashlib.sha256(f"malote:{name}".encode()).digest()[:8])


async def break_lock(url: str, session: str, confirm: Confirm) -> bool:
    """End the server's side of the connection that holds a session's lock; False if none does.

    Raises:
        LockStands: the server could not be asked, or refused.
        Exception: whatever ``confirm`` raised.
    """
    key = lock_key(session)
    halves = {"high": key >> 32, "low": key & 0xFFFFFFFF}
    try:
        async with await psycopg.AsyncConnection.connect(understood(url), autocommit=True) as connection:
            holders = await (await connection.execute(_HOLDERS, halves)).fetchall()
            if not holders:
                return False
            await confirm()
            log.warning("ending the holder of a lock", extra={"session": session})
            for holder in holders:
                await connection.execute(_END, holder)
            await _until_gone(connection, halves, holders)
            return True
    except psycopg.Error as error:
        raise LockStands(f"the lock of {session} could not be broken: {error}") from error


async def _until_gone(
    connection: psycopg.AsyncConnection, halves: dict[str, int], holders: list[tuple[Any, ...]]
) -> None:
    left = holders
    while left:
        await asyncio.sleep(0.01)
        found = await (await connection.execute(_HOLDERS, halves)).fetchall()
        left = [holder for holder in holders if holder in found]


def understood(url: str) -> str:
    """The URL without what only the engine's client understands: its own settings, and ones of the server."""
    known = {setting.keyword.decode() for setting in pq.Conninfo.get_defaults()}
    address, _, query = url.partition("?")
    settings = [(key, value) for key, value in parse_qsl(query) if key in known]
    # libpq takes a plus for a plus.
    return f"{address}?{urlencode(settings, quote_via=quote)}" if settings else address
