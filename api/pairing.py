"""Pairing an instance with a phone: QR code as text, image and live stream, and pairing by code."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import segno
from aiohttp import web
from pydantic import BaseModel, Field

from actors.registry import ConnectionState, Desired, InstanceState, now
from api import problems as p
from api.fields import Body, Phone
from api.live import follow
from api.problems import Problem
from api.routing import Answer, Call, Reply, Routes
from api.streams import CONTENT_TYPE, StreamEnded, event_stream

routes = Routes("Pairing", "Link an instance to a phone, by QR code or by pairing code.")

QR_POLL = 1.0
WAITING = frozenset({ConnectionState.STARTING, ConnectionState.CONNECTING, ConnectionState.PAIRING})
EXAMPLE_QR = "2@5a…,…,…,…"


class QrCode(BaseModel):
    """What the phone has to scan."""

    code: str = Field(description="The text in the QR code", examples=[EXAMPLE_QR])
    expires_at: datetime | None = Field(None, description="Then WhatsApp replaces it by another")


class PairByCode(Body):
    """Whose phone to link with."""

    phone: Phone


class PairingCode(BaseModel):
    """What to type on the phone."""

    code: str = Field(examples=["ABCD-1234"])


QR_PROBLEMS = (p.ALREADY_PAIRED, p.NOT_READY)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/qr",
    "QR code as text",
    (
        200,
        Answer(
            "The code; drawn with text if `Accept` asks for text/plain",
            QrCode,
            media={"text/plain": "█▀▀▀▀▀█ …"},
        ),
    ),
    headers={"Accept": "`text/plain` draws the code with text, for a terminal; otherwise it comes as JSON"},
    problems=QR_PROBLEMS,
)
async def qr(call: Call[None, None]) -> Reply | web.Response:
    """The code to scan now, on the phone: Settings, Linked devices, Link a device. It changes often."""
    code = await _current(call)
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if _wants_text(call.request):
        return web.Response(text=draw(code.code), content_type="text/plain", charset="utf-8", headers=headers)
    return Reply(code, 200, headers)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/qr.png",
    "QR code as an image",
    (200, Answer("A PNG image", media={"image/png": ""})),
    problems=QR_PROBLEMS,
)
async def qr_png(call: Call[None, None]) -> web.Response:
    """The code to scan now. The header `Expires-At` says until when WhatsApp accepts it."""
    code = await _current(call)
    image = io.BytesIO()
    segno.make_qr(code.code, error="l").save(image, kind="png", scale=8, border=4)
    headers = {"Cache-Control": "no-store"}
    if code.expires_at is not None:
        headers["Expires-At"] = code.expires_at.isoformat()
    return web.Response(body=image.getvalue(), content_type="image/png", headers=headers)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/qr/stream",
    "QR codes as a live stream",
    (
        200,
        Answer(
            "Server-Sent Events: `qr` with every new code, `state` with every change of the connection, "
            "`paired` and `connected` when it is. It ends after `connected`.",
            media={CONTENT_TYPE: 'event: qr\ndata: {"code":"2@…","expires_at":"2026-01-31T12:00:20Z"}\n\n'},
        ),
    ),
    problems=(p.TOO_MANY_STREAMS,),
)
async def qr_stream(call: Call[None, None]) -> web.StreamResponse:
    """For a page that shows the code: it follows every new one until the phone is linked and connected."""
    services = call.services
    gateway = services.settings.gateway
    with services.streams.slot(call.instance_id), services.rings.watch(call.instance_id) as watch:
        async with event_stream(
            call.request, route="qr", write_timeout=gateway.stream_write_timeout
        ) as stream:
            before: InstanceState | None = None

            async def tell() -> bool:
                nonlocal before
                state = await services.registry.state(call.instance_id)
                for name, data in _news(before, state):
                    await stream.event(data.model_dump_json(), name=name)
                before = state
                if state is not None and state.connection is ConnectionState.CONNECTED:
                    raise StreamEnded
                return False

            await follow(call, stream, watch, tell, poll=min(QR_POLL, gateway.stream_poll))
    return stream.response


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/pair",
    "Pair by code",
    (200, Answer("The code to type on the phone", PairingCode)),
    body=PairByCode,
    examples={"a phone": {"phone": "+55 11 91234-5678"}},
    problems=(
        p.ALREADY_PAIRED,
        p.NOT_CONNECTED,
        p.REJECTED,
        p.INSTANCE_UNAVAILABLE,
        p.TIMED_OUT,
    ),
)
async def pair(call: Call[PairByCode, None]) -> Reply:
    """On the phone: Settings, Linked devices, Link a device, Link with phone number instead."""
    code = await call.services.calls.pair_phone(call.instance_id, call.body.phone.removeprefix("+"))
    return Reply(PairingCode(code=code), 200, {"Cache-Control": "no-store"})


class Paired(BaseModel):
    """The phone has linked the instance."""

    phone: str | None
    device: str | None


class ConnectionNow(BaseModel):
    """Where the connection stands."""

    connection: ConnectionState
    reason: str | None


def _news(before: InstanceState | None, state: InstanceState | None) -> list[tuple[str, BaseModel]]:
    if state is None:
        return []
    news: list[tuple[str, BaseModel]] = []
    if before is None or (before.connection, before.reason) != (state.connection, state.reason):
        news.append(("state", ConnectionNow(connection=state.connection, reason=state.reason)))
    if state.qr is not None and (before is None or before.qr != state.qr):
        news.append(("qr", QrCode(code=state.qr, expires_at=state.qr_expires_at)))
    if state.device is not None and (before is None or before.device != state.device):
        news.append(("paired", Paired(phone=state.phone, device=state.device)))
    if state.connection is ConnectionState.CONNECTED:
        news.append(("connected", ConnectionNow(connection=state.connection, reason=None)))
    return news


async def _current(call: Call[Any, Any]) -> QrCode:
    """The code to scan now.

    Raises:
        Problem: there is none, and why.
    """
    state = await call.services.registry.state(call.instance_id)
    if state is not None and state.qr is not None and not _expired(state):
        return QrCode(code=state.qr, expires_at=state.qr_expires_at)
    if state is not None and state.device is not None and state.connection is not ConnectionState.LOGGED_OUT:
        raise Problem(p.ALREADY_PAIRED, "The instance is paired already. Log it out before pairing it again.")
    if call.record.desired is Desired.DISCONNECTED:
        raise Problem(p.NOT_READY, "The instance is to stay disconnected. POST …/connect first.")
    if state is None or state.connection in WAITING:
        raise Problem(
            p.NOT_READY, "There is no QR code yet. Try again in a moment.", headers={"Retry-After": "2"}
        )
    reason = f" ({state.reason})" if state.reason else ""
    raise Problem(
        p.NOT_READY,
        f"There is no QR code: the instance is {state.connection}{reason}. "
        "POST …/connect to start pairing again.",
    )


def _expired(state: InstanceState) -> bool:
    return state.qr_expires_at is not None and state.qr_expires_at <= now()


def _wants_text(request: web.Request) -> bool:
    accepted = [
        part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(",")
    ]
    return "text/plain" in accepted and "application/json" not in accepted


def draw(code: str) -> str:
    """A QR code out of block characters, two modules a character, to be read from a dark terminal."""
    rows = [[not dark for dark in row] for row in segno.make_qr(code, error="l").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "".join("".join(blocks[both] for both in zip(*pair, strict=True)) + "\n" for pair in pairs)
