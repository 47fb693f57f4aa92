"""What the gateway asks of an instance that runs somewhere in the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from actors.instance.asked import Subject


class InstanceUnavailable(Exception):
    """The instance cannot be reached: it is being started or moved, or the cluster is away."""


class SupervisorUnavailable(Exception):
    """The supervisor cannot be reached: it is being started again, or the cluster is away."""


class SupervisorRefused(Exception):
    """The supervisor cannot do this now; says why."""


class SupervisorSilent(Exception):
    """The supervisor did not answer in time. What it was told to do may go on."""


class InstanceCalls(Protocol):
    """Calls to an instance, wherever it runs.

    All have a deadline and raise ``actors.instance.errors.CallFailed`` when the instance refuses or fails,
    and `InstanceUnavailable` when it cannot be reached.
    """

    async def pair_phone(self, instance_id: str, phone: str) -> str:
        """Ask for a code to link with a phone number (digits), as in ``ABCD-1234``."""
        ...

    async def logout(self, instance_id: str) -> None:
        """Unlink the device."""
        ...

    async def ring_outbox(self, instance_id: str) -> None:
        """Say that a message was queued."""
        ...

    async def mark_read(
        self, instance_id: str, chat: str, message_ids: Sequence[str], sender: str | None, played: bool
    ) -> None:
        """Send read, or played, receipts in a chat (a JID) for messages of a sender (a JID, in groups)."""
        ...

    async def typing(self, instance_id: str, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat (a JID)."""
        ...

    async def check_numbers(self, instance_id: str, phones: Sequence[str]) -> list[dict[str, Any]]:
        """Which numbers (E.164) are on WhatsApp: ``query, registered, phone, lid, jid`` of each."""
        ...

    async def picture(self, instance_id: str, jid: str, preview: bool) -> dict[str, Any]:
        """Where a profile picture can be fetched: ``id, url, absence``."""
        ...

    async def ask(self, instance_id: str, subject: Subject, method: str, *args: Any) -> Any:
        """Ask or change something about groups, people or the account, as `actors.instance.asked` does."""
        ...


class Cluster(Protocol):
    """The cluster, as its supervisor knows and steers it.

    All but `missing` have a deadline and raise `SupervisorUnavailable`, `SupervisorSilent`, and
    `SupervisorRefused` when it says no. Nodes and handoffs are as the supervisor tells them, in JSON's types.
    """

    async def missing(self) -> list[str]:
        """What is needed to serve and not there, for people. Empty: all is well. Never raises."""
        ...

    async def nodes(self) -> list[dict[str, Any]]:
        """Living nodes: ``id, address, slots, instances, couriers, draining, labels`` of each."""
        ...

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it."""
        ...

    async def drain(self, node: str, wait: float) -> dict[str, Any] | None:
        """Have a node emptied: ``node, instances, remaining, seconds, handoffs``.

        None if that is not done after ``wait`` seconds; it goes on.
        """
        ...

    async def undrain(self, node: str) -> None:
        """Let a node take instances again."""
        ...

    async def move(self, instance_id: str, node: str | None) -> dict[str, Any]:
        """Hand an instance over; returns the handoff when it has ended."""
        ...

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Handoffs that go on, and past ones, the newest first."""
        ...
