"""What the supervisor sees of the cluster: actors it can talk to, and where they live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from actors.cluster import Node, Order
from actors.registry import InstanceRecord


class Ended(Exception):
    """An actor ended, or could not be reached any more."""


class NotLeading(Ended):
    """It is no supervisor that leads: ask the one that does."""


class LockStands(Exception):
    """The lock of a session could not be broken, or may not be."""


Confirm = Callable[[], Awaitable[None]]
"""Raises, unless whoever was seen with a session's lock before it was called may lose it."""


class Worker(Protocol):
    """A living actor. Calls raise Ended when it is gone, CallFailed when it refuses."""

    async def where(self) -> str:
        """The node it lives on."""
        ...

    async def version(self) -> str:
        """Of the code that it runs."""
        ...

    async def working(self) -> bool:
        """True if it was started, and was not told to end."""
        ...

    async def start(self) -> None:
        """Begin to work; again is harmless."""
        ...

    async def watch(self) -> str:
        """Pend until the actor's work ends; returns why. Its process is ended then, too."""
        ...

    async def gone(self) -> None:
        """Pend until the actor ends, whether or not it has begun to work."""
        ...

    async def make_way(self) -> None:
        """Begin nothing more; returns when a successor may be started, which may be before it has ended."""
        ...

    async def drain(self) -> None:
        """Finish and end, within a deadline; killed after it."""
        ...

    async def leave(self) -> None:
        """End the actor's process; killed if it does not."""
        ...

    async def kill(self) -> None:
        """End the actor's process at once; returns when it is gone."""
        ...

    async def configure(self, record: InstanceRecord) -> None:
        """Follow a changed record."""
        ...

    async def prepare(self) -> None:
        """Get warm: everything is ready but the session."""
        ...

    async def quiesce(self, order: Order) -> None:
        """Send no more; returns when the message in flight has its result."""
        ...

    async def disconnect(self, order: Order) -> int:
        """Disconnect, flush, close the session; returns the mailbox's last sequence number."""
        ...

    async def resume(self, order: Order) -> None:
        """Go on after `quiesce` and `disconnect`."""
        ...

    async def activate(self) -> None:
        """Begin to work; returns when the connection stands, or waits for somebody."""
        ...


class Cluster(Protocol):
    """Where actors live."""

    def home(self) -> str:
        """The node that the supervisor itself lives on."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """Every node that is known, dead ones too."""
        ...

    async def request_slots(self, count: int) -> None:
        """Tell the autoscaler how many slots its nodes have to have together.

        Raises:
            Exception: it was not told; to be tried again.
        """
        ...

    async def end(self, node: str, deadline: float) -> bool:
        """Have a node end once nothing is left on it, for good; False if it did not take that.

        Args:
            deadline: seconds since 1970, when what is left is moved by force.

        Raises:
            Exception: it was not told; to be tried again.
        """
        ...

    async def trusts(self, node: str) -> bool:
        """True if the node lives, so that its word about the death of its actors counts."""
        ...

    async def instance_actors(self) -> Sequence[str]:
        """Names of all actors of instances that live, or are coming to be."""
        ...

    async def find(self, actor: str) -> Worker | None:
        """The living actor of this name, None if it is dead."""
        ...

    async def create_instance(self, record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        """Create an instance's actor, which waits for `prepare` or `start`.

        Raises:
            Ended: it does not come up.
        """
        ...

    async def find_couriers(self, number: int) -> Sequence[Worker]:
        """The living actors of a courier: the one that works, and its predecessors and successors."""
        ...

    async def create_courier(self, number: int, node: str) -> Worker:
        """Create an actor of a courier, which waits for `start`.

        Raises:
            Ended: it does not come up.
        """
        ...

    async def break_lock(self, instance_id: str, confirm: Confirm) -> bool:
        """End whoever holds the lock of an instance's session; False if nobody does.

        Only a holder that was seen before ``confirm`` ends, never one that came after it.

        Raises:
            LockStands
            Exception: whatever ``confirm`` raised.
        """
        ...

    async def forget(self, instance_id: str) -> None:
        """Remove the session of a deleted instance, and the files of its messages.

        Raises:
            Exception: its session is still there.
        """
        ...
