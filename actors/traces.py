"""An event's way from WhatsApp to the 2xx: in the log, in ``traceparent``, and as OpenTelemetry spans.

Trace and spans are named by what they are of, so that who knows an event's id knows its trace: nothing has
to be stored or passed on for it. The event is the root span, each attempt at a delivery a child of it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

log = logging.getLogger("actors.trace")

_RANDOM = re.compile(r"evt_([0-9a-f]{32})")


def trace_id(event_id: str) -> str:
    """The trace of an event: 32 hexadecimal digits, those of its id."""
    found = _RANDOM.fullmatch(event_id)
    digits = found[1] if found else ""
    # A trace of zeros only is not allowed.
    return digits if digits.strip("0") else hashlib.sha256(event_id.encode()).hexdigest()[:32]


def span_id(event_id: str, *parts: object) -> str:
    """A span of an event's trace: 16 hexadecimal digits; the root one without further parts."""
    return _span_id(trace_id(event_id), parts)


def traceparent(event_id: str, *parts: object) -> str:
    """The header that tells a span to whom it calls (W3C Trace Context)."""
    trace = trace_id(event_id)
    return f"00-{trace}-{_span_id(trace, parts)}-01"


def _span_id(trace: str, parts: tuple[object, ...]) -> str:
    # The trace is as good as random, and what is the same in all traces sets the spans of one apart.
    return f"{int(trace[16:], 16) ^ _apart(*parts) or 1:016x}"


@lru_cache(maxsize=4096, typed=True)
def _apart(*parts: object) -> int:
    return int(hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16], 16)


class Exporter(Protocol):
    """Takes spans, without waiting."""

    def span(
        self,
        event_id: str,
        parts: tuple[object, ...],
        name: str,
        *,
        start: float,
        end: float,
        failed: bool,
        facts: dict[str, Any],
    ) -> None:
        """Take one; times in seconds since 1970."""
        ...


_exporters: list[Exporter] = []


def export_to(exporter: Exporter | None) -> None:
    """Hand all spans of this process to an exporter from now on, or to nobody."""
    _exporters[:] = [exporter] if exporter else []


def stored(event_id: str, kind: str, *, instance: str, seq: int, since: datetime, now: float) -> None:
    """An event is in the mailbox.

    Args:
        since: when it was received.
        now: seconds since 1970.
    """
    if not (_exporters or log.isEnabledFor(logging.INFO)):
        return
    facts = {"event": event_id, "instance": instance, "seq": seq, "type": kind}
    took = max(0.0, now - since.timestamp())
    log.info("event stored", extra={**facts, "trace": trace_id(event_id), "ms": round(took * 1000, 1)})
    for exporter in _exporters:
        start = since.timestamp()
        exporter.span(
            event_id, (), f"event {kind}", start=start, end=max(start, now), failed=False, facts=facts
        )


def attempted(
    event_id: str,
    *parts: object,
    instance: str,
    endpoint: str,
    number: int,
    status: int | None,
    error: str | None,
    started: float,
    duration: float,
) -> None:
    """An attempt at a delivery ended.

    Args:
        parts: of its span.
        number: of the attempt, from 1.
        status: HTTP status of the answer, if there was one.
        error: why it was no 2xx; None: it was.
        started: seconds since 1970.
        duration: seconds.
    """
    if error is None and not (_exporters or log.isEnabledFor(logging.INFO)):
        return
    facts = {
        "event": event_id,
        "instance": instance,
        "endpoint": endpoint,
        "attempt": number,
        "status": status,
    }
    more = {"trace": trace_id(event_id), "ms": round(duration * 1000, 1)}
    if error is None:
        log.info("delivered", extra={**facts, **more})
    else:
        log.warning("not delivered", extra={**facts, **more, "error": error})
    for exporter in _exporters:
        told = {name: value for name, value in facts.items() if value is not None}
        exporter.span(
            event_id,
            parts,
            "deliver",
            start=started,
            end=started + duration,
            failed=error is not None,
            facts=told,
        )
