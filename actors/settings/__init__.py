"""Every setting of Malote, from the environment (``MALOTE_…``), with its default and its meaning."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from actors.settings.cluster import EcsSettings, ElasticSettings, NodeSettings, SupervisorSettings
from actors.settings.courier import CourierSettings
from actors.settings.gateway import GatewaySettings
from actors.settings.instance import (
    ContactSettings,
    HistorySettings,
    InstanceSettings,
    LabSettings,
    MailboxSettings,
    OutboxSettings,
)
from actors.settings.media import MediaSettings
from actors.settings.metrics import MetricsSettings
from actors.settings.values import Group, Key, Names, PostgresUrl, RedisUrl

__all__ = [
    "ContactSettings",
    "CourierSettings",
    "EcsSettings",
    "ElasticSettings",
    "GatewaySettings",
    "HistorySettings",
    "InstanceSettings",
    "LabSettings",
    "MailboxSettings",
    "MediaSettings",
    "MetricsSettings",
    "NodeSettings",
    "OutboxSettings",
    "Settings",
    "SupervisorSettings",
]


class Settings(Group):
    """All settings. Nested groups have prefixes of their own, as in ``MALOTE_COURIER_TIMEOUT=10``."""

    model_config = SettingsConfigDict(env_prefix="MALOTE_")

    redis_url: RedisUrl = Field(None, description="Redis or Valkey; unset: an embedded one")
    session_store: PostgresUrl = Field(
        None, description="postgres://… for a cluster; unset: SQLite files below data_dir"
    )
    data_dir: Path = Field(Path(".malote"), description="Everything that has to survive on this machine")
    temp_dir: Path = Field(Path(tempfile.gettempdir()), description="Ray's session files")
    prefix: str = Field("malote", pattern=r"^[A-Za-z0-9_.-]+$", description="Of every key in Redis")
    namespace: str = Field("malote", description="Of every actor in Ray")
    ray_address: str | None = Field(None, description="A running cluster; unset: one of our own")
    admin_key: Key = Field(None, description="Unset: a fresh one is made and printed once")
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
