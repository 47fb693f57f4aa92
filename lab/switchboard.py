"""The network's core: who is connected, and how a stanza reaches a device."""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.accounts import Account, Device, Directory
from lab.app_state import AppStates
from lab.calls import Calls
from lab.faults import Faults
from lab.groups import Groups
from lab.history import Phones
from lab.media import Media
from lab.newsletters import Newsletters
from lab.state import State
from lab.trust import NoiseIdentity
from lab.wire import LIDS, SERVER, USERS, Jid, Node, Value, node

if TYPE_CHECKING:
    from lab.connection import Connection

_ERRORS_KEPT = 100
LOW_PREKEYS = 10
"""A device with fewer one-time keys than this is asked for more."""


class Switchboard:
    """What the connections share."""

    def __init__(self, state: State, identity: NoiseIdentity, media: Media) -> None:
        self.directory = Directory(state)
        self.groups = Groups(state)
        self.newsletters = Newsletters(state)
        self.calls = Calls()
        self.faults = Faults()
        self.identity = identity
        self.media = media
        self.phones = Phones(self, state)
        self.app_states = AppStates(self, state)
        self.address = ""
        """host:port, once the server listens."""
        self.unknown_queries: dict[str, int] = {}
        """Queries that were answered with 'not implemented', by namespace."""
        self.errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        """Stanzas the lab failed on: a defect of the lab."""
        self._online: dict[tuple[str, int], Connection] = {}
        self._refs: dict[str, Connection] = {}
        self._ids = itertools.count(1)
        self._boot = f"{time.time_ns() // 1_000_000 & 0xFFFFFFFF:x}"

    def new_id(self) -> str:
        """An id for a stanza of the server's own, unique over restarts."""
        return f"{self._boot}-{next(self._ids)}"

    # ---- who is connected ---------------------------------------------------------------------------

    def connection(self, device: Device) -> Connection | None:
        """The device's connection, None while it is offline."""
        return self._online.get((device.account.phone, device.number))

    def attach(self, device: Device, connection: Connection) -> Connection | None:
        """Make a connection the device's only one; the one that it replaces."""
        older = self.connection(device)
        self._online[device.account.phone, device.number] = connection
        return older

    def detach(self, device: Device, connection: Connection) -> bool:
        """Take a connection off; False if it had been replaced."""
        if self.connection(device) is not connection:
            return False
        del self._online[device.account.phone, device.number]
        return True

    def online(self, account: Account) -> list[Connection]:
        """The connections of an account's devices."""
        connections = (self.connection(device) for device in account.devices.values())
        return [connection for connection in connections if connection]

    def connections(self) -> list[Connection]:
        """Every logged in connection."""
        return list(self._online.values())

    def offer(self, ref: str, connection: Connection) -> None:
        """Remember which connection shows a code."""
        self._refs[ref] = connection

    def withdraw(self, refs: Iterable[str]) -> None:
        """Forget codes that are no longer shown."""
        for ref in refs:
            self._refs.pop(ref, None)

    def shown_by(self, ref: str) -> Connection | None:
        """The connection that shows a code."""
        return self._refs.get(ref)

    def waiting_for_code(self, phone: str) -> Connection | None:
        """The connection that most recently asked to be linked to this number by code."""
        waiting = [
            connection
            for connection in dict.fromkeys(self._refs.values())
            if connection.pairing and connection.pairing.link_phone == phone
        ]
        return waiting[-1] if waiting else None

    # ---- how a stanza reaches a device --------------------------------------------------------------

    def deliver(self, device: Device, stanza: Node) -> None:
        """Queue a stanza for a device; it is sent at once if the device is connected."""
        seq = self.directory.enqueue(device, stanza)
        connection = self.connection(device)
        if connection:
            connection.queued(seq)

    def notify(self, device: Device, kind: str, sender: Jid, content: list[Node], **attrs: Value) -> str:
        """Queue a notification for a device; its id."""
        notice = node(
            "notification",
            {"from": sender, "type": kind, "id": self.new_id(), "t": int(time.time()), **attrs},
            content,
        )
        self.deliver(device, notice)
        return notice.text("id")

    def acknowledged(self, device: Device, seq: int | None) -> None:
        """Take note that a device has a stanza."""
        if seq is not None:
            self.directory.forget(seq)
            device.counters.acked += 1

    def watchers(self, account: Account) -> list[Account]:
        """Who hears of changes of what an account shows: those who wrote with it, and itself."""
        found = {phone: self.directory.find(phone) for phone, _ in sorted(account.watchers)}
        return [account, *(watcher for watcher in found.values() if watcher and watcher is not account)]

    def ask_for_prekeys(self, device: Device) -> None:
        """Tell a device that its one-time keys run out, unless it has not answered the last such notice."""
        waiting = device.low_prekeys_notice
        if len(device.prekeys) >= LOW_PREKEYS or (waiting and device.queue.holds("notification", waiting)):
            return
        count = node("count", {"value": len(device.prekeys)})
        device.low_prekeys_notice = self.notify(device, "encrypt", SERVER, [count])

    def remove_device(self, device: Device) -> None:
        """Unlink a device: its connection ends, its queue is gone, its next login is refused."""
        if device.account.devices.get(device.number) is not device:
            return
        connection = self.connection(device)
        self.directory.unlink(device)
        self.devices_changed(device, "remove")
        if connection:
            connection.removed()

    def devices_changed(self, device: Device, change: str) -> None:
        """Tell everybody concerned that a device was linked (``add``) or unlinked (``remove``)."""
        account = device.account
        for other in account.devices.values():
            if other is not device:
                own = [node("device", {"jid": jid}) for jid in account.device_jids(USERS)]
                listed = node("devices", {"dhash": devices_hash(account.device_jids(USERS))}, own)
                self.notify(other, "account_sync", account.jid(USERS), [listed])
        for phone, server in sorted(account.watchers):
            watcher = self.directory.find(phone)
            if watcher is None or watcher is account:
                continue
            changed = node("device", {"jid": device.jid(server), "lid": device.jid(LIDS)})
            content = node(
                change,
                {
                    "device_hash": devices_hash(account.device_jids(server)),
                    "device_lid_hash": devices_hash(account.device_jids(LIDS)),
                },
                changed,
            )
            for target in watcher.devices.values():
                self.notify(target, "devices", account.jid(server), [content], lid=account.jid(LIDS))


def devices_hash(devices: Iterable[Jid]) -> str:
    """WhatsApp's short hash of a list of devices, by which both sides see whether theirs is current."""
    names = sorted(f"{jid.user}.0:{jid.device}@{jid.server}" for jid in devices)
    digest = hashlib.sha256("".join(names).encode()).digest()[:6]
    return "2:" + base64.b64encode(digest).decode().rstrip("=")
