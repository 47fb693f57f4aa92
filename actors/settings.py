"""Every setting of Malote, from the environment (``MALOTE_…``), with its default and its meaning."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from yarl import URL

KEY_LENGTH_MAX = 512
"""Characters of a key of access."""

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _split_bare(value: object) -> object:
    return _split(value.strip().removeprefix("[").removesuffix("]") if isinstance(value, str) else value)


# As users write lists into an environment: separated by commas, not as JSON, though numbers may be.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Delays = Annotated[tuple[Annotated[float, Field(ge=0)], ...], NoDecode, BeforeValidator(_split_bare)]


def _check_proxy(proxy: SecretStr | None) -> SecretStr | None:
    if proxy is None:
        return None
    try:
        url = URL(proxy.get_secret_value())
        good = url.scheme == "http" and bool(url.host) and url.path in ("", "/") and not url.query_string
    except ValueError:
        good = False
    if not good:
        raise ValueError("the proxy must be http://host:port or http://user:password@host:port")
    return proxy


def _check_redis(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a URL of Redis begins with redis://, rediss:// or unix://")
    from redis.asyncio.connection import parse_url  # 0.2 s, for who has a use for it only

    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError("not a URL of Redis, as in redis://user:password@host:6379/0") from error
    return url


def _check_postgres(url: str | None) -> str | None:
    if url is not None and not url.startswith(("postgres://", "postgresql://")):
        raise ValueError("a URL of PostgreSQL begins with postgres:// or postgresql://")
    return url


def _check_key(key: SecretStr | None) -> SecretStr | None:
    text = "-" if key is None else key.get_secret_value()
    if text != text.strip() or not text.isprintable() or len(text) > KEY_LENGTH_MAX:
        raise ValueError(f"a key has no blanks around it, and at most {KEY_LENGTH_MAX} characters")
    return key


class Group(BaseSettings):
    """What all settings have in common: they never change, an empty variable is an unset one, and no error
    repeats a value, which can be a password.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)


class LabSettings(Group):
    """Where a lab build of the engine finds its network; unset outside demonstrations and tests."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_LAB_")

    directory: Path | None = Field(None, description="State directory of a running lab (has lab.json)")


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
    proxy: Annotated[SecretStr | None, AfterValidator(_check_proxy)] = Field(
        None,
        description="http://[user:password@]host[:port] that deliveries and downloads go through, save to "
        "allowed hosts; it looks names up again and needs rules of its own against private addresses",
    )


class MediaSettings(Group):
    """Files that are sent and received."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_MEDIA_")

    folder: Path | None = Field(
        None, description="Where files are kept; with S3, where they wait on their way. Unset: below data_dir"
    )
    s3_bucket: str | None = Field(None, description="An existing bucket to keep files in; unset: the folder")
    s3_endpoint: str | None = Field(None, description="http(s)://… of another S3 than Amazon's")
    s3_region: str = Field("us-east-1", description="Where the bucket is")
    s3_prefix: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", description="Of every key in the bucket"
    )
    s3_access_key_id: SecretStr | None = Field(
        None, description="Unset, with its secret: AWS_… variables, or the role of the task or machine"
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="Set both or neither")
    s3_timeout: Seconds = Field(30.0, description="Deadline of a request to S3, its retries included")
    image_bytes: Count = Field(16 * 1024**2, description="Largest image that is taken")
    video_bytes: Count = Field(100 * 1024**2, description="Largest video")
    gif_bytes: Count = Field(16 * 1024**2, description="Largest GIF")
    audio_bytes: Count = Field(16 * 1024**2, description="Largest audio file")
    voice_bytes: Count = Field(16 * 1024**2, description="Largest recording for a voice note")
    sticker_bytes: Count = Field(5 * 1024**2, description="Largest picture for a sticker")
    document_bytes: int = Field(
        100 * 1024**2, gt=0, le=2 * 1024**3, description="Largest document; WhatsApp takes 2 GiB"
    )
    pixels: Count = Field(50_000_000, description="Most pixels of a picture, or of one of a film")
    frames: Count = Field(1_500, description="Most pictures of an animation that is converted")
    seconds: Seconds = Field(4 * 3600.0, description="Longest audio or video")
    convert_timeout: Seconds = Field(60.0, description="Deadline of checking and converting one file")
    convert_concurrency: Count = Field(2, description="Files that one process has converted at a time")
    convert_wait: Seconds = Field(30.0, description="How long a file waits for its turn")
    convert_memory: Count = Field(1536 * 1024**2, description="Bytes of memory that converting one may take")
    fetch_timeout: Seconds = Field(60.0, description="Deadline of downloading a URL, retries included")
    fetch_connect_timeout: Seconds = Field(5.0, description="Of these, until there is a connection")
    fetch_rate: Count = Field(16 * 1024, description="Bytes per second that a download has to bring")
    fetch_window: Seconds = Field(10.0, description="Seconds over which that is measured")
    fetch_attempts: Count = Field(3, description="Attempts at a URL that is unreachable or breaks off")
    fetch_redirects: int = Field(3, ge=0, description="Redirects that are followed")
    intake: Count = Field(
        16, description="Files that one gateway takes at a time: uploads, and those of messages"
    )
    intake_instance: Count = Field(4, description="Of these, how many of one instance")
    intake_timeout: Seconds = Field(300.0, description="Deadline of receiving an upload")
    upload_timeout: Seconds = Field(300.0, description="Deadline of uploading a file to WhatsApp")
    upload_concurrency: Count = Field(
        2, description="Files that one instance uploads to WhatsApp at a time, ahead of their messages"
    )
    upload_kept: Seconds = Field(
        3600.0, description="Seconds for which what was uploaded is used when a message is sent again"
    )
    download: bool = Field(True, description="Fetch the files of messages; each instance can say otherwise")
    download_bytes: Count = Field(100 * 1024**2, description="Largest file of a message that is fetched")
    download_concurrency: Count = Field(2, description="Files that one instance fetches at a time")
    download_rate: float = Field(5.0, gt=0, description="Files per second that one instance begins to fetch")
    download_timeout: Seconds = Field(300.0, description="Deadline of fetching one file, once")
    download_schedule: Delays = Field(
        (2, 10, 30, 120, 600, 1800, 3600),
        description="Seconds before each further attempt; after the last one it is `media.failed`",
    )
    download_bound: Count = Field(
        5_000,
        description="Files of one instance that wait to be fetched; above, those of new messages are not",
    )
    link_keys: Secrets = Field(
        (),
        description="Comma-separated keys of at least 32 characters: the first signs links to files, all are "
        "accepted. Unset: one that the cluster makes",
    )
    link_lifetime: Count = Field(7 * 86_400, description="Seconds a link to a file is good for")
    retention: Seconds = Field(30 * 86_400, description="Seconds a file is kept")
    retention_bytes: Count = Field(
        5 * 1024**3, description="Bytes of files kept per instance; above, the oldest go"
    )
    retention_interval: Seconds = Field(3600.0, description="Seconds between two looks for files to remove")

    @field_validator("link_keys")
    @classmethod
    def _long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 32 for key in keys):
            raise ValueError("a key for links needs at least 32 characters")
        return keys

    @model_validator(mode="after")
    def _both_keys(self) -> MediaSettings:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("set both the S3 access key's id and its secret, or neither")
        return self


class GatewaySettings(Group):
    """The HTTP door."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_GATEWAY_")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535, description="0: a free one")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?$",
        description="Where customers reach the API, as in https://wa.example.com: links to files begin with "
        "it. Unset: they are paths",
    )
    body_bytes: Count = Field(1024 * 1024, description="Largest request body")
    page_size: Count = Field(100, description="Entries of a page, unless asked")
    page_size_max: Count = Field(1_000)
    rate: Count = Field(200, description="Requests per second and key, sustained")
    burst: Count = Field(400, description="Requests a key may have saved up")
    idle_timeout: Seconds = Field(
        150.0,
        description="A connection on which no whole request head has come for so long is closed; more than "
        "a load balancer in front keeps its own idle",
    )
    send_wait: float = Field(10.0, ge=0, le=60, description="How long a send waits for WhatsApp's answer")
    actor_timeout: Seconds = Field(20.0, description="Deadline of a call to an actor")
    stream_limit: Count = Field(100, description="Live streams of one instance at a time, per gateway")
    stream_heartbeat: Seconds = Field(15.0, description="Seconds between two signs of life on a live stream")
    stream_poll: Seconds = Field(2.0, description="Seconds between two looks for news, rings or not")
    stream_write_timeout: Seconds = Field(
        30.0, description="A live stream or file whose reader takes nothing for so long is closed"
    )
    check_max: Count = Field(100, description="Phone numbers in one check")
    shutdown_timeout: Seconds = Field(20.0, description="What running requests have to finish at shutdown")


class SupervisorSettings(Group):
    """Placement and recovery."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_SUPERVISOR_")

    reconcile: Seconds = Field(1.0, description="Seconds between two looks at desired against actual")
    sweep: Seconds = Field(30.0, description="Seconds between two looks for actors that nobody needs")
    start_concurrency: Count = Field(4, description="Actors started at a time")
    start_timeout: Seconds = Field(60.0, description="An actor that is not up by then is replaced")
    handoffs: Count = Field(4, description="Handoffs at a time in the whole cluster")
    handoffs_per_node: Count = Field(2, description="Handoffs at a time to one node")
    handoffs_kept: Count = Field(50, description="Records of past handoffs kept per instance")
    connect_gap: float = Field(0.02, ge=0, description="Least seconds between two connects of the cluster")
    prepare_timeout: Seconds = Field(30.0, description="Deadline of a handoff's successor to get warm")
    quiesce_timeout: Seconds = Field(10.0, description="Deadline of the predecessor to finish its send")
    disconnect_timeout: Seconds = Field(5.0, description="Deadline of the predecessor to disconnect")
    activate_timeout: Seconds = Field(30.0, description="Deadline of the successor to connect, twice")
    retire_timeout: Seconds = Field(5.0, description="Deadline of the predecessor to exit")
    drain_deadline: Seconds = Field(
        90.0, description="After which a drain goes on without predecessors' help"
    )
    rebalance: bool = Field(False, description="Move instances to nodes that joined")
    standby_patience: Seconds = Field(
        60.0,
        description="A new version's supervisor that does not work for so long in a roll-out is replaced by "
        "the old one's",
    )


class ElasticSettings(Group):
    """Workers that Ray's autoscaler starts and ends as they are needed."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_ELASTIC_")

    workers: int = Field(0, ge=0, description="Most of them at a time; 0: there is no autoscaler")
    slots: Count = Field(40, description="Instances that fit on each")
    headroom: int = Field(
        10, ge=0, description="Slots kept free: for instances to come, and for those of a node that is lost"
    )
    least: int = Field(0, ge=0, description="Slots that are there however few instances there are")
    look: Seconds = Field(5.0, description="Seconds between two looks at how many slots are needed")
    shrink_after: Seconds = Field(
        300.0, description="Seconds for which a worker has to be one too many before it is emptied"
    )


class EcsSettings(Group):
    """Where on ECS the autoscaler of a head runs workers."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_ECS_")

    cluster: str | None = Field(None, description="Name or ARN of the ECS cluster")
    task: str | None = Field(
        None, description="Family of the workers' task definition; its latest revision is run"
    )
    container: str = Field("node", description="The container in it that is the node")
    subnets: Names = Field((), description="Comma-separated ids of the subnets they are put in")
    security_groups: Names = Field((), description="Comma-separated ids of their security groups")


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


class MetricsSettings(Group):
    """What Prometheus is told."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_METRICS_")

    folder: Path | None = Field(
        None, description="Where the processes of one node put what they count; unset: below temp_dir"
    )
    interval: Seconds = Field(5.0, description="Seconds between two writes of what a process counts")
    census: Seconds = Field(5.0, description="Seconds between two counts of instances and mailboxes")
    per_instance: bool = Field(True, description="Label gauges with the ids of instances")
    per_endpoint: bool = Field(False, description="Have gauges of each endpoint, labelled with its id")


class NodeSettings(Group):
    """A node of a cluster, as ``python -m deploy.node`` runs it."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_NODE_")

    head: str | None = Field(
        None, pattern=r"^[^\s:/]+:\d+$", description="host:port of the head's GCS; a worker needs it"
    )
    address: str | None = Field(None, description="This node's own; unset: from ECS, or as Ray finds it")
    slots: int | None = Field(
        None, ge=0, description="Instances that fit; unset: as many as memory allows, none on the head"
    )
    instance_memory: Count = Field(
        160 * 1024**2, description="Bytes reckoned for an instance with its engine"
    )
    reserved_memory: int = Field(
        1024**3, ge=0, description="Bytes kept for Ray's own processes, couriers, and converting files"
    )
    niceness: int = Field(0, ge=0, le=19, description="Of actors; Ray's own default is 15")
    gateway: bool = Field(False, description="Run a gateway on this node, too")
    gcs_port: int = Field(6379, gt=0, le=65535, description="Where the head's GCS listens")
    dashboard_host: str = Field("127.0.0.1", description="Where the head takes jobs; never a public address")
    dashboard_port: int = Field(8265, gt=0, le=65535)
    first_port: int = Field(
        6400,
        gt=0,
        le=65530,
        description="First of six in a row: node manager, object manager, dashboard agent (two), runtime "
        "environments, metrics",
    )
    worker_ports: str = Field(
        "10002-19999", pattern=r"^\d{1,5}-\d{1,5}$", description="Each actor on the node takes one"
    )
    gcs_redis_url: SecretStr | None = Field(
        None,
        description="redis(s)://… where the head keeps the cluster's state, so that it can die; another "
        "server than MALOTE_REDIS_URL",
    )
    autoscaling: Path | None = Field(
        None, description="Cluster configuration of Ray's autoscaler, to run it on the head: ray-cluster.yaml"
    )
    gcs_patience: Count = Field(180, description="Seconds for which a node lives on without the head")
    stop_timeout: Seconds = Field(
        120.0, gt=20, description="Seconds from SIGTERM to SIGKILL, as the container's platform is told"
    )
    protection_minutes: int = Field(
        60, ge=1, le=2880, description="How long each ECS scale-in protection lasts; it is renewed at half"
    )
    protection_look: Seconds = Field(10.0, description="Seconds between two looks at what the node owns")
    tls_cert: Path | None = Field(None, description="This node's certificate; set all three of them or none")
    tls_key: Path | None = Field(None, description="Its private key")
    tls_ca: Path | None = Field(None, description="The authority that signed every node's certificate")

    @model_validator(mode="after")
    def _all_of_tls(self) -> NodeSettings:
        if len({self.tls_cert is None, self.tls_key is None, self.tls_ca is None}) > 1:
            raise ValueError("set the certificate, its key and the authority, or none of them")
        return self


class Settings(Group):
    """All settings. Nested groups have prefixes of their own, as in ``MALOTE_COURIER_TIMEOUT=10``."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_")

    redis_url: Annotated[str | None, AfterValidator(_check_redis)] = Field(
        None, description="Redis or Valkey; unset: an embedded one"
    )
    session_store: Annotated[str | None, AfterValidator(_check_postgres)] = Field(
        None, description="postgres://… for a cluster; unset: SQLite files below data_dir"
    )
    data_dir: Path = Field(Path(".malote"), description="Everything that has to survive on this machine")
    temp_dir: Path = Field(Path(tempfile.gettempdir()), description="Ray's session files")
    prefix: str = Field("malote", pattern=r"^[A-Za-z0-9_.-]+$", description="Of every key in Redis")
    namespace: str = Field("malote", description="Of every actor in Ray")
    ray_address: str | None = Field(None, description="A running cluster; unset: one of our own")
    admin_key: Annotated[SecretStr | None, AfterValidator(_check_key)] = Field(
        None, description="Unset: a fresh one is made and printed once"
    )
    engine: Path | None = Field(None, description="Path of the engine binary; unset: engine/bin of this tree")
    version: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of this version of the code and its settings; unset: a digest of the code",
    )
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    log_events: bool = Field(
        False, description="A line in the log for every event and every delivery; failed ones have one always"
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="Where spans go by OTLP/HTTP, as in http://collector:4318/v1/traces; needs the extra "
        "`otel`",
    )
    allow_hosts: Names = Field(
        (), description="Comma-separated hosts or networks endpoints may have although they are private"
    )

    lab: LabSettings = Field(default_factory=LabSettings)
    mailbox: MailboxSettings = Field(default_factory=MailboxSettings)
    outbox: OutboxSettings = Field(default_factory=OutboxSettings)
    instance: InstanceSettings = Field(default_factory=InstanceSettings)
    contact: ContactSettings = Field(default_factory=ContactSettings)
    courier: CourierSettings = Field(default_factory=CourierSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)
    history: HistorySettings = Field(default_factory=HistorySettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    supervisor: SupervisorSettings = Field(default_factory=SupervisorSettings)
    ecs: EcsSettings = Field(default_factory=EcsSettings)
    elastic: ElasticSettings = Field(default_factory=ElasticSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    node: NodeSettings = Field(default_factory=NodeSettings)
