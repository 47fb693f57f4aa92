"""A customer's server, as it should be: verifies every signature, stores, answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from deploy.demo.ledger import Ledger

TOLERANCE = 300.0


def verify(secret: str, headers: dict[str, str], body: bytes, *, now: float) -> bool:
    """Check a request as the Standard Webhooks specification says.

    Written against the specification and not with Malote's own code, so that a mistake in one of the two
    shows.
    """
    event_id, sent, signatures = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not sent.isdigit() or abs(now - int(sent)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = hmac.digest(key, f"{event_id}.{sent}.".encode() + body, hashlib.sha256)
    for signature in signatures.split():
        version, _, encoded = signature.partition(",")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if version == "v1" and hmac.compare_digest(given, expected):
            return True
    return False


class Receiver:
    """The server: one path for each instance, one signing secret for all."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.secret = ""
        self.port = 0
        self.listener: Callable[[dict[str, Any]], None] | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen on a port of this machine; 0 for any free one.

        Raises:
            OSError: it is in use.
        """
        app = web.Application()
        app.router.add_post("/hook/{instance}", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, instance_id: str) -> str:
        """Where the events of an instance are to be sent."""
        return f"http://127.0.0.1:{self.port}/hook/{instance_id}"

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        arrived = time.time()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not verify(self.secret, headers, body, now=arrived):
            self.ledger.refused += 1
            return web.Response(status=401, text="bad signature")
        event = json.loads(body)
        if event["id"] != headers["webhook-id"] or event["instance_id"] != request.match_info["instance"]:
            self.ledger.refused += 1
            return web.Response(status=400, text="the event is not the one that was signed for")
        if event["type"] != "webhook.test":
            had = datetime.fromisoformat(event["received_at"]).astimezone(UTC).timestamp()
            self.ledger.deliver(event, arrived - had)
        if self.listener is not None:
            self.listener(event)
        return web.Response(status=204)
