"""What the gateway counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "malote_http_requests_total", "HTTP requests, by route template", ("method", "route", "status")
)
SECONDS = Histogram(
    "malote_http_request_seconds",
    "Time to answer an HTTP request, live streams aside",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STREAMS = Gauge("malote_http_streams", "Live streams open now", ("route",))
CALLS = Counter(
    "malote_gateway_instance_calls_total",
    "Calls to instance actors, by outcome (ok or an error's code)",
    ("method", "outcome"),
)
CALL_SECONDS = Histogram(
    "malote_gateway_instance_call_seconds",
    "Time an instance actor took to answer",
    ("method",),
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 60),
)
