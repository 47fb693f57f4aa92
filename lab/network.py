"""The lab as a whole: one network with its server, its control interface, its contacts and its memory."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import IO

from aiohttp import web

from actors.instance.connection.base import LabTarget
from lab.accounts import Account, Ban, Device, LabError
from lab.connection import Connection
from lab.contacts import ENGINE, Contacts
from lab.control import application
from lab.faults import Faults
from lab.groups import Group
from lab.media import Media
from lab.media_server import MediaServer
from lab.phone import QrCode, read_link_code
from lab.stanzas import pictures
from lab.state import State
from lab.switchboard import Switchboard
from lab.trust import NoiseIdentity, Roots, server_context
from lab.wire import node

_HOST = "127.0.0.1"
_ROOT_NAMES = ("noise_root", "tls_key", "tls_ca")
_MAX_FRAMES = 1 << 25
_SHUTDOWN_TIMEOUT = 2.0
_PING_INTERVAL = 25.0


class Lab:
    """A WhatsApp network on loopback."""

    def __init__(self, state_dir: Path, engine: Path = ENGINE) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self.state_dir = state_dir
        self._lock = _locked(state_dir / "lab.lock")
        try:
            self._state = State(state_dir / "lab.db")
        except BaseException:
            self._lock.close()
            raise
        self._roots = _roots(self._state)
        media = Media(self._state, state_dir / "media")
        self.board = Switchboard(self._state, NoiseIdentity.issue(self._roots), media)
        self.contacts = Contacts(self, self._state, engine)
        self.control_url = ""
        self._runners: list[web.AppRunner] = []
        self._pings: asyncio.Task[None] | None = None
        self._connections: set[Connection] = set()

    @classmethod
    async def start(
        cls, state_dir: Path, *, port: int = 0, control_port: int = 0, engine: Path = ENGINE
    ) -> Lab:
        """Open or create the network in this folder and serve it.

        Port 0 takes the one of the last run in this folder, so that clients find the network again, or if
        that is taken a free one.

        Once this returns, ``lab.json`` in the folder says where the network is. Contacts of an earlier run
        connect in the background; ``engine`` is the lab build that they run.

        Raises OSError if a port is taken, or if the folder can't be written or is another lab's.
        """
        lab = cls(state_dir, engine)
        try:
            await lab._serve(port, control_port)
        except BaseException:
            await lab.stop()
            raise
        return lab

    async def _serve(self, port: int, control_port: int) -> None:
        app = web.Application()
        app.router.add_get("/ws/chat", self._accept)
        app.router.add_get(f"{pictures.PATH}/{{owner}}/{{name}}", self._picture)
        MediaServer(self.board).add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        self._runners.append(runner)
        await runner.setup()
        tls = server_context(self._roots, _HOST)
        port = await self._listen(runner, "port", port, tls)
        self.board.address = f"{_HOST}:{port}"
        control = web.AppRunner(application(self), access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        self._runners.append(control)
        await control.setup()
        control_port = await self._listen(control, "control_port", control_port, None)
        self.control_url = f"http://{_HOST}:{control_port}"
        self._save_target()
        self._pings = asyncio.create_task(self._ping())
        self.contacts.resume()

    async def _listen(self, runner: web.AppRunner, name: str, port: int, tls: ssl.SSLContext | None) -> int:
        last = self._state.get(name)
        candidates = [port] if port or not last else [int(last), 0]
        for candidate in candidates:
            try:
                await web.TCPSite(runner, _HOST, candidate, ssl_context=tls).start()
                break
            except OSError:
                if candidate == candidates[-1]:
                    raise
        taken = int(runner.addresses[0][1])
        self._state.put(name, str(taken).encode())
        return taken

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_INTERVAL)
            for connection in list(self._connections):
                connection.ping()

    async def stop(self) -> None:
        """End every connection and the server. What was accepted is there at the next start."""
        self.board.faults.clear()
        if self._pings:
            self._pings.cancel()
        await self.contacts.stop()
        for connection in list(self._connections):
            connection.close(node("stream:error", {"code": 503}))
        for runner in reversed(self._runners):
            await runner.cleanup()
        self._runners.clear()
        self._state.close()
        self._lock.close()

    # ---- what an engine and a test need -------------------------------------------------------------

    @property
    def target(self) -> LabTarget:
        """Where an engine finds this network, and what it must trust."""
        return LabTarget(self.board.address, self._roots.tls_ca_pem, self._roots.noise_public)

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self.board.faults

    def account(self, phone: str, name: str = "") -> Account:
        """The account with this number (digits), made if there is none. Raises LabError."""
        return self.board.directory.find(phone) or self.board.directory.create(phone, name)

    def device(self, phone: str, number: int) -> Device:
        """A companion device. Raises LabError."""
        device = self.board.directory.get(phone).devices.get(number)
        if device is None:
            raise LabError("no_such_device", f"{phone} has no linked device {number}", 404)
        return device

    async def scan(self, phone: str, code: str) -> Device:
        """The account's phone scans a code that a client shows; the linked device. Raises LabError."""
        account, parsed = self.board.directory.get(phone), QrCode.parse(code)
        connection = self.board.shown_by(parsed.ref)
        if connection is None or connection.pairing is None:
            raise LabError("unknown_code", "no client shows this code (any more): scan a fresh one", 410)
        return await connection.pairing.scan(account, parsed)

    async def confirm(self, phone: str, code: str) -> Device:
        """The code that a client shows is typed on the account's phone. Raises LabError."""
        account, typed = self.board.directory.get(phone), read_link_code(code)
        connection = self.board.waiting_for_code(phone)
        if connection is None or connection.pairing is None:
            raise LabError("no_request", f"no client asked to be linked to {phone} by code", 404)
        return await connection.pairing.confirm(account, typed)

    def log_out(self, phone: str, number: int) -> None:
        """The account's phone unlinks a device. Raises LabError."""
        self.board.remove_device(self.device(phone, number))

    def drop(self, phone: str, number: int) -> bool:
        """Cut a device's connection without a word; False if it has none. Raises LabError."""
        connection = self.board.connection(self.device(phone, number))
        if connection:
            connection.drop()
        return connection is not None

    def freeze(self, phone: str, number: int) -> bool:
        """Let a device's connection stay open and silent; a new one is served. False if it has none.

        Raises LabError.
        """
        connection = self.board.connection(self.device(phone, number))
        if connection:
            connection.freeze()
        return connection is not None

    def conflict(self, phone: str, number: int) -> bool:
        """End a device's connection as if another took its place; False if it has none. Raises LabError."""
        connection = self.board.connection(self.device(phone, number))
        if connection:
            connection.replaced()
        return connection is not None

    def ban(self, phone: str, seconds: float, code: int = 101) -> None:
        """Refuse an account's logins for a while and end its connections. Raises LabError."""
        account = self.board.directory.get(phone)
        account.record.ban = Ban(code=code, until=time.time() + seconds)
        self.board.directory.save(account)
        for connection in self.board.online(account):
            connection.close(node("stream:error", {"code": 403}))

    def unban(self, phone: str) -> None:
        """End a ban. Raises LabError."""
        account = self.board.directory.get(phone)
        account.record.ban = None
        self.board.directory.save(account)

    def set_picture(self, phone: str, image: bytes | None) -> None:
        """Change an account's profile picture, as on its phone; None removes it. Raises LabError."""
        pictures.change(self.board, self.board.directory.get(phone), image)

    def picture_url(self, shown: Account | Group) -> str | None:
        """Where an account's or a group's picture can be fetched, None if it has none."""
        return pictures.url(self.board, shown)

    def set_privacy(self, phone: str, name: str, value: str) -> None:
        """Change a privacy setting, as on the account's phone. Raises LabError."""
        account = self.board.directory.get(phone)
        if name not in account.record.privacy:
            known = ", ".join(account.record.privacy)
            raise LabError("no_such_setting", f"there is no privacy setting {name!r}, but {known}", 422)
        account.record.privacy[name] = value
        self.board.directory.save(account)

    # ---- the server ---------------------------------------------------------------------------------

    def _save_target(self) -> None:
        """Write lab.json, by which other processes find this network."""
        found = {
            "address": self.board.address,
            "control_url": self.control_url,
            "tls_ca_pem": self._roots.tls_ca_pem.decode(),
            "noise_root_key": self._roots.noise_public.hex(),
        }
        path = self.state_dir / "lab.json"
        with tempfile.NamedTemporaryFile("w", dir=self.state_dir, delete=False) as draft:
            json.dump(found, draft, indent=2)
        os.replace(draft.name, path)  # noqa: PTH105 (whole or not at all)

    async def _accept(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1.0, max_msg_size=_MAX_FRAMES, compress=False)
        await socket.prepare(request)
        connection = Connection(self.board, socket, request)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
        return socket

    async def _picture(self, request: web.Request) -> web.Response:
        image = pictures.image_at(self.board, request.match_info["owner"], request.match_info["name"])
        if image is None:
            raise web.HTTPNotFound(text="no such picture")
        return web.Response(body=image, content_type="image/jpeg")


def _locked(path: Path) -> IO[bytes]:
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise OSError(f"another lab runs in {path.parent}") from None
    return lock


def _roots(state: State) -> Roots:
    kept = [state.get(name) for name in _ROOT_NAMES]
    noise, key, authority = kept
    if noise and key and authority:
        return Roots(noise, key, authority)
    roots = Roots.create()
    with state.transaction():
        for name, value in zip(_ROOT_NAMES, (roots.noise, roots.tls_key_pem, roots.tls_ca_pem), strict=True):
            state.put(name, value)
    return roots
