"""Settings of chats that an account's devices share: archived, pinned, muted, read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lab import wa_pb2 as wa
from lab.app_state_cipher import Collection, Keys, read, write
from lab.wire import USERS, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.state import State
    from lab.switchboard import Switchboard

_NAME = "setting_pushName"
_COLLECTIONS = {"mute": "regular_high", "pin_v1": "regular_low", "archive": "regular_low"}
_COLLECTIONS |= {"markChatAsRead": "regular_low", "star": "regular_high", _NAME: "critical_block"}
_VERSIONS = {"mute": 2, "pin_v1": 5, "archive": 3, "markChatAsRead": 3, "star": 2, _NAME: 1}
MAX_PATCH = 1 << 20
"""Bytes of a patch."""


class ChatSettings(BaseModel):
    """What the devices of an account share about a chat. What was never set is null."""

    archived: bool | None = None
    pinned: bool | None = None
    muted_until: int | None = Field(None, description="Milliseconds since 1970; -1 for ever; 0: not muted")
    read: bool | None = None


class AppStates:
    """The shared settings of all accounts: what the network keeps of them, and what phones do with them."""

    def __init__(self, board: Switchboard, state: State) -> None:
        self._board = board
        self._state = state

    # ---- what the network keeps, without being able to read it ----

    def version(self, account: Account, collection: str) -> int:
        """How many patches were made."""
        query = "SELECT count(*) FROM app_patch WHERE phone = ? AND collection = ?"
        (row,) = self._state.rows(query, account.phone, collection)
        return int(row[0])

    def patches(self, account: Account, collection: str, after: int = 0) -> list[bytes]:
        """The patches after a version, in order."""
        query = (
            "SELECT body FROM app_patch WHERE phone = ? AND collection = ? AND version > ? ORDER BY version"
        )
        return [bytes(body) for (body,) in self._state.rows(query, account.phone, collection, after)]

    def add(self, account: Account, collection: str, body: bytes, maker: Device | None) -> int:
        """Append a patch and tell the other devices; the new version. Raises LabError.

        Args:
            maker: the device that made it, None: the phone did.
        """
        patch = wa.SyncPatch.FromString(body)
        # No network could check this. The phone does, and here that is the same moment.
        keys = self._keys(account)
        for action in read(self._standing(account, collection), keys, patch):
            if json.loads(action.index)[0] == _NAME:
                account.record.push_name = action.value.push_name.name
                self._board.directory.save(account)
        self._keep(account, collection, patch)
        for device in account.devices.values():
            if device is not maker:
                changed = node("collection", {"name": collection, "version": patch.version.number})
                self._board.notify(device, "server_sync", account.jid(USERS), [changed])
        return int(patch.version.number)

    def _keep(self, account: Account, collection: str, patch: wa.SyncPatch) -> None:
        patch.version.number = self.version(account, collection) + 1
        body = patch.SerializeToString()
        self._state.run(
            "INSERT INTO app_patch VALUES (?, ?, ?, ?)", account.phone, collection, patch.version.number, body
        )

    def snapshot(self, account: Account, collection: str) -> wa.SyncSnapshot:
        """All that is in a collection, for a device that knows nothing of it."""
        records: dict[bytes, wa.SyncRecord] = {}
        last = wa.SyncPatch()
        for last in map(wa.SyncPatch.FromString, self.patches(account, collection)):
            for mutation in last.mutations:
                if mutation.operation == wa.SyncMutation.SET:
                    records[mutation.record.index.blob] = mutation.record
                else:
                    records.pop(mutation.record.index.blob, None)
        return wa.SyncSnapshot(
            version=last.version, records=records.values(), mac=last.snapshot_mac, key_id=last.key_id
        )

    # ---- what the phone does ----

    def key(self, account: Account) -> wa.AppStateKey:
        """The key that the phone shares with its devices, made when it is first needed."""
        rows = self._state.rows("SELECT id, key, made_at FROM app_key WHERE phone = ?", account.phone)
        if not rows:
            rows = [(b"\0\0" + os.urandom(4), os.urandom(32), int(time.time() * 1000))]
            self._state.run("INSERT INTO app_key VALUES (?, ?, ?, ?)", account.phone, *rows[0])
            self._begin(account, Keys.derive(*rows[0][:2]))
        id_, key, made_at = rows[0]
        shared = wa.AppStateKey()
        shared.id.id, shared.data.key, shared.data.timestamp = bytes(id_), bytes(key), made_at
        shared.data.fingerprint.raw_id = account.record.registration_id
        shared.data.fingerprint.device_indexes.append(0)
        return shared

    def _begin(self, account: Account, keys: Keys) -> None:
        """A phone has settings of its own in every collection, before any of a chat."""
        for name in dict.fromkeys(_COLLECTIONS.values()):
            action = wa.SyncAction(index=json.dumps(["sentinel", name]).encode(), version=1, padding=b"")
            action.value.timestamp = int(time.time() * 1000)
            self._keep(account, name, write(Collection(name, 0, {}), keys, [action]))

    def set(self, account: Account, chat: str, settings: ChatSettings) -> None:
        """Let the phone change settings of a chat (a JID); those that are null stay."""
        now = int(time.time() * 1000)
        changes: dict[str, wa.SyncAction.Value] = {}
        if settings.archived is not None:
            changes["archive"] = wa.SyncAction.Value()
            changes["archive"].archive.archived = settings.archived
        if settings.pinned is not None:
            changes["pin_v1"] = wa.SyncAction.Value()
            changes["pin_v1"].pin.pinned = settings.pinned
        if settings.muted_until is not None:
            changes["mute"] = wa.SyncAction.Value()
            changes["mute"].mute.muted = settings.muted_until != 0
            changes["mute"].mute.until = settings.muted_until
        if settings.read is not None:
            changes["markChatAsRead"] = wa.SyncAction.Value()
            changes["markChatAsRead"].read.read = settings.read
        for kind, value in changes.items():
            value.timestamp = now
            self._set(account, [kind, chat], value)

    def star(
        self, account: Account, chat: str, message_id: str, *, from_me: bool = False, starred: bool = True
    ) -> None:
        """Let the phone put a star at a message of a direct chat (a JID), or take it off."""
        value = wa.SyncAction.Value(timestamp=int(time.time() * 1000))
        value.star.starred = starred
        self._set(account, ["star", chat, message_id, "1" if from_me else "0", "0"], value)

    def _set(self, account: Account, index: list[str], value: wa.SyncAction.Value) -> None:
        kind = index[0]
        encoded = json.dumps(index, separators=(",", ":")).encode()
        action = wa.SyncAction(index=encoded, value=value, padding=b"", version=_VERSIONS[kind])
        keys = self._keys(account)
        collection = self._standing(account, _COLLECTIONS[kind])
        patch = write(collection, keys, [action])
        self.add(account, collection.name, patch.SerializeToString(), None)

    def chats(self, account: Account) -> dict[str, ChatSettings]:
        """What the phone shows of chats, by their JIDs."""
        shown: dict[str, ChatSettings] = {}
        for action in self._actions(account):
            _show(shown, action)
        return shown

    def stars(self, account: Account) -> list[list[str]]:
        """What the phone shows a star at: chat, message id, 1 if the account wrote it, who else did.

        In a direct chat, and of the account's own messages, the last is 0.
        """
        shown: dict[tuple[str, ...], bool] = {}
        for action in self._actions(account):
            kind, *message = json.loads(action.index)
            if kind == "star":
                shown[tuple(message)] = action.value.star.starred
        return [list(message) for message, starred in shown.items() if starred]

    def _actions(self, account: Account) -> Iterator[wa.SyncAction]:
        """All that was ever set, in order."""
        keys = self._keys(account)
        for name in dict.fromkeys(_COLLECTIONS.values()):
            standing = Collection(name, 0, {})
            for patch in map(wa.SyncPatch.FromString, self.patches(account, name)):
                yield from read(standing, keys, patch)
                standing = standing.after(patch)

    def _keys(self, account: Account) -> Keys:
        shared = self.key(account)
        return Keys.derive(shared.id.id, shared.data.key)

    def _standing(self, account: Account, name: str) -> Collection:
        standing = Collection(name, 0, {})
        for patch in map(wa.SyncPatch.FromString, self.patches(account, name)):
            standing = standing.after(patch)
        return standing


def _show(shown: dict[str, ChatSettings], action: wa.SyncAction) -> None:
    kind, *rest = json.loads(action.index)
    if kind not in _COLLECTIONS or kind in ("star", _NAME):
        return
    chat = rest[0]
    settings, value = shown.setdefault(chat, ChatSettings()), action.value
    if kind == "archive":
        settings.archived = value.archive.archived
    elif kind == "pin_v1":
        settings.pinned = value.pin.pinned
    elif kind == "mute":
        settings.muted_until = value.mute.until if value.mute.muted else 0
    elif kind == "markChatAsRead":
        settings.read = value.read.read
