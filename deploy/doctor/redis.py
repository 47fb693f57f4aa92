"""Redis or Valkey: whether it can be reached, keeps what it is told, and has room."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError, ResponseError

from actors.store import connect
from deploy.doctor.finding import Area, Finding, clock

area = Area("Redis")
LEAST = (6, 2)
"""XTRIM MINID came with it."""
SLOW = 0.02
MIB = 2**20


async def examine(url: str) -> list[Finding]:
    """Ask the server about itself, and write one key that ends by itself."""
    place = url.rsplit("@", 1)[-1]
    client: Any = connect(url)
    try:
        info = await client.info()
        found = [area.ok(place, "it answers"), *judge(info, await _config(client))]
        pace, ahead = await _pace(client)
        found += [*pace, clock(area, "clock", ahead)]
    except (RedisError, OSError) as error:
        remedy = "See that it runs, may be reached, and is what MALOTE_REDIS_URL names, with its password."
        return [area.problem(place, f"it does not answer: {str(error) or type(error).__name__}", remedy)]
    else:
        return [*found, await _write(client)]
    finally:
        await client.aclose()


async def _write(client: Any) -> Finding:
    try:
        await client.set("malote:doctor", "1", ex=5)
    except (RedisError, OSError) as error:
        remedy = "No message can be stored. See its log, its disk, and the rights of its user."
        return area.problem("a write", f"refused: {error}", remedy)
    return area.ok("a write", "taken")


async def _pace(client: Any) -> tuple[list[Finding], float]:
    """How long an answer takes, and by how many seconds our clock is ahead of the server's."""
    took, ahead = min([await _once(client) for _ in range(5)])
    if took <= SLOW:
        return [], ahead
    remedy = "Every event waits for it once: let it run near the nodes, on a machine that is not busy."
    return [area.warning("pace", f"an answer takes {took * 1000:.0f} ms", remedy)], ahead


async def _once(client: Any) -> tuple[float, float]:
    before = time.time()
    seconds, micros = await client.time()
    after = time.time()
    return after - before, (before + after) / 2 - (seconds + micros / 1e6)


async def _config(client: Any) -> Mapping[str, str] | None:
    try:
        return dict(await client.config_get("appendfsync", "maxmemory-policy"))
    except ResponseError:
        return None  # Managed services forbid it.


def judge(info: Mapping[str, Any], config: Mapping[str, str] | None) -> Iterator[Finding]:
    """What its own account of itself means.

    Args:
        info: of INFO.
        config: ``appendfsync`` and ``maxmemory-policy``; None: it does not tell.
    """
    yield _version(info)
    yield _persistence(info, config)
    yield _memory_policy(info, config)
    yield _memory(info)
    if info.get("role", "master") != "master":
        yield area.problem(
            "role", "it is a replica: it refuses writes", "Let MALOTE_REDIS_URL name the primary."
        )


def _version(info: Mapping[str, Any]) -> Finding:
    compatible = str(info.get("redis_version", "0"))
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {compatible}"
    numbers = tuple(int(part) if part.isdigit() else 0 for part in compatible.split(".")[:2])
    if numbers < LEAST:
        return area.problem("version", name, "Use Valkey, or Redis 6.2 or later.")
    return area.ok("version", name)


def _persistence(info: Mapping[str, Any], config: Mapping[str, str] | None) -> Finding:
    if info.get("aof_last_write_status", "ok") != "ok":
        return area.problem(
            "persistence", "its last write to disk failed", "See its log, and make room on its disk."
        )
    if not int(info.get("aof_enabled", 0)):
        return area.problem(
            "persistence",
            "no append-only file: what it was told is gone when it restarts, messages included",
            "Set `appendonly yes` and `appendfsync always`.",
        )
    fsync = (config or {}).get("appendfsync")
    if fsync is None:
        return area.warning(
            "persistence",
            "it has an append-only file, and does not tell how often that goes to disk",
            "See that `appendfsync` is `always`.",
        )
    if fsync != "always":
        return area.warning(
            "persistence",
            f"`appendfsync {fsync}`: when its machine fails, the last second or more is lost for good",
            "Set `appendfsync always`.",
        )
    return area.ok("persistence", "every write is on disk before it is answered")


def _memory_policy(info: Mapping[str, Any], config: Mapping[str, str] | None) -> Finding:
    policy = (config or {}).get("maxmemory-policy") or info.get("maxmemory_policy")
    if policy is None:
        return area.warning(
            "memory policy", "it does not tell", "See that `maxmemory-policy` is `noeviction`."
        )
    if policy != "noeviction":
        return area.problem(
            "memory policy",
            f"`{policy}`: when it is full it throws away mailboxes, without a word",
            "Set `maxmemory-policy noeviction`: refused writes are seen, and waited out.",
        )
    return area.ok("memory policy", "noeviction")


def _memory(info: Mapping[str, Any]) -> Finding:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most:
        return area.ok("memory", f"{used / MIB:.0f} MiB used, no bound but its machine's")
    said = f"{used / MIB:.0f} of {most / MIB:.0f} MiB used"
    remedy = "Give it more memory, or see to webhooks that take nothing: their events wait in it."
    if used > 0.95 * most:
        return area.problem("memory", said, remedy)
    return area.warning("memory", said, remedy) if used > 0.8 * most else area.ok("memory", said)
