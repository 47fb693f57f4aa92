"""One attempt: an event, signed, posted to an endpoint, and how that ended."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp
from multidict import CIMultiDict, istr
from yarl import URL

from actors.courier.egress import Egress, ForbiddenAddress, NameUnknown, ProxyFailure, Unreachable
from actors.courier.retry import Failure, Outcome
from actors.courier.signature import sign
from actors.courier.tls import ClientTls, UnusableTls

USER_AGENT = f"Malote/{version('malote')}"
EXCERPT = 1024
"""Bytes of an answer that are kept."""
ID, TIMESTAMP, SIGNATURE = istr("webhook-id"), istr("webhook-timestamp"), istr("webhook-signature")
SEQ, ATTEMPT = istr("malote-seq"), istr("malote-attempt")


@dataclass(frozen=True, slots=True)
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
        headers: the endpoint's own. Ours go before them.
    """
    common = CIMultiDict(headers)
    common.update(
        {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
            "malote-instance": instance_id,
        }
    )
    return Addressee(URL(url), common, timeout, connect_timeout, answer_bytes, tls)


async def attempt(
    egress: Egress,
    to: Addressee,
    *,
    body: bytes,
    event_id: str,
    seq: int,
    number: int,
    secrets: Sequence[str],
    timestamp: int,
) -> Outcome:
    """Post an event once. Never raises, except for being cancelled.

    The answer counts from its status: one that is a 2xx stands, whatever becomes of the rest of it.

    Args:
        number: of the attempt, from 1.
        timestamp: seconds since 1970.
    """
    started = time.monotonic()
    status: int | None = None
    retry_after: str | None = None
    answer = bytearray()
    failure: Failure | None = None
    error: str | None = None
    headers = to.headers.copy()
    headers[ID] = event_id
    headers[TIMESTAMP] = str(timestamp)
    headers[SIGNATURE] = sign(secrets, event_id, timestamp, body)
    headers[SEQ] = str(seq)
    headers[ATTEMPT] = str(number)
    try:
        async with asyncio.timeout(to.timeout):
            response = await egress.post(
                to.url, body=body, headers=headers, connect_timeout=to.connect_timeout, tls=to.tls
            )
            async with response:
                status = response.status
                retry_after = response.headers.get("retry-after")
                if not response.content.at_eof():
                    await _read(response, answer, to.answer_bytes)
    except Exception as raised:
        failure, error = _explain(raised, to.timeout)
    if status is not None:
        failure = None if 200 <= status < 300 else Failure.STATUS
        if error is not None:
            error = f"answer broken off: {error}"
        if failure is not None:
            error = f"HTTP {status}" + (f"; {error}" if error else "")
    return Outcome(
        status=status,
        failure=failure,
        error=error,
        duration=time.monotonic() - started,
        retry_after=retry_after,
        answer=answer[:EXCERPT].decode("utf-8", "replace").replace("\0", "\ufffd"),
    )


async def _read(response: aiohttp.ClientResponse, answer: bytearray, limit: int) -> None:
    # Read to its end, the connection can be used again; above the limit it is dropped.
    async for chunk in response.content.iter_any():
        answer += chunk[: limit - len(answer)]
        if len(answer) >= limit:
            response.close()
            return


def _explain(error: Exception, timeout: float) -> tuple[Failure, str]:
    refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(refused, ForbiddenAddress):
        return Failure.FORBIDDEN, str(refused)
    if isinstance(error, ProxyFailure):
        return Failure.PROXY, str(error)
    if isinstance(error, Unreachable):
        return Failure.CONNECT, str(error)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return Failure.CONNECT_TIMEOUT, "no connection within the deadline"
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT, f"no complete answer within {timeout:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure.NAME, f"the host's name cannot be resolved: {error.os_error}"
    if isinstance(error, NameUnknown):
        return Failure.NAME, f"the host's name cannot be resolved: {error}"
    if isinstance(error, UnusableTls):
        return Failure.TLS, f"TLS failed: {error}"
    if isinstance(error.__cause__, ssl.SSLError):
        # Not only while connecting: with TLS 1.3 an endpoint refuses our certificate after that.
        return Failure.TLS, f"TLS failed: {_tls_reason(error.__cause__)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure.CONNECT, f"no connection: {error.os_error.strerror or error.os_error}"
    if isinstance(error, OSError | aiohttp.ServerDisconnectedError):
        return Failure.CONNECT, f"the connection broke: {error}"
    return Failure.PROTOCOL, f"{type(error).__name__}: {error}"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return error.reason or str(error)
