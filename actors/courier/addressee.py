"""An endpoint as an attempt needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

from multidict import CIMultiDict
from yarl import URL

from actors.courier.deadline import Deadline
from actors.courier.records import set_by_malote
from actors.courier.tls import ClientTls
from actors.courier.wire import Target

USER_AGENT = f"Malote/{version('malote')}"


@dataclass(frozen=True, eq=False)
class Addressee:
    """What all attempts at an endpoint have in common, ready to be used.

    Args:
        headers: those that are sent every time.
        timeout: seconds from the start of an attempt to the end of the answer, the permit being there.
        connect_timeout: seconds of these until there is a connection.
        answer_bytes: how much of the answer is read.
        tls: the certificate to show to the endpoint.
    """

    url: URL
    headers: CIMultiDict[str]
    timeout: float
    connect_timeout: float
    answer_bytes: int
    tls: ClientTls | None = None

    @cached_property
    def place(self) -> str:
        """The URL, as text."""
        return str(self.url)

    @cached_property
    def deadline(self) -> Deadline:
        """Ends the attempts that take too long."""
        return Deadline(self.timeout)

    @cached_property
    def target(self) -> Target:
        """Where it is, for requests that go there directly and show no certificate."""
        return Target(self.url, self.headers)


def addressee(
    url: str,
    instance_id: str,
    *,
    headers: Mapping[str, str],
    timeout: float,
    connect_timeout: float,
    answer_bytes: int,
    tls: ClientTls | None = None,
) -> Addressee:
    """An endpoint that is given the events of an instance.

    Args:
        headers: the endpoint's own, checked. Ours go before them.
    """
    common = CIMultiDict({name: value for name, value in headers.items() if not set_by_malote(name)})
    common.update(
        {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
            "malote-instance": instance_id,
        }
    )
    return Addressee(URL(url), common, timeout, connect_timeout, answer_bytes, tls)
