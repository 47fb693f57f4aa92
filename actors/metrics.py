"""Every metric of Malote, in one table. `docs/metrics.md` and the alert rules follow it.

Ordinary prometheus-client objects, which live in their process; `actors.metrics_node` puts the processes of
a node together. A label's values are few and known: never a name, a phone number or a path. Ids of instances
and endpoints label gauges only, which end with their process, and can be switched off.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from actors.events import EventType

# When each series began is half of all samples, and nobody asks for it.
disable_created_metrics()
REGISTRY = CollectorRegistry()
"""Only these metrics: no other library's."""

Merge = Literal["sum", "max"]
MERGE: dict[str, Merge] = {}
"""How the values that a node's processes have of a gauge become one, by its name."""

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150, 300)
"""Seconds, for what takes milliseconds unless something is wrong; past the 150 s of a hung handler."""
WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 150, 300, 900, 3600, 6 * 3600, 86_400)
"""Seconds, for what waits for others: endpoints, queues."""

TYPES = tuple(kind.value for kind in EventType)
PLACES = (
    "append",
    "attempt",
    "attempt_connect",
    "handoff_step",
    "lease",
    "login",
    "query",
    "send",
    "watchdog",
)
"""Where a deadline can pass."""
OUTCOMES = (
    "2xx", "3xx", "4xx", "5xx", "timeout", "connect_timeout", "name_not_resolved", "connect",
    "disconnected", "forbidden_address", "tls", "protocol", "proxy",
)  # fmt: skip
"""How an attempt at a delivery ends."""
STEPS = ("prepare", "quiesce", "disconnect", "fence", "activate", "retire")
ROLES = ("gateway", "instance", "courier", "supervisor")


_known: list[tuple[Counter | Histogram, tuple[str, ...]]] = []


def from_zero() -> None:
    """Have all series whose labels are known beforehand, with zeros.

    One that begins with 1 is no increase to Prometheus. One process of a node is enough for that: each costs
    every process that has it.
    """
    for metric, values in _known:
        metric.labels(*values)


def _counter(name: str, meaning: str, *values: Sequence[str], labels: Sequence[str] = ()) -> Counter:
    counter = Counter(name, meaning, labels, registry=REGISTRY)
    _known.extend((counter, combination) for combination in (itertools.product(*values) if values else ()))
    return counter


def _gauge(name: str, meaning: str, labels: Sequence[str] = (), *, merge: Merge = "sum") -> Gauge:
    MERGE[name] = merge
    return Gauge(name, meaning, labels, registry=REGISTRY)


def _histogram(
    name: str, meaning: str, buckets: Sequence[float], values: Sequence[str] = (), labels: Sequence[str] = ()
) -> Histogram:
    histogram = Histogram(name, meaning, labels, buckets=buckets, registry=REGISTRY)
    _known.extend((histogram, (value,)) for value in values)
    return histogram


# ---- every process ----

PROCESSES = _gauge("malote_processes", "Processes of Malote on this node", ["role"])
MEMORY = _gauge("malote_process_memory_bytes", "Resident memory of these processes", ["role"])
LOOP_LAG = _gauge(
    "malote_event_loop_lag_seconds",
    "How late the event loop of a process was of late, the worst",
    ["role"],
    merge="max",
)
TIMEOUTS = _counter("malote_timeouts_total", "Deadlines that passed, by place", PLACES, labels=["place"])
FENCED = _counter("malote_fenced_writes_total", "Writes of owners that were no longer the owner, all refused")

# ---- events, in an instance ----

RECEIVED = _counter("malote_events_received_total", "Events that WhatsApp brought", TYPES, labels=["type"])
APPENDED = _counter(
    "malote_events_appended_total",
    "Events stored in a mailbox, those that repeat a stored one too",
    TYPES,
    labels=["type"],
)
DROPPED = _counter(
    "malote_ephemeral_events_dropped_total",
    "Ephemeral events that were turned away: by a mailbox above its soft bound, or as too many waited for it",
)
REFUSED = _counter(
    "malote_events_refused_total",
    "Events that could not be stored: WhatsApp keeps them, and the instance parks",
    ["mailbox_full", "store_unavailable", "fenced"],
    labels=["reason"],
)
APPEND_SECONDS = _histogram("malote_event_append_seconds", "An event's receipt to its being stored", FAST)
HANDLERS = _gauge("malote_event_handlers", "Events that are being stored now")
HANDLER_OLDEST = _gauge(
    "malote_event_handler_oldest_seconds", "For how long the oldest of these has been at it", merge="max"
)

# ---- connection, in an instance ----

CONNECTS = _counter("malote_connects_total", "Logins at WhatsApp that succeeded")
RECONNECTS = _counter("malote_reconnects_total", "Connections that ended unwanted, each of them tried again")
PARKS = _counter(
    "malote_parks_total",
    "Times that an instance parked: events could not be stored, or its lease not renewed",
    ["events", "lease"],
    labels=["cause"],
)
CONFLICTS = _counter("malote_conflicts_total", "Connections that another one of the same device replaced")
SILENCES = _counter("malote_silent_connections_total", "Connections that were given up because of silence")
ENGINES_LOST = _counter("malote_engines_lost_total", "Engine processes that ended by themselves")
QUERY_SECONDS = _histogram(
    "malote_query_seconds",
    "Asking WhatsApp something, waiting for its turn included",
    FAST,
    labels=["kind", "outcome"],
)
QUERIES = _gauge("malote_queries_open", "Queries that wait for WhatsApp or for their turn")
CONTACT_QUERIES = _gauge(
    "malote_contact_queries_waiting", "Contacts that wait to be asked about, prefetching included"
)
CONTACT_BREAKERS = _gauge(
    "malote_contact_breakers_open",
    "Instances that ask about no contacts for now, because WhatsApp left such queries unanswered",
)
INSTANCE_MEMORY = _gauge(
    "malote_instance_memory_bytes", "Resident memory of an instance, its engine included", ["instance_id"]
)

# ---- outbox, in an instance ----

SENT = _counter(
    "malote_messages_total", "Messages that have their result", ["sent", "failed"], labels=["outcome"]
)
OUTBOX_WAIT = _histogram("malote_outbox_wait_seconds", "A message's acceptance to its first attempt", WAITS)
SEND_SECONDS = _histogram("malote_send_seconds", "One attempt at sending a message", FAST)

# ---- deliveries, in a courier ----

DELIVERED = _counter(
    "malote_events_delivered_total",
    "Events that endpoints took",
    TYPES,
    labels=["type"],
)
DELIVERY_SECONDS = _histogram(
    "malote_event_delivery_seconds", "An event's being stored to an endpoint's having taken it", WAITS
)
ATTEMPT_SECONDS = _histogram(
    "malote_delivery_attempt_seconds", "One attempt at a delivery", WAITS[:15], OUTCOMES, ["outcome"]
)
SLOW_ATTEMPTS = _counter(
    "malote_delivery_attempts_slow_total", "Attempts that took more than 80 % of their deadline"
)
RETRIES = _counter("malote_delivery_retries_total", "Attempts after which the event is tried again")
DEAD = _counter("malote_dead_letters_total", "Events that were given up for an endpoint: refused, or unsent",
                ["refused", "unsent"], labels=["reason"])  # fmt: skip
LETTERS_DROPPED = _counter(
    "malote_dead_letters_dropped_total", "Dead letters that had to make room for newer ones: they are lost"
)
SLOT_WAIT = _histogram("malote_courier_slot_wait_seconds", "Wait for a slot of a courier", FAST)
OPEN = _gauge("malote_delivery_attempts_open", "Requests to endpoints that are open now")
OLDEST_OPEN = _gauge(
    "malote_delivery_attempt_oldest_seconds", "For how long the oldest of these has been open", merge="max"
)
SLOTS = _gauge("malote_courier_slots", "Requests that couriers may have open")
SLOTS_WAITING = _gauge("malote_courier_slots_waiting", "Attempts that wait for a slot")
ENDPOINTS = _gauge("malote_endpoints", "Endpoints that couriers serve, by how they are", ["state"])
KNOWN = _gauge("malote_courier_known_events", "Unfinished events that couriers hold positions of")
UNWRITTEN = _gauge("malote_courier_results_unwritten", "Results of attempts not yet in Redis")
SWEEP_AGE = _gauge(
    "malote_courier_sweep_age_seconds", "Since the end of the last look at every mailbox", merge="max"
)
ENDPOINT_DOWN = _gauge(
    "malote_endpoint_down",
    "1 while it counts as down",
    ["instance_id", "endpoint_id"],
    merge="max",
)
ENDPOINT_BEHIND = _gauge(
    "malote_endpoint_events_behind",
    "Events from the first unfinished one to the mailbox's end",
    ["instance_id", "endpoint_id"],
    merge="max",
)

# ---- the whole cluster, as the supervisor sees it ----

CENSUS_AGE = _gauge("malote_census_age_seconds", "Since the supervisor counted what follows", merge="max")
INSTANCES = _gauge("malote_instances", "Instances, by the state of their connection", ["state"])
DOWN = _gauge("malote_instances_down", "Instances that should be connected, are paired, and are not")
UNOWNED = _gauge("malote_instances_unowned", "Instances without an owner that holds its lease")
DEPTH = _gauge("malote_mailbox_depth", "Undelivered events", ["instance_id"], merge="max")
DEPTH_RATIO = _gauge(
    "malote_mailbox_fill_ratio", "Depth of the fullest mailbox, as a part of the hard bound", merge="max"
)
OLDEST = _gauge(
    "malote_oldest_undelivered_event_seconds",
    "Age of the oldest event that an enabled endpoint has not finished",
    ["instance_id"],
    merge="max",
)
SEQ = _gauge("malote_mailbox_last_seq", "Sequence number of the last event", ["instance_id"], merge="max")
UP = _gauge("malote_instance_connected", "1 while the instance is connected", ["instance_id"], merge="max")
OUTBOX = _gauge("malote_outbox_messages", "Messages that wait to be sent", ["instance_id"], merge="max")
DEAD_KEPT = _gauge("malote_dead_letters_kept", "Dead letters that are kept", merge="max")
REDIS_USED = _gauge("malote_redis_memory_used_bytes", "Memory that Redis uses", merge="max")
REDIS_LIMIT = _gauge("malote_redis_memory_limit_bytes", "Memory that Redis may use, 0: no limit", merge="max")
REDIS_UP = _gauge("malote_redis_up", "1 if Redis answered the last time", ["role"], merge="max")
NODES = _gauge("malote_nodes", "Ray nodes, by state", ["state"])
NODE_SLOTS = _gauge("malote_instance_slots", "Instances that living nodes take")
SLOTS_WANTED = _gauge("malote_instance_slots_wanted", "Slots that there are to be, 0 without an autoscaler")
OWNERS_LOST = _counter("malote_owners_lost_total", "Owners of instances that ended unwanted")
ROLLED_BACK = _gauge(
    "malote_rollout_rolled_back",
    "1 while a roll-out is brought back, and for an hour after it was",
    merge="max",
)

OF_THE_LEADER = (
    CENSUS_AGE, INSTANCES, DOWN, UNOWNED, DEPTH, DEPTH_RATIO, OLDEST, SEQ, UP, OUTBOX, DEAD_KEPT,
    REDIS_USED, REDIS_LIMIT, REDIS_UP, NODES, NODE_SLOTS, SLOTS_WANTED, ROLLED_BACK,
)  # fmt: skip


def no_leader() -> None:
    """Tell no more of the whole cluster from this process: another one does."""
    for gauge in OF_THE_LEADER:
        if gauge._labelnames:
            gauge.clear()
        else:
            gauge.set(0)


# ---- handoffs, in the supervisor ----

HANDOFFS = _counter(
    "malote_handoffs_total",
    "Handoffs that ended",
    ["moved", "kept", "unconnected", "lost", "superseded"],
    labels=["outcome"],
)
HANDOFFS_OPEN = _gauge("malote_handoffs_open", "Handoffs under way")
HANDOFF_SECONDS = _histogram("malote_handoff_seconds", "A handoff, from its beginning to its end", FAST)
STEP_SECONDS = _histogram("malote_handoff_step_seconds", "One step of a handoff", FAST, STEPS, ["step"])
BLACKOUT = _histogram(
    "malote_handoff_blackout_seconds", "The predecessor's disconnect to the successor's connected", FAST
)

# ---- the gateway ----

REQUESTS = _counter(
    "malote_http_requests_total", "HTTP requests, by route template", labels=["method", "route", "status"]
)
REQUEST_SECONDS = _histogram(
    "malote_http_request_seconds",
    "Time to answer an HTTP request, live streams aside",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    labels=["method", "route"],
)
STREAMS = _gauge("malote_http_streams", "Live streams open now", ["route"])
CALLS = _counter(
    "malote_gateway_instance_calls_total",
    "Calls to instance actors, by outcome (ok or an error's code)",
    labels=["method", "outcome"],
)
CALL_SECONDS = _histogram(
    "malote_gateway_instance_call_seconds",
    "Time an instance actor took to answer",
    (0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 60),
    labels=["method"],
)

SCRAPE_SECONDS = _histogram("malote_scrape_seconds", "Putting a node's metrics together", FAST)

SAMPLERS: list[Callable[[], None]] = []
"""Called before this process's values are exported: what is cheaper to look at now and then than to count."""


def sample() -> None:
    """Bring this process's values up to date."""
    for sampler in list(SAMPLERS):
        sampler()


class Tally:
    """A counter on the path of every event: a plain number, added to the metric when that is exported."""

    __slots__ = ("_counter", "number")

    def __init__(self, counter: Counter) -> None:
        self.number = 0
        self._counter = counter
        SAMPLERS.append(self.flush)

    def flush(self) -> None:
        """Add what was counted."""
        if self.number:
            self._counter.inc(self.number)
            self.number = 0


class Durations:
    """A histogram on the path of every event, likewise."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds: Sequence[float] = histogram._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        SAMPLERS.append(self.flush)

    def observe(self, seconds: float) -> None:
        """It took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def flush(self) -> None:
        """Add what was observed."""
        # Private, as is the only way to add several at a time; a test sees that they are what they were.
        for number, count in enumerate(self._counts):
            if count:
                self._histogram._buckets[number].inc(count)
                self._counts[number] = 0
        self._histogram._sum.inc(self._sum)
        self._sum = 0.0


def instance_label(instance_id: str) -> str:
    """The id as a label; what could be a phone number is not shown.

    Customers choose the ids, and some choose the number.
    """
    if len(re.sub(r"\D", "", instance_id)) >= 8 and not re.search(r"[A-Za-z]{3}", instance_id):
        return "hidden-" + hashlib.sha256(instance_id.encode()).hexdigest()[:12]
    return instance_id
