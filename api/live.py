"""Serving a live stream: news as they come, signs of life in between, until it has to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from actors.registry import InstanceUnknown
from actors.store import StoreUnavailable
from api.auth import identify
from api.rings import Watch
from api.routing import Call
from api.streams import EventStream, StreamEnded

log = logging.getLogger(__name__)


async def follow(
    call: Call[Any, Any],
    stream: EventStream,
    watch: Watch,
    step: Callable[[], Awaitable[bool]],
    *,
    poll: float,
) -> None:
    """Keep a stream going until the gateway closes.

    While Redis is away the stream stays open, so that its reader need not find its place again.

    Args:
        step: sends what is new; True if it should be called again at once.
        poll: seconds after which it is called although nobody rang.

    Raises:
        StreamEnded: the reader is gone, or may see nothing any more.
    """
    heartbeat = call.services.settings.gateway.stream_heartbeat
    time = asyncio.get_running_loop().time
    heard = checked = time()
    while not call.services.closing.is_set():
        try:
            if time() - checked >= heartbeat:
                await check_caller(call)
                checked = time()
            if await step():
                heard = time()
                continue
        except StoreUnavailable as error:
            log.warning("stream waits for Redis", extra={"instance": call.instance_id, "error": str(error)})
        if time() - heard >= heartbeat:
            await stream.heartbeat()
            heard = time()
        await watch.wait(min(poll, heartbeat))


async def check_caller(call: Call[Any, Any]) -> None:
    """End the stream of a key that was replaced, or of an instance that was deleted.

    Raises:
        StreamEnded
    """
    caller = call.caller
    if caller is None or await identify(caller.key, call.services) != caller:
        raise StreamEnded
    try:
        await call.services.registry.get(call.instance_id)
    except InstanceUnknown as error:
        raise StreamEnded from error
