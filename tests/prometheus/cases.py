"""For every alert, a case in which it fires and one, as near to it as may be, in which it stays silent.

Series are in promtool's notation, a sample every 15 s: ``0x40`` stays, ``0+1x40`` grows by 1 a sample.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """When an alert fires.

    Args:
        at: seconds after which both are looked at.
        fires: series, name with labels to values.
        silent: the same, for an ordinary day.
    """

    at: int
    fires: dict[str, str]
    silent: dict[str, str]


def histogram(name: str, *, below: float, grows: int) -> dict[str, str]:
    """A histogram all of whose observations lie just below one of its bounds."""
    bounds = (0.5, 1, 5, 10, 30, 60, 150)
    series = {f'{name}_bucket{{le="{bound}"}}': f"0+{grows if bound >= below else 0}x200" for bound in bounds}
    return {**series, f'{name}_bucket{{le="+Inf"}}': f"0+{grows}x200"}


def gauge(name: str, at: int, fires: float, silent: float) -> Case:
    """A gauge that stays at a value."""
    return Case(at, {name: f"{fires}x300"}, {name: f"{silent}x300"})


def growing(name: str, at: int, fires: str, silent: str) -> Case:
    """A counter that grows so."""
    return Case(at, {name: fires}, {name: silent})


NEVER = "7x300"
ONCE = "0x8 1x200"

CASES = {
    "MaloteEventHandlerHangs": gauge("malote_event_handler_oldest_seconds", 30, 6, 4),
    "MaloteAppendsSlow": Case(
        300,
        histogram("malote_event_append_seconds", below=5, grows=10),
        histogram("malote_event_append_seconds", below=0.5, grows=10),
    ),
    "MaloteEventsRefused": growing('malote_events_refused_total{reason="mailbox_full"}', 150, ONCE, NEVER),
    "MaloteInstanceParks": growing('malote_parks_total{cause="lease"}', 150, ONCE, NEVER),
    "MaloteMailboxFills": gauge("malote_mailbox_fill_ratio", 90, 0.51, 0.49),
    "MaloteMailboxNearlyFull": gauge("malote_mailbox_fill_ratio", 30, 0.81, 0.79),
    "MaloteEphemeralsDropped": growing("malote_ephemeral_events_dropped_total", 150, ONCE, NEVER),
    "MaloteFencedWrites": growing("malote_fenced_writes_total", 150, ONCE, NEVER),
    "MaloteOldestUndelivered": gauge('malote_oldest_undelivered_event_seconds{instance_id="a"}', 30, 61, 59),
    "MaloteUndeliveredForAnHour": gauge(
        'malote_oldest_undelivered_event_seconds{instance_id="a"}', 90, 3601, 3599
    ),
    "MaloteAttemptsNearDeadline": growing("malote_delivery_attempts_slow_total", 150, "0x8 4x200", ONCE),
    "MaloteDeliveryTimeouts": Case(
        300,
        {
            'malote_delivery_attempt_seconds_count{outcome="timeout"}': "0+3x200",
            'malote_delivery_attempt_seconds_count{outcome="2xx"}': "0+10x200",
        },
        {
            'malote_delivery_attempt_seconds_count{outcome="timeout"}': "0+2x200",
            'malote_delivery_attempt_seconds_count{outcome="2xx"}': "0+10x200",
        },
    ),
    "MaloteAttemptOutlivesDeadline": gauge("malote_delivery_attempt_oldest_seconds", 60, 61, 59),
    "MaloteEndpointsDown": Case(
        360, {'malote_endpoints{state="down"}': "1x300"}, {'malote_endpoints{state="open"}': "9x300"}
    ),
    "MaloteDeadLetters": growing('malote_dead_letters_total{reason="refused"}', 150, ONCE, NEVER),
    "MaloteDeadLettersDropped": growing("malote_dead_letters_dropped_total", 150, ONCE, NEVER),
    "MaloteCourierStalls": gauge("malote_courier_sweep_age_seconds", 60, 31, 29),
    "MaloteCourierSlotsTaken": gauge("malote_courier_slots_waiting", 150, 1, 0),
    "MaloteCourierBehind": gauge("malote_courier_results_unwritten", 90, 501, 499),
    "MaloteCouriersGone": Case(
        90, {'malote_processes{role="gateway"}': "1x300"}, {'malote_processes{role="courier"}': "1x300"}
    ),
    "MaloteInstancesDown": Case(
        150, {"malote_instances_down": "1x300"}, {"malote_instances_down": "1x6 0x300"}
    ),
    "MaloteInstancesUnowned": Case(
        90, {"malote_instances_unowned": "1x300"}, {"malote_instances_unowned": "1x2 0x300"}
    ),
    "MaloteSlotsUsedUp": Case(
        360,
        {'malote_instances{state="connected"}': "91x300", "malote_instance_slots": "100x300"},
        {'malote_instances{state="connected"}': "89x300", "malote_instance_slots": "100x300"},
    ),
    "MaloteSlotsMissing": Case(
        660,
        {"malote_instance_slots_wanted": "41x300", "malote_instance_slots": "40x300"},
        {"malote_instance_slots_wanted": "40x300", "malote_instance_slots": "40x300"},
    ),
    "MaloteQueryTimeouts": growing('malote_timeouts_total{place="query"}', 150, "0x8 4x200", ONCE),
    "MaloteContactsNotAsked": gauge("malote_contact_breakers_open", 90, 1, 0),
    "MaloteQueriesPileUp": gauge("malote_queries_open", 90, 51, 49),
    "MaloteConflictLoop": growing("malote_conflicts_total", 600, "0x10 1x10 2x10 4x200", ONCE),
    "MaloteReconnecting": growing("malote_reconnects_total", 600, "0+1x200", "0x20 15x200"),
    "MaloteEnginesDie": growing("malote_engines_lost_total", 300, "0x8 4x200", ONCE),
    "MaloteSilentConnections": growing("malote_silent_connections_total", 300, "0x8 4x200", ONCE),
    "MaloteLeasesNotRenewed": growing('malote_timeouts_total{place="lease"}', 150, "0x8 4x200", ONCE),
    "MaloteOutboxWaits": Case(
        300,
        histogram("malote_outbox_wait_seconds", below=60, grows=10),
        histogram("malote_outbox_wait_seconds", below=10, grows=10),
    ),
    "MaloteSendsFail": Case(
        900,
        {
            'malote_messages_total{outcome="failed"}': "0+2x200",
            'malote_messages_total{outcome="sent"}': "0+10x200",
        },
        {
            'malote_messages_total{outcome="failed"}': "0+1x200",
            'malote_messages_total{outcome="sent"}': "0+10x200",
        },
    ),
    "MaloteHandoffFailed": growing('malote_handoffs_total{outcome="lost"}', 150, ONCE, NEVER),
    "MaloteRolloutRolledBack": gauge("malote_rollout_rolled_back", 15, 1, 0),
    "MaloteHandoffsSlow": Case(
        300,
        histogram("malote_handoff_seconds", below=150, grows=1),
        histogram("malote_handoff_seconds", below=30, grows=1),
    ),
    "MaloteBlackoutLong": Case(
        300,
        histogram("malote_handoff_blackout_seconds", below=30, grows=1),
        histogram("malote_handoff_blackout_seconds", below=0.5, grows=1),
    ),
    "MaloteHandoffStuck": Case(
        1200,
        {"malote_handoffs_open": "1x300", 'malote_handoffs_total{outcome="moved"}': "5x300"},
        {"malote_handoffs_open": "1x300", 'malote_handoffs_total{outcome="moved"}': "0+1x300"},
    ),
    "MaloteOwnersDie": growing("malote_owners_lost_total", 300, "0x8 8x200", "0x8 2x200"),
    "MaloteSupervisorGone": Case(
        90, {'malote_processes{role="supervisor"}': "0x300"}, {'malote_processes{role="supervisor"}': "1x300"}
    ),
    "MaloteCensusStale": gauge("malote_census_age_seconds", 60, 61, 59),
    "MaloteRedisDown": gauge("malote_redis_up", 60, 0, 1),
    "MaloteRedisMemory": Case(
        90,
        {"malote_redis_memory_used_bytes": "81x300", "malote_redis_memory_limit_bytes": "100x300"},
        {"malote_redis_memory_used_bytes": "81x300", "malote_redis_memory_limit_bytes": "0x300"},
    ),
    "MaloteRedisMemoryCritical": Case(
        60,
        {"malote_redis_memory_used_bytes": "96x300", "malote_redis_memory_limit_bytes": "100x300"},
        {"malote_redis_memory_used_bytes": "94x300", "malote_redis_memory_limit_bytes": "100x300"},
    ),
    "MaloteEventLoopLags": gauge('malote_event_loop_lag_seconds{role="courier"}', 60, 1.1, 0.9),
    "MaloteHttpErrors": Case(
        450,
        {
            'malote_http_requests_total{status="500"}': "0+1x200",
            'malote_http_requests_total{status="200"}': "0+10x200",
        },
        {
            'malote_http_requests_total{status="404"}': "0+1x200",
            'malote_http_requests_total{status="200"}': "0+10x200",
        },
    ),
    "MaloteNodeUnseen": gauge('up{job="malote",instance="n"}', 90, 0, 1),
}
