"""One client's connection: handshake, login or pairing, and then stanzas both ways."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress

from aiohttp import WSMsgType, web
from google.protobuf.message import DecodeError

from lab import stanzas
from lab import wa_pb2 as wa
from lab.accounts import Device
from lab.noise import PREFIX_SIZE, Frames, Login, NoiseError, Responder, frame
from lab.pairing import Pairing, acceptable
from lab.switchboard import Switchboard
from lab.wire import SERVER, Attrs, Jid, Node, WireError, decode, encode, node

log = logging.getLogger(__name__)

_HANDSHAKE_TIMEOUT = 20.0
_SILENCE_LIMIT = 180.0
"""Seconds without a word after which a client is given up."""
_CLOSE_TIMEOUT = 2.0
_BATCH_BYTES = 64 * 1024
_MAX_OUTBOX = 100_000


class Connection:
    """A client that is connected, logged in or about to be paired."""

    def __init__(self, board: Switchboard, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.board = board
        self.device: Device | None = None
        self.pairing: Pairing | None = None
        self.static_key = b""
        self.available = False
        self.subscriptions: dict[str, str] = {}
        """Whose presence this client wants to see: phone, and how it addresses it."""
        self._socket = socket
        self._request = request
        self._login: Login | None = None
        self._frames = Frames()
        self._outbox: deque[Node] = deque()
        self._unsent: deque[int] = deque()
        self._backlog: int | None = None
        self._active = False
        self._last: Node | None = None
        self._closing = False
        self._frozen = False
        self._stopped = asyncio.Event()
        self._wake = asyncio.Event()
        self._heard = time.monotonic()

    @property
    def phone(self) -> str:
        """The account's number, empty before the login."""
        return self.device.account.phone if self.device else ""

    @property
    def number(self) -> int:
        """The device's number, 0 before the login."""
        return self.device.number if self.device else 0

    # ---- from the network ---------------------------------------------------------------------------

    def post(self, stanza: Node) -> None:
        """Send a stanza that needs no acknowledgement, as soon as the client reads."""
        if len(self._outbox) >= _MAX_OUTBOX:
            self.drop()
        self._outbox.append(stanza)
        self._wake.set()

    def queued(self, seq: int) -> None:
        """Send a stanza that was put into the device's queue."""
        if self._active:
            self._unsent.append(seq)
            self._wake.set()

    def close(self, last: Node | None = None) -> None:
        """Send what is posted, then this stanza, then end the connection."""
        if not self._closing:
            self._last = last
            self._stop()

    def drop(self) -> None:
        """End the connection as a broken cable does: without a word."""
        if self._request.transport:
            self._request.transport.abort()
        self._stop()

    def freeze(self) -> None:
        """Fall silent for good, as when a router forgets the connection: open, but nothing passes."""
        self._frozen = True
        if self._request.transport:
            # What the socket would answer to by itself, such as the end of the connection, stays unread, too.
            self._request.transport.pause_reading()

    def activate(self) -> None:
        """Deliver what waits for the device, then everything new as it comes."""
        if self._active or self.device is None:
            return
        self._active = True
        queue = self.device.queue
        self._unsent.extend(queue.seqs())
        self._backlog = self._offline = len(queue)
        kinds = queue.kinds()
        preview = node(
            "offline_preview",
            {
                "count": len(queue),
                "appdata": 0,
                "message": kinds.get("message", 0),
                "notification": kinds.get("notification", 0),
                "receipt": kinds.get("receipt", 0),
            },
        )
        self.post(node("ib", {"from": SERVER}, preview))

    # ---- its life -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until it or the network ends the connection."""
        try:
            async with asyncio.timeout(_HANDSHAKE_TIMEOUT):
                self._login = await self._handshake()
            payload = wa.ClientPayload.FromString(self._login.payload)
        except (NoiseError, DecodeError, TimeoutError) as error:
            log.info("handshake failed: %s", error)
            return
        self.static_key = self._login.static_key
        writer = asyncio.create_task(self._write())
        try:
            if payload.username:
                self._log_in(payload)
            elif acceptable(payload.pairing):
                self.pairing = Pairing(self, payload.pairing)
                self.pairing.start()
            else:
                self.close(node("failure", {"reason": 400, "location": "lab"}))
            await self._read()
        finally:
            self._end()
            await asyncio.wait({writer}, timeout=_CLOSE_TIMEOUT)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _handshake(self) -> Login:
        prologue, hello = b"", b""
        while not hello:
            data = await self._receive()
            cut = max(0, PREFIX_SIZE - len(prologue))
            prologue += data[:cut]
            frames = self._frames.feed(data[cut:])
            hello = frames[0] if frames else b""
        responder = Responder(self.board.identity.static, self.board.identity.chain, prologue)
        await self._socket.send_bytes(frame(responder.hello(hello)))
        while not (frames := self._frames.feed(await self._receive())):
            pass
        return responder.finish(frames[0])

    async def _receive(self) -> bytes:
        message = await self._socket.receive()
        if message.type != WSMsgType.BINARY:
            raise NoiseError("the client left during the handshake")
        return bytes(message.data)

    def _log_in(self, payload: wa.ClientPayload) -> None:
        account = self.board.directory.find(str(payload.username))
        device = account.devices.get(payload.device) if account else None
        if device is None or account is None:
            self.close(node("failure", {"reason": 401, "location": "lab"}))
            return
        device.counters.connections += 1
        refusal = self._refusal(device)
        if refusal:
            device.counters.refused += 1
            self.close(refusal)
            return
        device.counters.logins += 1
        self.device = device
        older = self.board.attach(device, self)
        if older:
            device.counters.conflicts += 1
            older.replaced()
        self.post(
            node(
                "success",
                {
                    "t": int(time.time()),
                    "props": 30,
                    "companion_enc_static": "",
                    "lid": Jid(account.lid, "lid", device.number),
                    "display_name": account.record.push_name,
                    "location": "lab",
                },
            )
        )
        if not payload.passive:
            self.activate()

    def _refusal(self, device: Device) -> Node | None:
        ban = device.account.record.ban
        if device.record.noise != self.static_key:
            return node("failure", {"reason": 401, "location": "lab"})
        if ban and (left := int(ban.until - time.time())) > 0:
            return node("failure", {"reason": 402, "code": ban.code, "expire": left, "location": "lab"})
        code = self.board.faults.login_code(device.account.phone, device.number)
        return node("failure", {"reason": code, "location": "lab"}) if code else None

    def ping(self) -> None:
        """Greet the client, or give it up if nothing was heard of it for long."""
        if time.monotonic() - self._heard > _SILENCE_LIMIT:
            self.drop()
        elif self.device:
            ping: Attrs = {"from": SERVER, "type": "get", "xmlns": "urn:xmpp:ping", "t": int(time.time())}
            self.post(node("iq", {**ping, "id": self.board.new_id()}))

    def replaced(self) -> None:
        """Another connection of the same device took over."""
        self.close(node("stream:error", {}, node("conflict", {"type": "replaced"})))

    def removed(self) -> None:
        """The device was unlinked."""
        self.close(node("stream:error", {"code": 401}, node("conflict", {"type": "device_removed"})))

    async def _read(self) -> None:
        while not self._closing:
            await self.board.faults.readable(self.phone, self.number, self._is_closing)
            message = await self._socket.receive()
            if self._frozen:
                await self._stopped.wait()
            if message.type != WSMsgType.BINARY:
                return
            self._heard = time.monotonic()
            for sealed in self._frames.feed(message.data):
                if self._closing or self._login is None:
                    return
                try:
                    stanza = decode(self._login.transport.open(sealed))
                except (NoiseError, WireError) as error:
                    log.warning("bad frame from %s:%d: %s", self.phone, self.number, error)
                    self.close(node("stream:error", {}, node("xml-not-well-formed")))
                    return
                self._handle(stanza)

    def _handle(self, stanza: Node) -> None:
        try:
            stanzas.handle(self, stanza)
        except Exception as error:
            self.board.errors.append(f"{stanza.tag} {stanza.text('xmlns')}: {error!r}")
            log.exception("the lab failed on a %s", stanza.tag)

    def _end(self) -> None:
        self._stop()
        if self.pairing:
            self.pairing.end()
        if self.device and self.board.detach(self.device, self):
            stanzas.gone(self)

    def _stop(self) -> None:
        self._closing = True
        self._stopped.set()
        self._wake.set()
        self.board.faults.wake()

    def _is_closing(self) -> bool:
        return self._closing

    async def _write(self) -> None:
        try:
            while True:
                await self.board.faults.writable(self.phone, self.number, self._is_closing)
                if self._frozen:
                    await self._stopped.wait()
                    self.drop()
                    return
                batch = self._batch()
                if batch and self._login:
                    seal = self._login.transport.seal
                    await self._socket.send_bytes(b"".join(frame(seal(body)) for body in batch))
                elif self._closing:
                    break
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except (ConnectionError, RuntimeError) as error:
            log.debug("%s:%d went away: %s", self.phone, self.number, error)
        with suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._socket.close()
        self.drop()

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        room = _BATCH_BYTES
        while room > 0 and (body := self._next()) is not None:
            batch.append(body)
            room -= len(body)
        return batch

    def _next(self) -> bytes | None:
        """What to send next: posted stanzas, the last word, then what the device's queue holds."""
        if self._outbox:
            return encode(self._outbox.popleft())
        if self._last:
            last, self._last = self._last, None
            return encode(last)
        while not self._closing and (self._unsent or self._backlog == 0):
            if self._backlog == 0:
                self._backlog = None
                return encode(node("ib", {"from": SERVER}, node("offline", {"count": self._offline})))
            if body := self._next_queued():
                return body
        return None

    def _next_queued(self) -> bytes | None:
        assert self.device
        pending = self.device.queue.get(self._unsent.popleft())
        offline = self._backlog is not None
        if self._backlog:
            self._backlog -= 1
        if pending is None:
            return None
        pending.deliveries += 1
        if pending.deliveries == 1:
            self.device.counters.sent += 1
        else:
            self.device.counters.redelivered += 1
        if not offline:
            return pending.body
        stanza = decode(pending.body)
        stanza.attrs["offline"] = "1"
        return encode(stanza)
