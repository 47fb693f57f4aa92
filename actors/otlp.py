"""Spans to an OpenTelemetry collector, over OTLP/HTTP. Needs the optional packages: ``malote[otel]``."""

from __future__ import annotations

import logging
from typing import Any

from actors import traces

log = logging.getLogger(__name__)

QUEUE = 4_096
"""Spans that wait for the collector. Beyond that new ones are dropped: nothing else waits for it."""


class OtlpExporter:
    """Hands spans to a thread that sends them in batches.

    Args:
        endpoint: http(s)://…, with the path, as in ``http://collector:4318/v1/traces``.
        service: ``service.name`` of the spans.

    Raises:
        ImportError: the optional packages are not installed.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._resource = Resource.create({"service.name": service})
        self._processor = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=endpoint, timeout=10),
            max_queue_size=QUEUE,
            schedule_delay_millis=1_000,
            max_export_batch_size=512,
        )

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
        """See `traces.Exporter`."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(*of: object) -> SpanContext:
            return SpanContext(
                int(traces.trace_id(event_id), 16),
                int(traces.span_id(event_id, *of), 16),
                is_remote=False,
                trace_flags=TraceFlags(TraceFlags.SAMPLED),
            )

        self._processor.on_end(
            ReadableSpan(
                name,
                context(*parts),
                parent=context() if parts else None,
                resource=self._resource,
                attributes={f"malote.{fact}": value for fact, value in facts.items()},
                kind=SpanKind.CLIENT if parts else SpanKind.CONSUMER,
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=int(start * 1e9),
                end_time=int(end * 1e9),
            )
        )

    def close(self) -> None:
        """Send what waits, and end the thread."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]


def start(endpoint: str | None, service: str) -> None:
    """Export the spans of this process, if an endpoint is given. Never raises: messages go first."""
    if endpoint is None:
        return
    try:
        traces.export_to(OtlpExporter(endpoint, service))
    except ImportError as error:
        log.error(
            "no spans are exported: pip install '.[otel]' in Malote's folder", extra={"error": str(error)}
        )
    except Exception as error:
        log.error("no spans are exported", extra={"error": str(error)})
