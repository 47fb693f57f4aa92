"""The engine's process: started, spoken to over stdin and stdout, ended."""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import ConnectionError, Gone, Handler, LabTarget
from actors.instance.connection.frames import Decoder, FrameError, encode
from actors.instance.connection.groups import EngineGroups
from actors.instance.connection.history import EngineHistory
from actors.instance.connection.inbox import Inbox
from actors.instance.connection.newsletters import EngineNewsletters
from actors.instance.connection.people import EngineChats, EnginePeople, EngineProfile

PROTOCOL = 1
"""The version of engine.proto that this code speaks."""

START_TIMEOUT = 10.0
QUERY_TIMEOUT = 40.0
CONNECT_TIMEOUT = 60.0
DISCONNECT_TIMEOUT = 20.0
SEND_TIMEOUT = 75.0
MEDIA_TIMEOUT = 610.0
OPEN_TIMEOUT = 40.0
PING_MARGIN = 2.0
"""Seconds. A little more than the engine's own deadlines, so that its own account of a failure arrives."""

GRACE = 3.0
"""Seconds that the process has to end after the end of its stdin."""

_SIGNS_OF_LIFE = frozenset(
    {
        "message", "receipt", "undecryptable", "other", "chat_presence", "presence",
        "paired", "connected", "offline_preview", "offline_done",
    }
)  # fmt: skip
"""Events that WhatsApp caused by sending something."""

_READ_SIZE = 1 << 16
_LOG_LINE = 1 << 15
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_BINARIES = Path(__file__).resolve().parents[3] / "engine" / "bin"


def engine_binary(*, lab: bool) -> Path:
    """Where engine/build.sh puts the engine."""
    return _BINARIES / ("malote-engine-lab" if lab else "malote-engine")


def _media_kind(kind: str) -> str:
    name = kind.upper()
    if name not in pb.MediaKind.keys() or name == "MEDIA_UNKNOWN":  # noqa: SIM118 (not a dict)
        raise ConnectionError("bad_request", f"{kind!r} is not a kind of media")
    return name


def read_lab_target(directory: Path) -> LabTarget:
    """Where the lab with this state directory is.

    Raises:
        OSError: no lab has run there.
        ValueError: its lab.json is damaged.
    """
    try:
        found = json.loads((directory / "lab.json").read_text())
        return LabTarget(
            found["address"], found["tls_ca_pem"].encode(), bytes.fromhex(found["noise_root_key"])
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{directory / 'lab.json'} does not describe a lab: {error}") from error


class EngineConnection:
    """One engine process. Implements `Connection`; one is good for one process's life.

    Args:
        binary: the engine, as `engine_binary` finds it.
        lab: the network to use instead of WhatsApp's; only a lab build obeys.
        proxy: http, https or socks5 URL.
        answer_timeout: seconds that `Handler.on_event` has before the engine parks.
        device_name: shown in the phone's list of linked devices.
        full_history: a device that is paired asks the phone for all of its history.
        send_timeout: seconds after which a send is given up, also one that waits for its turn; 0: a minute.
        log: takes the engine's own log lines.
    """

    def __init__(
        self,
        binary: Path,
        *,
        lab: LabTarget | None = None,
        proxy: str = "",
        answer_timeout: float = 60.0,
        device_name: str = "",
        full_history: bool = False,
        send_timeout: float = 0.0,
        log: logging.Logger | None = None,
    ) -> None:
        self._binary = binary
        self._lab = lab
        self._proxy = proxy
        self._answer_timeout = answer_timeout
        self._device_name = device_name
        self._full_history = full_history
        self._send_timeout_ms = round(send_timeout * 1000)
        self._send_deadline = max(SEND_TIMEOUT, send_timeout + PING_MARGIN)
        self._log = log or logging.getLogger("malote.engine")
        self._process: Process | None = None
        self._hello: asyncio.Future[pb.Hello] | None = None
        self._replies: dict[int, asyncio.Future[pb.Reply]] = {}
        self._last_id = 0
        self._inbox: Inbox | None = None
        self._handler: Handler | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._gone = asyncio.Event()
        self._closing = False
        self._heard = 0.0
        self.groups = EngineGroups(self._ask)
        self.newsletters = EngineNewsletters(self._ask)
        self.chats = EngineChats(self._ask)
        self.people = EnginePeople(self._ask, self._call)
        self.profile = EngineProfile(self._ask)
        self.history = EngineHistory(self._call)

    @property
    def heard(self) -> float:
        """When WhatsApp last gave a sign of life, by the event loop's clock; 0.0 if it never did."""
        return self._heard

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    # ---- life ---------------------------------------------------------------------------------------

    async def start(self, handler: Handler) -> pb.Hello:
        """Start the process. Raises ConnectionError if it does not, or is of another protocol."""
        if self._process is not None:
            raise ConnectionError("bad_request", "this engine was started before")
        try:
            # A group of its own: Ctrl-C in a terminal is for us, who then end the engine in order. But no
            # session: Linux gives each an equal share of the processors (sched(7), autogroup), and the low
            # priority at which the engine decrypts files would count only among its own threads.
            self._process = await asyncio.create_subprocess_exec(
                self._binary, stdin=PIPE, stdout=PIPE, stderr=PIPE, process_group=0
            )
        except OSError as error:
            raise ConnectionError(
                "engine_gone", f"cannot start {self._binary}: {error}; build it with make engine"
            ) from error
        self._handler = handler
        self._hello = asyncio.get_running_loop().create_future()
        self._inbox = Inbox(handler, self._answer)
        self._tasks = [
            asyncio.create_task(self._read(self._process)),
            asyncio.create_task(self._read_log(self._process)),
            asyncio.create_task(self._inbox.run()),
        ]
        try:
            async with asyncio.timeout(START_TIMEOUT):
                hello = await self._hello
        except TimeoutError:
            await self.close()
            raise ConnectionError("timeout", "the engine did not say hello") from None
        except ConnectionError:
            await self.close()
            raise
        if hello.protocol != PROTOCOL:
            await self.close()
            raise ConnectionError(
                "unsupported", f"the engine speaks protocol {hello.protocol}, not {PROTOCOL}"
            )
        return hello

    async def close(self) -> None:
        """End the process: end of stdin, then SIGKILL after a grace period. Never raises."""
        self._closing = True
        process = self._process
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail_all()

    # ---- commands -----------------------------------------------------------------------------------

    async def open(self, *, store: str, device: str, session: str, lock_wait_ms: int) -> pb.OpenResult:
        """Open the session store and take the device's lock."""
        command = pb.Open(
            store=store,
            device=device,
            session=session,
            lock_wait_ms=lock_wait_ms,
            answer_timeout_ms=round(self._answer_timeout * 1000),
            proxy=self._proxy,
            device_name=self._device_name,
            full_history=self._full_history,
        )
        if self._lab is not None:
            command.lab.address = self._lab.address
            command.lab.tls_ca_pem = self._lab.tls_ca_pem
            command.lab.noise_root_key = self._lab.noise_root_key
        reply = await self._call(pb.ToEngine(open=command), OPEN_TIMEOUT + lock_wait_ms / 1000)
        return reply.open

    async def connect(self) -> None:
        """Open the socket; the login's result arrives as a signal. Ends a park."""
        await self._call(pb.ToEngine(connect=pb.Connect()), CONNECT_TIMEOUT)

    async def disconnect(self) -> None:
        """Close the connection. When this returns, no event will come any more."""
        await self._call(pb.ToEngine(disconnect=pb.Disconnect()), DISCONNECT_TIMEOUT)
        if self._inbox:
            # The handler may still be storing an event that the engine no longer waits for.
            with suppress(TimeoutError):
                async with asyncio.timeout(DISCONNECT_TIMEOUT):
                    await self._inbox.idle()

    async def pair_phone(self, phone: str) -> str:
        """Ask for a pairing code for this phone number (digits)."""
        reply = await self._ask(pb.ToEngine(pair_phone=pb.PairPhone(phone=phone)), QUERY_TIMEOUT)
        return reply.pair_phone.code

    async def logout(self) -> None:
        """Unlink the device and forget its session."""
        await self._ask(pb.ToEngine(logout=pb.Logout()), QUERY_TIMEOUT)

    async def send(
        self, to: str, message_id: str, message: bytes, *, media_handle: str = ""
    ) -> pb.SendResult:
        """Send a serialized waE2E.Message under the caller's id. Again under the same id is safe."""
        command = pb.Send(
            to=to,
            message_id=message_id,
            message=message,
            media_handle=media_handle,
            timeout_ms=self._send_timeout_ms,
        )
        return (await self._ask(pb.ToEngine(send=command), self._send_deadline)).send

    async def mark_read(
        self, chat: str, message_ids: Sequence[str], *, sender: str = "", played: bool = False
    ) -> None:
        """Send read (or played) receipts."""
        command = pb.MarkRead(chat=chat, sender=sender, message_ids=message_ids, played=played)
        await self._call(pb.ToEngine(mark_read=command), QUERY_TIMEOUT)

    async def chat_presence(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat."""
        name = state.upper()
        if name not in pb.ChatPresence.State.keys():  # noqa: SIM118 (not a dict)
            raise ConnectionError("bad_request", f"{state!r} is not composing, recording or paused")
        command = pb.ChatPresence(chat=chat, state=name)
        await self._call(pb.ToEngine(chat_presence=command), QUERY_TIMEOUT)

    async def presence(self, *, available: bool) -> None:
        """Show the account as online or not."""
        await self._call(pb.ToEngine(presence=pb.Presence(available=available)), QUERY_TIMEOUT)

    async def subscribe_presence(self, jid: str) -> None:
        """Ask to be told when this person comes online."""
        await self._call(pb.ToEngine(presence=pb.Presence(subscribe=jid)), QUERY_TIMEOUT)

    async def check_numbers(self, phones: Sequence[str]) -> list[pb.CheckNumbersResult.Entry]:
        """Which of these numbers (E.164) are on WhatsApp."""
        command = pb.CheckNumbers(phones=phones)
        reply = await self._ask(pb.ToEngine(check_numbers=command), QUERY_TIMEOUT)
        return list(reply.check_numbers.entries)

    async def picture(self, jid: str, *, preview: bool = False) -> pb.GetPictureResult:
        """Where a profile picture can be fetched."""
        command = pb.GetPicture(jid=jid, preview=preview)
        return (await self._ask(pb.ToEngine(get_picture=command), QUERY_TIMEOUT)).picture

    async def privacy(self) -> dict[str, str]:
        """The account's privacy settings."""
        reply = await self._ask(pb.ToEngine(get_privacy=pb.GetPrivacy()), QUERY_TIMEOUT)
        return dict(reply.privacy.settings)

    async def upload(self, path: Path, kind: str, *, plain: bool = False) -> pb.UploadResult:
        """Encrypt a file of this machine, unless it shall stay plain, and upload it."""
        command = pb.Upload(path=str(path), kind=_media_kind(kind), plain=plain)
        return (await self._call(pb.ToEngine(upload=command), MEDIA_TIMEOUT)).upload

    async def fetch_media(
        self,
        path: Path,
        *,
        kind: str,
        direct_path: str,
        media_key: bytes,
        file_sha256: bytes,
        file_enc_sha256: bytes,
        max_bytes: int = 0,
        renewal: pb.Renewal | None = None,
    ) -> pb.FetchMediaResult:
        """Download a file that a message describes, decrypted, to ``path``."""
        command = pb.FetchMedia(
            path=str(path),
            kind=_media_kind(kind),
            direct_path=direct_path,
            media_key=media_key,
            file_sha256=file_sha256,
            file_enc_sha256=file_enc_sha256,
            max_bytes=max_bytes,
            renewal=renewal,
        )
        return (await self._call(pb.ToEngine(fetch_media=command), MEDIA_TIMEOUT)).fetch_media

    async def vote(
        self, chat: str, poll_id: str, options: Sequence[str], message_id: str, *, sender: str = ""
    ) -> pb.SendResult:
        """Vote in a poll, under the caller's id and in the order of the sends."""
        command = pb.Vote(
            chat=chat,
            sender=sender,
            poll_id=poll_id,
            options=options,
            message_id=message_id,
            timeout_ms=self._send_timeout_ms,
        )
        return (await self._ask(pb.ToEngine(vote=command), self._send_deadline)).send

    async def ping(self, timeout: float) -> None:
        """Ask WhatsApp for a sign of life, which it has to give within ``timeout`` seconds (at most 30)."""
        command = pb.Ping(timeout_ms=max(1, round(timeout * 1000)))
        await self._ask(pb.ToEngine(ping=command), timeout + PING_MARGIN)

    async def stats(self) -> pb.StatsResult:
        """Counters of the engine."""
        return (await self._call(pb.ToEngine(stats=pb.Stats()), QUERY_TIMEOUT)).stats

    # ---- the wire -----------------------------------------------------------------------------------

    async def _ask(self, command: pb.ToEngine, timeout: float) -> pb.Reply:
        """Call for something that takes WhatsApp's own answer, which is a sign of life."""
        reply = await self._call(command, timeout)
        self._hear()
        return reply

    def _hear(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    async def _call(self, command: pb.ToEngine, timeout: float) -> pb.Reply:
        self._last_id += 1
        command.id = self._last_id
        future: asyncio.Future[pb.Reply] = asyncio.get_running_loop().create_future()
        self._replies[command.id] = future
        try:
            async with asyncio.timeout(timeout):
                await self._write(command)
                reply = await future
        except TimeoutError:
            name = command.WhichOneof("command")
            raise ConnectionError(
                "timeout", f"the engine did not answer {name} within {timeout:g} s"
            ) from None
        finally:
            self._replies.pop(command.id, None)
        if reply.HasField("error"):
            raise ConnectionError(reply.error.code, reply.error.message, reply.error.server_code)
        return reply

    async def _write(self, command: pb.ToEngine) -> None:
        process = self._process
        if process is None or process.stdin is None or self._gone.is_set() or self._closing:
            raise ConnectionError("engine_gone", "the engine does not run")
        try:
            process.stdin.write(encode(command))
            await process.stdin.drain()
        except FrameError as error:
            raise ConnectionError("bad_request", str(error)) from error
        except OSError:
            raise ConnectionError("engine_gone", "the engine ended") from None

    async def _answer(self, event_id: int, stored: bool, reason: str) -> None:
        answer = pb.Answer(event_id=event_id, stored=stored, reason=reason)
        # If the engine has ended nobody acknowledges anything: WhatsApp delivers the event again.
        with suppress(ConnectionError):
            await self._write(pb.ToEngine(answer=answer))

    async def _read(self, process: Process) -> None:
        assert process.stdout
        decoder = Decoder()
        try:
            while data := await process.stdout.read(_READ_SIZE):
                for body in decoder.feed(data):
                    self._take(pb.FromEngine.FromString(body))
        except Exception as error:
            # Whatever comes behind cannot be trusted either.
            self._log.error("the engine's output is unreadable: %s", error)
            with suppress(ProcessLookupError):
                process.kill()
        exit_code = await process.wait()
        self._gone.set()
        self._fail_all()
        if not self._closing and self._handler:
            self._handler.on_signal(Gone(exit_code))

    def _take(self, frame: pb.FromEngine) -> None:
        kind = frame.WhichOneof("frame")
        if kind == "reply":
            future = self._replies.get(frame.reply.id)
            if future and not future.done():
                future.set_result(frame.reply)
        elif kind == "event" and self._inbox:
            event = frame.event
            if event.WhichOneof("event") in _SIGNS_OF_LIFE or event.keep_alive.ok:
                self._hear()
            self._inbox.take(frame.event)
        elif kind == "hello" and self._hello and not self._hello.done():
            self._hello.set_result(frame.hello)

    def _fail_all(self) -> None:
        error = ConnectionError("engine_gone", "the engine ended")
        waiting = [future for future in self._replies.values() if not future.done()]
        if self._hello and not self._hello.done():
            self._hello.set_exception(error)
        for future in waiting:
            future.set_exception(error)

    async def _read_log(self, process: Process) -> None:
        assert process.stderr
        rest = b""
        while data := await process.stderr.read(_READ_SIZE):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._pass_on(process.pid, line)
            rest = rest[:_LOG_LINE]
        if rest:
            self._pass_on(process.pid, rest)

    def _pass_on(self, pid: int, line: bytes) -> None:
        try:
            entry = json.loads(line)
            level, module, text = _LEVELS[entry["level"]], entry["module"], entry["message"]
        except (ValueError, KeyError, TypeError):
            # Not one of its log lines: the runtime's last words when it crashes.
            level, module, text = logging.ERROR, "engine", line.decode(errors="replace")
        self._log.log(level, "%s: %s", module, text, extra={"engine_pid": pid})
