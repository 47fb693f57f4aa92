"""The seam to an engine: what a connection to WhatsApp can do, whoever speaks the protocol.

An engine reports in two ways. What must not be lost goes through ``Handler.on_event``, which is awaited:
the engine acknowledges to WhatsApp only after it returned True. What describes the connection itself goes
through ``Handler.on_signal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from actors.instance.connection import engine_pb2 as pb


class ConnectionError(Exception):
    """An engine refused or failed a command.

    Args:
        code: one of the codes in ``engine.proto`` (message Error), or ``engine_gone`` when the process ended.
        message: for people.
        server_code: WhatsApp's own code, 0 if none.
    """

    def __init__(self, code: str, message: str, server_code: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.server_code = server_code


@dataclass(frozen=True, slots=True)
class LabTarget:
    """Where a lab build finds its network instead of WhatsApp's."""

    address: str
    tls_ca_pem: bytes
    noise_root_key: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """The engine process ended."""

    exit_code: int


Signal = (
    pb.Qr | pb.Paired | pb.PairFailed | pb.Connected | pb.Disconnected | pb.Replaced | pb.LoggedOut
    | pb.ConnectFailure | pb.Parked | pb.KeepAlive | pb.OfflinePreview | pb.OfflineDone | pb.StoreLost | Gone
)  # fmt: skip

DurableEvent = pb.Message | pb.Receipt | pb.Undecryptable | pb.Other
PassingEvent = pb.ChatPresenceEvent | pb.PresenceEvent


ParticipantChange = Literal["add", "remove", "promote", "demote", "approve", "reject"]


class Handler(Protocol):
    """Who listens to an engine."""

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        """Store one event. True: stored, WhatsApp may forget it. False or an exception: the engine parks.

        Called for one event at a time, in WhatsApp's order. For a PassingEvent the result has no effect.
        """
        ...

    def on_signal(self, signal: Signal) -> None:
        """Learn of a change of the connection. Must not block."""
        ...


class Groups(Protocol):
    """The groups that an account is in. Groups and people are given by their JIDs."""

    async def create(self, name: str, participants: Sequence[str]) -> pb.Group:
        """Create a group. Who could not be added is listed with WhatsApp's code why, if at all."""
        ...

    async def get(self, jid: str) -> pb.Group:
        """One group; ``rejected`` with 403 if the account is not in it, with 404 if there is none."""
        ...

    async def all(self) -> list[pb.Group]:
        """Every group that the account is in."""
        ...

    async def change(
        self,
        jid: str,
        *,
        name: str | None = None,
        topic: str | None = None,
        picture: bytes | None = None,
        locked: bool | None = None,
        announce: bool | None = None,
        join_approval: bool | None = None,
        members_add: bool | None = None,
    ) -> None:
        """Change what is given, in this order; the first failure ends it, and leaves what came before.

        An empty topic or picture (a JPEG) takes it away.
        """
        ...

    async def change_participants(
        self, jid: str, change: ParticipantChange, participants: Sequence[str]
    ) -> list[pb.Participant]:
        """Change who is in, or in which role. `Participant.error` is 0 where WhatsApp did."""
        ...

    async def join_requests(self, jid: str) -> list[pb.JoinRequests.Entry]:
        """Who waits to be let in."""
        ...

    async def invite(self, jid: str, *, reset: bool = False) -> str:
        """The link by which one can join; a new one, which ends the old, if `reset`."""
        ...

    async def inspect_invite(self, link: str) -> pb.Group:
        """The group behind a link, as WhatsApp shows it to those who are not in it."""
        ...

    async def join(self, link: str) -> str:
        """Join by a link; the group's JID. Where admins decide who joins, this only asks to be let in."""
        ...

    async def leave(self, jid: str) -> None:
        """Leave a group."""
        ...


class People(Protocol):
    """Others, by their JIDs."""

    async def get(self, jids: Sequence[str]) -> list[pb.People.Entry]:
        """What these people show of themselves; who is not on WhatsApp is left out."""
        ...

    async def blocklist(self) -> list[pb.Identity]:
        """Whom the account has blocked."""
        ...

    async def block(self, jid: str, *, blocked: bool) -> list[pb.Identity]:
        """Block a person or end that; whom the account has blocked then."""
        ...

    async def reject_call(self, caller: str, call_id: str) -> None:
        """Turn down a call that rings. WhatsApp does not say whether it still did."""
        ...


class Profile(Protocol):
    """The account itself, as others see it."""

    async def set_privacy(self, name: str, value: str) -> dict[str, str]:
        """Change one privacy setting, by a name that reading them gives; all of them as they are then."""
        ...

    async def set_name(self, name: str) -> None:
        """Change the name that the account shows, on all its devices.

        Fails with ``no_app_state_key`` while the phone has not shared the key of these settings.
        """
        ...

    async def set_about(self, text: str) -> None:
        """Change the text about the account."""
        ...

    async def set_picture(self, jpeg: bytes) -> str:
        """Change the account's picture, or take it away with an empty one; its id, empty if there is none."""
        ...

    async def set_disappearing(self, seconds: int, *, chat: str = "") -> None:
        """After how long messages disappear: in a chat, or without one in new chats of the account.

        Args:
            seconds: 0 (never), 86400, 604800 or 7776000.
            chat: JID of a person or group.
        """
        ...


class Chats(Protocol):
    """Settings of chats, which all devices of the account share."""

    async def set(self, command: pb.SetChat) -> None:
        """Change a setting of a chat.

        Fails with ``no_app_state_key`` while the phone has not shared the key of these settings.
        """
        ...


class Newsletters(Protocol):
    """Newsletters, which the app calls channels. They are given by their JIDs.

    Fails with ``rejected`` and WhatsApp's code: 403 if the account may not do that, 404 if there is none.
    """

    async def all(self) -> list[pb.Newsletter]:
        """Those that the account follows or owns."""
        ...

    async def get(self, jid: str) -> pb.Newsletter:
        """One, followed or not."""
        ...

    async def behind(self, link: str) -> pb.Newsletter:
        """The one that a link, or the code at its end, leads to."""
        ...

    async def create(self, name: str, description: str) -> pb.Newsletter:
        """Create one."""
        ...

    async def follow(self, jid: str, *, followed: bool) -> None:
        """Follow one, or end that."""
        ...

    async def mute(self, jid: str, *, muted: bool) -> None:
        """Mute one, or end that."""
        ...

    async def posts(self, jid: str, *, count: int, before: int = 0) -> list[pb.NewsletterPost]:
        """What stands in one: the newest, or what is before the one with this number; 100 at most."""
        ...

    async def react(self, jid: str, number: int, emoji: str) -> None:
        """React to the one with this number, or with no emoji take that back."""
        ...

    async def view(self, jid: str, number: int) -> None:
        """Have it counted that the one with this number was seen."""
        ...


class History(Protocol):
    """The account's history, as its phone offers it in parts."""

    async def read(
        self, notification: bytes, *, start: int, max_bytes: int, max_part_bytes: int, folder: Path
    ) -> pb.HistoryPage:
        """Read a page of a part. Minutes may pass before the first one of it: the part is downloaded then.

        Args:
            notification: with which the phone offered the part.
            start: 0, or ``next`` of the page before, whichever process has read that.
            max_bytes: of a page; one message is given whatever its size.
            max_part_bytes: of the part, unpacked.
            folder: absolute; room for files that end with the process.
        """
        ...

    async def finish(self, notification: bytes, message_id: str) -> None:
        """Tell the phone that a part was read, and WhatsApp that its file can go. Again is harmless.

        Args:
            message_id: of the message that offered it.
        """
        ...

    async def ask(self, chat: str, message_id: str, *, from_me: bool, timestamp_ms: int, count: int) -> None:
        """Ask the phone for messages of a chat that are older than one; the answer is an offer, if any."""
        ...


class Connection(Protocol):
    """One WhatsApp device. Commands raise ConnectionError; each has a deadline of its own."""

    @property
    def groups(self) -> Groups:
        """Its account's groups."""
        ...

    @property
    def newsletters(self) -> Newsletters:
        """Newsletters."""
        ...

    @property
    def people(self) -> People:
        """Other people."""
        ...

    @property
    def chats(self) -> Chats:
        """Settings of its account's chats."""
        ...

    @property
    def profile(self) -> Profile:
        """Its account, as others see it."""
        ...

    @property
    def history(self) -> History:
        """Its account's history."""
        ...

    @property
    def pid(self) -> int | None:
        """The engine's process id, None while none runs."""
        ...

    @property
    def heard(self) -> float:
        """When WhatsApp last gave a sign of life, by the event loop's clock; 0.0 if it never did."""
        ...

    async def start(self, handler: Handler) -> pb.Hello:
        """Start the engine's process."""
        ...

    async def open(self, *, store: str, device: str, session: str, lock_wait_ms: int) -> pb.OpenResult:
        """Open the session store and take the device's lock."""
        ...

    async def connect(self) -> None:
        """Open the socket; the login's result arrives as a signal. Ends a park."""
        ...

    async def disconnect(self) -> None:
        """Close the connection. When this returns, no event will come any more."""
        ...

    async def pair_phone(self, phone: str) -> str:
        """Ask for a pairing code for this phone number (digits)."""
        ...

    async def logout(self) -> None:
        """Unlink the device and forget its session."""
        ...

    async def send(
        self, to: str, message_id: str, message: bytes, *, media_handle: str = ""
    ) -> pb.SendResult:
        """Send a serialized waE2E.Message under the caller's id. Again under the same id is safe.

        Args:
            media_handle: of its file, if that was uploaded plain.
        """
        ...

    async def mark_read(
        self, chat: str, message_ids: Sequence[str], *, sender: str = "", played: bool = False
    ) -> None:
        """Send read (or played) receipts."""
        ...

    async def chat_presence(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat."""
        ...

    async def subscribe_presence(self, jid: str) -> None:
        """Ask to be told, on this connection, when a person comes online or leaves."""
        ...

    async def presence(self, *, available: bool) -> None:
        """Show the account as online or not. WhatsApp tells only who is online of others' typing."""
        ...

    async def check_numbers(self, phones: Sequence[str]) -> list[pb.CheckNumbersResult.Entry]:
        """Which of these numbers (E.164) are on WhatsApp."""
        ...

    async def picture(self, jid: str, *, preview: bool = False) -> pb.GetPictureResult:
        """Where a profile picture can be fetched."""
        ...

    async def privacy(self) -> dict[str, str]:
        """The account's privacy settings."""
        ...

    async def upload(self, path: Path, kind: str, *, plain: bool = False) -> pb.UploadResult:
        """Encrypt a file of this machine and upload it. Minutes may pass.

        Args:
            path: absolute.
            kind: ``image``, ``video``, ``audio``, ``document``, ``sticker`` or ``link_thumbnail``.
            plain: do not encrypt it: it is for a newsletter.
        """
        ...

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
        """Download a file that a message describes, decrypted, to ``path``. Minutes may pass.

        Nothing stands at ``path`` unless this returns. An engine that is killed meanwhile leaves a
        ``.<name>.*.part`` beside it.

        Args:
            path: absolute; its folder exists.
            kind: as in `upload`.
            direct_path: with the keys and hashes, as the message gives them.
            max_bytes: more are not written; 0 for no bound.
            renewal: the message that brought it, if the phone shall be asked for what WhatsApp has no longer.
        """
        ...

    async def vote(
        self, chat: str, poll_id: str, options: Sequence[str], message_id: str, *, sender: str = ""
    ) -> pb.SendResult:
        """Vote in a poll, under the caller's id and in the order of the sends.

        Args:
            chat: JID.
            poll_id: message id of the poll.
            options: by name; none takes the vote back.
            message_id: of the vote. Again under the same id is safe.
            sender: JID of who sent the poll, empty if this account did.
        """
        ...

    async def ping(self, timeout: float) -> None:
        """Ask WhatsApp for a sign of life, which it has to give within ``timeout`` seconds (at most 30)."""
        ...

    async def stats(self) -> pb.StatsResult:
        """Counters of the engine."""
        ...

    async def close(self) -> None:
        """End the engine: end of stdin, then SIGKILL after a grace period. Never raises."""
        ...
