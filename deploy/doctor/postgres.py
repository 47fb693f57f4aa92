"""PostgreSQL, where sessions may be kept."""

from __future__ import annotations

import asyncio
import time

import psycopg

from actors.supervisor.session_locks_postgres import understood
from deploy.doctor.finding import Area, Finding, clock

area = Area("PostgreSQL")
LEAST = 120_000
TIMEOUT = 10.0


async def examine(url: str) -> list[Finding]:
    """Connect, and see whether session locks can work there."""
    place = url.rsplit("@", 1)[-1].partition("?")[0]
    try:
        async with asyncio.timeout(TIMEOUT):
            async with await psycopg.AsyncConnection.connect(understood(url), autocommit=True) as connection:
                return [area.ok(place, "it answers"), *await _look(connection)]
    except TimeoutError:
        reason = f"no answer within {TIMEOUT:.0f} s"
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
    remedy = "See that it runs, that MALOTE_SESSION_STORE names it with user and password, and pg_hba.conf."
    return [area.problem(place, reason, remedy)]


async def _look(connection: psycopg.AsyncConnection) -> list[Finding]:
    async def one(statement: str) -> tuple[object, ...]:
        row = await (await connection.execute(statement)).fetchone()
        assert row is not None
        return tuple(row)

    version = connection.info.server_version
    found = [
        area.ok("version", f"{version // 10_000}")
        if version >= LEAST
        else area.problem("version", f"{version // 10_000}", "Use PostgreSQL 12 or later.")
    ]
    (replica,) = await one("SELECT pg_is_in_recovery()")
    if replica:
        found.append(area.problem("role", "it is a standby", "Let MALOTE_SESSION_STORE name the primary."))
    backends = {(await one("SELECT pg_backend_pid()"))[0] for _ in range(5)}
    if len(backends) > 1:
        found.append(
            area.problem(
                "pooling",
                "each statement may meet another server process: locks on sessions cannot hold",
                "Go to PostgreSQL itself, or let the pooler use session mode.",
            )
        )
    (makes,) = await one("SELECT has_schema_privilege(current_schema(), 'CREATE')")
    if not makes:
        found.append(
            area.problem(
                "rights",
                "its user may create no tables",
                "GRANT CREATE ON SCHEMA public TO that user, or let a user that may start Malote once.",
            )
        )
    used, most = await one("SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity")
    assert isinstance(used, int)
    assert isinstance(most, int)
    said = f"{used} of {most} in use"
    remedy = "Raise max_connections: every instance holds some for as long as it runs."
    found.append(
        area.warning("connections", said, remedy) if used > 0.8 * most else area.ok("connections", said)
    )
    before = time.time()
    (there,) = await one("SELECT extract(epoch FROM clock_timestamp())::float8")
    assert isinstance(there, float)
    return [*found, clock(area, "clock", (before + time.time()) / 2 - there)]
