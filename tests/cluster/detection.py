"""How soon Ray notices in tests that a node is gone."""

QUICK = {
    # Within seconds instead of within fifteen, and a frozen one instead of within a minute.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""For the environment of a cluster's nodes."""
