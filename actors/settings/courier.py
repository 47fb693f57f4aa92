"""Settings of webhook delivery."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Count, Delays, Group, Proxy, Seconds


class CourierSettings(Group):
    """Webhook delivery."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_COURIER_")

    count: Count = Field(1, description="Courier actors")
    timeout: Seconds = Field(15.0, description="Deadline of an attempt, in all")
    connect_timeout: Seconds = Field(3.0, description="Of these, until there is a connection")
    answer_bytes: Count = Field(16 * 1024, description="How much of an answer is read")
    concurrency: Count = Field(4, description="Attempts to one endpoint at a time, at first")
    concurrency_max: Count = Field(32, description="Attempts to one endpoint at a time while all goes well")
    concurrency_total: Count = Field(500, description="Attempts of one courier at a time")
    concurrency_reserved: int = Field(
        50, ge=0, description="Of these, how many only endpoints get that have no other attempt open"
    )
    rate: float | None = Field(None, gt=0, description="Attempts per second to one endpoint; unset: no bound")
    window: Count = Field(1_000, description="Unfinished events of an endpoint that its courier knows of")
    backlog: Count = Field(
        40_000,
        description="Waiting events of an endpoint that takes nothing or is switched off; above, the oldest "
        "become dead letters, or it would hold the mailbox up until the instance parks",
    )
    reach: Count = Field(10_000, description="Events past the first unfinished one that are looked at")
    body_cache_bytes: Count = Field(32 * 1024 * 1024, description="Bodies a courier keeps in memory")
    sweep: Seconds = Field(2.0, description="Seconds between two looks at every mailbox, rings or not")
    schedule: Delays = Field(
        (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200),
        description="Seconds before each retry; after the last one an event is a dead letter",
    )
    jitter: float = Field(0.1, ge=0, le=1, description="Share of a delay that is added at random, at most")
    retry_after_max: Seconds = Field(3600.0, description="Longest Retry-After that is honoured")
    poison_attempts: Count = Field(
        5, description="Attempts after which an event is a dead letter if others of its endpoint succeed"
    )
    disable_after: Seconds = Field(
        5 * 86_400, description="Seconds of nothing but failures after which an endpoint is switched off"
    )
    breaker_failures: Count = Field(5, description="Failures in a row after which an endpoint counts as down")
    breaker_first: Seconds = Field(30.0, description="Seconds until it is probed, doubled each time")
    breaker_longest: Seconds = Field(300.0, description="Longest time between two probes")
    media_wait: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds that a message waits for its file, for endpoints that want it so",
    )
    attempts_kept: Count = Field(1_000, description="Attempts per endpoint that the log keeps")
    dead_kept: Count = Field(10_000, description="Dead letters per endpoint; above, the oldest is dropped")
    endpoints_max: Count = Field(16, description="Endpoints of one instance")
    secret_overlap: float = Field(86_400, ge=0, description="Seconds a rotated secret still signs")
    drain_timeout: Seconds = Field(20.0, description="How long a draining courier waits for open attempts")
    allow_private: bool = Field(False, description="Allow endpoints at private and loopback addresses")
    proxy: Proxy = Field(
        None,
        description="http://[user:password@]host[:port] that deliveries and downloads go through, save to "
        "allowed hosts; it looks names up again and needs rules of its own against private addresses",
    )
