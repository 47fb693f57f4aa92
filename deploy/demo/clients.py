"""The two HTTP interfaces that the demonstration talks to, as anybody else would."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

TIMEOUT = ClientTimeout(total=90)


class Refused(Exception):
    """An interface answered with an error.

    Args:
        status: of the answer.
        detail: what it says.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class Http:
    """JSON over HTTP to one server."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: ClientSession | None = None

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Any:
        """One request. Returns the answer's JSON, None if it has none.

        Raises:
            Refused: the answer is an error.
            aiohttp.ClientError, TimeoutError: there was no answer.
        """
        if self._session is None:
            self._session = ClientSession(timeout=TIMEOUT)
        async with self._session.request(
            method, self.url + path, json=body, headers=self._headers | (headers or {})
        ) as answer:
            content = await answer.json(content_type=None) if answer.status != 204 else None
            if answer.status >= 400:
                raise Refused(answer.status, str((content or {}).get("detail", "")))
            return content

    async def create(self, path: str, body: Any, *, exists: int = 409) -> Any:
        """POST; that it exists already is no error."""
        try:
            return await self.call("POST", path, body)
        except Refused as refusal:
            if refusal.status != exists:
                raise
            return None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()


class Malote(Http):
    """Malote's API."""

    async def instances(self) -> list[dict[str, Any]]:
        """All instances."""
        page: dict[str, Any] = await self.call("GET", "/v1/instances")
        return list(page["items"])

    async def connection(self, instance_id: str) -> str:
        """Where an instance's connection stands."""
        shown = await self.call("GET", f"/v1/instances/{instance_id}")
        return str(shown["state"]["connection"])

    async def send(self, instance_id: str, to: str, text: str, key: str) -> str:
        """Send a message; try again, under the same idempotency key, until it is accepted.

        Returns:
            Its WhatsApp id.
        """
        headers = {"Idempotency-Key": key}
        body = {"to": to, "text": text}
        while True:
            try:
                path = f"/v1/instances/{instance_id}/messages?wait=0"
                return str((await self.call("POST", path, body, headers=headers))["id"])
            except Refused as refusal:
                if refusal.status not in (429, 503):
                    raise
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.5)


class LabControl(Http):
    """The lab's control interface."""

    async def scan(self, phone: str, code: str) -> None:
        """Let an account's phone scan a QR code."""
        await self.call("POST", f"/accounts/{phone}/scan", {"code": code})

    async def write(self, contact: str, to: str, text: str, *, count: int, interval: float) -> list[str]:
        """Let a contact write. Returns the ids of the messages that the network accepted."""
        order = {"to": to, "text": text, "count": count, "interval": interval}
        written = await self.call("POST", f"/contacts/{contact}/messages", order)
        return list(written["ids"][: written["sent"]])

    async def arrivals(self, contact: str, after: int) -> list[dict[str, Any]]:
        """What arrived at a contact after a position."""
        return list(await self.call("GET", f"/contacts/{contact}/messages?after={after}&limit=1000"))
