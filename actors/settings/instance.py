"""Settings of an instance: its events, its sends, its life, its people, its history."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from actors.settings.values import Count, Delays, Group, Seconds


class MailboxSettings(Group):
    """Bounds of the durable log of events."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_MAILBOX_")

    soft_bound: Count = Field(
        50_000, description="Undelivered events above which ephemeral kinds are dropped"
    )
    hard_bound: Count = Field(100_000, description="Undelivered events at which the instance parks")
    keep: Count = Field(10_000, description="Delivered events kept for GET /events")
    dedupe_window: Count = Field(10_000, description="Events back that a redelivery is recognised")
    append_timeout: Seconds = Field(
        10.0, description="How long an append may retry before the instance parks"
    )
    known: Count = Field(
        10_000, description="Messages remembered, to be quoted, reacted to, edited, deleted and forwarded"
    )
    known_ttl: Count = Field(7 * 86_400, description="Seconds a message is remembered")
    chats: Count = Field(10_000, description="Chats listed; of more, those silent longest are left out")


class OutboxSettings(Group):
    """The durable queue of messages to send."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_OUTBOX_")

    bound: Count = Field(10_000, description="Waiting messages at which new ones are refused with 429")
    interval: float = Field(0.0, ge=0, description="Least seconds between two sends of an instance")
    send_timeout: Seconds = Field(30.0, description="Deadline of one attempt")
    attempts: Count = Field(5, description="Attempts at a message that WhatsApp answers with an error")
    result_ttl: Count = Field(7 * 86_400, description="Seconds a message's status can be looked up")
    idempotency_ttl: Count = Field(
        86_400, description="Seconds an Idempotency-Key is remembered; longer if its message waits longer"
    )
    edit_window: Seconds = Field(900.0, description="Seconds WhatsApp lets a message be edited")
    delete_window: Seconds = Field(
        216_000.0, description="Seconds WhatsApp lets a message be deleted for everyone"
    )


class InstanceSettings(Group):
    """Life of an instance actor."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_INSTANCE_")

    lease_ttl: Seconds = Field(10.0, description="An owner that cannot renew for this long parks")
    lease_renew: Seconds = Field(3.0, description="Seconds between two renewals")
    reconnect_first: Seconds = Field(0.5, description="Delay before the first reconnect")
    reconnect_max: Seconds = Field(60.0, description="Longest delay between two reconnects")
    conflict_backoff: Seconds = Field(30.0, description="Wait after another connection replaced ours")
    login_timeout: Seconds = Field(30.0, description="Socket open to logged in")
    watchdog_silence: Seconds = Field(
        60.0, description="Silence on a connection after which WhatsApp is asked for a sign of life"
    )
    watchdog_timeout: Seconds = Field(10.0, le=30.0, description="Deadline of that question, at most 30 s")
    watchdog_failures: Count = Field(2, description="Unanswered questions in a row that end a connection")
    query_timeout: Seconds = Field(15.0, description="Deadline of a query to WhatsApp")
    query_concurrency: Count = Field(4, description="Queries of one instance at a time")
    answer_timeout: Seconds = Field(60.0, description="How long the engine waits for an event to be stored")
    store_lock_wait: Seconds = Field(15.0, description="Wait for a predecessor's lock on the session store")


class ContactSettings(Group):
    """What an instance asks WhatsApp about people and groups, and remembers."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_CONTACT_")

    ttl_person: Seconds = Field(
        86_400.0, description="Seconds what a person shows is told before it is asked for again"
    )
    ttl_group: Seconds = Field(86_400.0, description="The same of a group's subject and topic")
    ttl_picture: Seconds = Field(
        3_600.0, description="The same of where a picture is; WhatsApp's links are good for some days"
    )
    ttl_absent: Seconds = Field(3_600.0, description="The same of what is not there, or not shown")
    keep: Count = Field(
        30 * 86_400, description="Seconds after which what is old is told no more; links to pictures: a day"
    )
    bound: Count = Field(20_000, description="Answers and names kept per instance; above, the oldest go")
    timeout: Seconds = Field(10.0, description="Deadline of one query to WhatsApp")
    concurrency: Count = Field(2, description="Queries of one instance at a time")
    rate: float = Field(1.0, gt=0, description="Queries per second of one instance, sustained")
    burst: Count = Field(10, description="Queries that may have been saved up")
    waiting: Count = Field(500, description="Queries of one instance that wait for their turn")
    breaker_failures: Count = Field(3, description="Time-outs in a row after which nothing is asked any more")
    breaker_first: Seconds = Field(30.0, description="Seconds until one query tries again, doubled each time")
    breaker_longest: Seconds = Field(600.0, description="Longest time between two such queries")
    prefetch: bool = Field(
        True, description="Ask about the people and groups of active chats before anybody wants to know"
    )
    prefetch_idle: float = Field(
        5.0, ge=0, description="Seconds without a new event after which an instance does so"
    )


class HistorySettings(Group):
    """Reading what phones offer of their history, where an instance wants it."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_HISTORY_")

    page_bytes: Count = Field(
        64 * 1024, description="Bytes of messages in one event, as WhatsApp has them; JSON is some times that"
    )
    part_bytes: Count = Field(
        512 * 1024**2, description="Largest part that is read, unpacked; the engine keeps it in a file"
    )
    bound: Count = Field(1_000, description="Parts of one instance that wait to be read; more are not")
    schedule: Delays = Field(
        (2, 10, 30, 120, 600, 1800, 3600),
        description="Seconds before each further attempt; after the last one it is `history.failed`",
    )
    files: Count = Field(10_000, description="Files of one instance's history that can be asked for")
    files_ttl: Count = Field(30 * 86_400, description="Seconds that they can; WhatsApp keeps files that long")
    pause: Seconds = Field(
        1.0, description="Seconds between two looks whether the mailbox is below its soft bound again"
    )


class LabSettings(Group):
    """Where a lab build of the engine finds its network; unset outside demonstrations and tests."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_LAB_")

    directory: Path | None = Field(None, description="State directory of a running lab (has lab.json)")
