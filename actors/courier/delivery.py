"""One attempt: an event, signed, posted to an endpoint, and how that ended."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence

import aiohttp

from actors.courier.addressee import Addressee
from actors.courier.egress import Answer, Egress, ForbiddenAddress, NameUnknown, ProxyFailure, Unreachable
from actors.courier.retry import Failure, Outcome
from actors.courier.signature import sign
from actors.courier.tls import UnusableTls
from actors.traces import traceparent

EXCERPT = 1024
"""Bytes of an answer that are kept."""


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
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, event_id, timestamp, body),
        "malote-seq": str(seq),
        "malote-attempt": str(number),
        "traceparent": traceparent(event_id, to.place, number),
    }
    try:
        with to.deadline.within():
            async with await egress.post(to, headers, body) as response:
                status = response.status
                retry_after = response.headers.get("retry-after")
                if not response.content.at_eof():
                    await _read(response, answer, to.answer_bytes)
    except Exception as raised:
        failure, error = _explain(raised, to.timeout)
        # What of an answer is no text is escaped in what Python says of it, and could not be written down.
        error = error.encode("utf-8", "backslashreplace").decode()
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


async def _read(response: Answer, answer: bytearray, limit: int) -> None:
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
        return Failure.DISCONNECTED, f"the connection broke: {error}"
    return Failure.PROTOCOL, f"{type(error).__name__}: {error}"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return error.reason or str(error)
